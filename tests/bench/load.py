"""The clients: keep-alive connections, each sending its next request when it has the last answer, whole and checked.

`python -m tests.bench.load`: a LoadSpec as JSON on standard input, a LoadResult on standard output.
"""

import asyncio
import gc
import sys
import time
from dataclasses import dataclass
from typing import cast

import msgspec
import psutil
import uvloop

from .http_messages import BadMessageError, MessageReader
from .scenarios import Scenario, fault_in, request, scenario_named
from .stats import percentile

#: An answer that takes longer after the end of the measurement counts as missing.
PATIENCE_S = 60.0
#: Every client counts at least so many answers, however slow they are: with fewer the rate would say nothing.
_LEAST_COUNTED = 2
_PAUSE_AFTER_ERROR_S = 0.05


class LoadSpec(msgspec.Struct, frozen=True):
    """What to send where."""

    port: int
    scenario: str
    connections: int
    warm_up_s: float
    seconds: float


class LoadResult(msgspec.Struct, frozen=True):
    """What came of it. Latencies run from the write of a request to the last byte of its answer."""

    answers: int
    """All good ones, also those of the warm-up."""
    counted: int
    """Those that the figures below are made of."""
    errors: int
    first_error: str
    rate: float
    """Good answers per second, over all connections."""
    p50_ms: float
    p99_ms: float
    mean_ms: float
    first_p50_ms: float
    """To the first byte of the body."""
    wall_s: float
    """How long all this took, from the first connection on."""
    cpu_s: float
    """CPU time of this program in that time."""
    machine_s: float
    """CPU time of the whole machine in that time, with what a hypervisor gave to other machines."""


class _Tally:
    """What all connections count together."""

    def __init__(self) -> None:
        self.latencies_s: list[float] = []
        self.first_bytes_s: list[float] = []
        self.answers = 0
        self.errors = 0
        self.first_error = ""

    def fail(self, what: str) -> None:
        self.errors += 1
        self.first_error = self.first_error or what


class _Client:
    """What one client has counted, over all its connections.

    Each has its own span of time, so that it does not matter how long the last request of another one takes.
    """

    def __init__(self) -> None:
        self.counted = 0
        self.first_sent_s = 0.0
        self.last_done_s = 0.0

    def note(self, sent_s: float, done_s: float) -> None:
        if not self.counted:
            self.first_sent_s = sent_s
        self.counted += 1
        self.last_done_s = done_s

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.counted / (self.last_done_s - self.first_sent_s) if self.counted else 0.0


@dataclass(frozen=True)
class _Task:
    """What each client does."""

    port: int
    payload: bytes
    scenario: Scenario
    counts_from_s: float
    end_s: float


class _Connection(asyncio.Protocol):
    """Sends the same request again and again until the end."""

    _transport: asyncio.Transport

    def __init__(self, task: _Task, client: _Client, tally: _Tally) -> None:
        self._task = task
        self._client = client
        self._tally = tally
        self._reader = MessageReader()
        self._sent_s = 0.0
        self._first_s: float | None = None
        self._waiting = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it
        self._send()

    def _send(self) -> None:
        self._waiting = True
        self._first_s = None
        self._sent_s = time.perf_counter()
        self._transport.write(self._task.payload)

    def data_received(self, data: bytes) -> None:
        now_s = time.perf_counter()
        try:
            answers = self._reader.feed(data)
        except BadMessageError as error:
            self._give_up(str(error))
            return
        if self._first_s is None and (answers or self._reader.has_body):
            self._first_s = now_s
        if not answers:
            return
        if len(answers) > 1 or not self._waiting or not self._reader.is_between_messages:
            self._give_up("more than one answer to one request")
            return
        self._waiting = False
        fault = fault_in(answers[0], self._task.scenario)
        if fault:
            self._give_up(fault)
            return
        self._note(now_s)
        if now_s < self._task.end_s or self._client.counted < _LEAST_COUNTED:
            self._send()
        else:
            self._transport.close()

    def _note(self, now_s: float) -> None:
        tally = self._tally
        tally.answers += 1
        if self._sent_s < self._task.counts_from_s:
            return
        self._client.note(self._sent_s, now_s)
        tally.latencies_s.append(now_s - self._sent_s)
        tally.first_bytes_s.append((self._first_s or now_s) - self._sent_s)

    def _give_up(self, fault: str) -> None:
        self._waiting = False
        self._tally.fail(fault)
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._tally.fail(f"the connection was closed in the middle of an exchange ({exc})")
        if not self.closed.done():
            self.closed.set_result(None)


async def _keep_busy(task: _Task, client: _Client, tally: _Tally) -> None:
    """One client: connects, and again when its connection was closed."""
    loop = asyncio.get_running_loop()
    while time.perf_counter() < task.end_s:
        errors = tally.errors
        try:
            transport, connection = await loop.create_connection(
                lambda: _Connection(task, client, tally), "127.0.0.1", task.port
            )
        except OSError as error:
            tally.fail(f"no connection: {error}")
        else:
            try:
                await connection.closed
            finally:
                transport.abort()
        if tally.errors > errors:
            await asyncio.sleep(_PAUSE_AFTER_ERROR_S)


async def run_load(spec: LoadSpec) -> LoadResult:
    """Measure once."""
    scenario = scenario_named(spec.scenario)
    payload = request(scenario, f"127.0.0.1:{spec.port}")
    tally = _Tally()
    clients = [_Client() for _ in range(spec.connections)]
    cpu_before_s, machine_before_s, start_s = time.process_time(), _machine_busy_s(), time.perf_counter()
    counts_from_s = start_s + spec.warm_up_s
    task = _Task(spec.port, payload, scenario, counts_from_s, counts_from_s + spec.seconds)
    try:
        async with asyncio.timeout(spec.warm_up_s + spec.seconds + PATIENCE_S), asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(_keep_busy(task, client, tally))
    except TimeoutError:
        tally.fail(f"no complete answer within {PATIENCE_S:g} s of the end")
    wall_s, machine_s = time.perf_counter() - start_s, _machine_busy_s() - machine_before_s
    latencies_s, first_s = sorted(tally.latencies_s), sorted(tally.first_bytes_s)
    counted = len(latencies_s)
    return LoadResult(
        answers=tally.answers,
        counted=counted,
        errors=tally.errors,
        first_error=tally.first_error,
        rate=sum(client.rate for client in clients),
        p50_ms=percentile(latencies_s, 50) * 1000 if counted else 0.0,
        p99_ms=percentile(latencies_s, 99) * 1000 if counted else 0.0,
        mean_ms=sum(latencies_s) / counted * 1000 if counted else 0.0,
        first_p50_ms=percentile(first_s, 50) * 1000 if counted else 0.0,
        wall_s=wall_s,
        cpu_s=time.process_time() - cpu_before_s,
        machine_s=machine_s,
    )


def _machine_busy_s() -> float:
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0)
    # A guest's time is part of `user` already.
    return float(sum(times) - idle_s - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0))


def main() -> None:
    """Read the spec, measure, write the result."""
    spec = msgspec.json.decode(sys.stdin.buffer.read(), type=LoadSpec)
    gc.disable()  # as in the upstream
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run_load(spec))))


if __name__ == "__main__":
    main()
