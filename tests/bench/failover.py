"""What it costs when a channel fails and the next one answers.

- The failover itself: the time from the failed answer to the next channel's request, both seen at the providers,
  against the time of one plain request, seen by the client. One connection, in turns.
- Requests/s when the first channel fails three requests in ten at random, against none. With cool-downs, which keep
  requests away from it, and with cool-downs lifted all the time, so that it goes on failing.
"""

import asyncio
import http.client
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.table import Table

from brightstaff.ledger import forget_conditions

from . import contenders as start
from .contenders import BenchError, Contender
from .http_messages import MessageReader
from .load import LoadSpec
from .measure import run_load
from .scenarios import MODEL, PATH, json_answer, request_body, scenario_named
from .stats import Spread, ratios, spread
from .upstream import FAILED

_SCENARIO = scenario_named("json-1k")
_REQUESTS = 150
_CONNECTIONS = 16
_FAILING = 0.3
_LIFT_EVERY_S = 0.02


class _Witness(asyncio.Protocol):
    """A provider that notes when it answered and when it was asked. `times_s` is shared by both kinds."""

    def __init__(self, answer: bytes, times_s: list[float]) -> None:
        self._answer = answer
        self._times_s = times_s
        self._reader = MessageReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        for _ in self._reader.feed(data):
            asked_s = time.perf_counter()
            self._transport.write(self._answer)
            self._times_s.append(time.perf_counter() if self._answer is FAILED else asked_s)


@contextmanager
def _witnesses(times_s: list[float]) -> Iterator[tuple[int, int]]:
    """Ports of a provider that always fails and of one that never does."""
    loop = asyncio.new_event_loop()

    async def listen() -> tuple[int, int]:
        failing = await loop.create_server(lambda: _Witness(FAILED, times_s), "127.0.0.1", 0)
        good = await loop.create_server(lambda: _Witness(json_answer(), times_s), "127.0.0.1", 0)
        return failing.sockets[0].getsockname()[1], good.sockets[0].getsockname()[1]

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def show_failover(console: Console, rounds: int, seconds: float) -> None:
    """Measure and print. Raises BenchError."""
    with console.status("starting …") as status:
        status.update("the time of a failover …")
        plain_ms, gaps_ms = _time_failovers()
        status.update("requests/s with failures …")
        rates = _rates(rounds, seconds)
    once, gap = _known(spread(plain_ms)), _known(spread(gaps_ms))
    table = Table(title=f"One failover, {_REQUESTS} times (milliseconds: median, p5-p95)", title_justify="left")
    for name in ("a plain request, at the client", "failed answer → next request, at the providers", "ratio"):
        table.add_column(name, justify="right")
    table.add_row(_span(once), _span(gap), f"{gap.median / once.median:.2f}")
    console.print(table)
    first, *others = rates
    shares = Table(
        title=f"Requests/s over {_CONNECTIONS} connections, medians of {rounds} rounds", title_justify="left"
    )
    for name in ("the first channel", "requests/s", "against none failing"):
        shares.add_column(name, justify="left" if name.startswith("the") else "right")
    shares.add_row(first, f"{_known(spread(rates[first])).median:,.0f}", "1")
    for name in others:
        share = _known(spread(ratios(rates[name], rates[first])))
        rate = _known(spread(rates[name])).median
        shares.add_row(name, f"{rate:,.0f}", f"{share.median:.2f} ({share.low:.2f}-{share.high:.2f})")
    console.print(shares)


def _known(found: Spread | None) -> Spread:
    if found is None:
        raise BenchError("nothing was measured")
    return found


def _span(figure: Spread) -> str:
    return f"{figure.median:.2f} ({figure.low:.2f}-{figure.high:.2f})"


def _middle(values: list[float]) -> list[float]:
    """Without the smallest and largest five in a hundred: a scheduler's pause says nothing about a failover."""
    cut = len(values) // 20
    return sorted(values)[cut : len(values) - cut]


def _time_failovers() -> tuple[list[float], list[float]]:
    """Milliseconds of plain requests, and from failed answers to the next requests."""
    times_s: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plano-bench-")))
        failing, good = stack.enter_context(_witnesses(times_s))
        gateway = stack.enter_context(start.plano(folder, Path(sys.executable), failing, fallback_port=good))
        ledger = folder / gateway.name / "run" / "channels.sqlite"
        body = request_body(_SCENARIO)
        plain = body.replace(f'"{MODEL}"'.encode(), f'"{MODEL}-2"'.encode())
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        plain_ms: list[float] = []
        gaps_ms: list[float] = []
        for number in range(_REQUESTS + 20):
            took_s = _post(connection, plain)
            forget_conditions(ledger, None)
            times_s.clear()
            _post(connection, body)
            if len(times_s) != 2:
                raise BenchError(f"the providers were asked {len(times_s)} times, not twice")
            if number >= 20:  # the first ones open connections and fill caches
                plain_ms.append(took_s * 1000)
                gaps_ms.append((times_s[1] - times_s[0]) * 1000)
        connection.close()
    return _middle(plain_ms), _middle(gaps_ms)


def _post(connection: http.client.HTTPConnection, body: bytes) -> float:
    begin_s = time.perf_counter()
    connection.request("POST", PATH, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise BenchError(f"status {answer.status} instead of 200")
    return time.perf_counter() - begin_s


def _rates(rounds: int, seconds: float) -> dict[str, list[float]]:
    """Requests/s of each round, the baseline first."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plano-bench-")))
        good = stack.enter_context(start.upstream(folder))
        flaky = stack.enter_context(start.upstream(folder, _FAILING))
        python = Path(sys.executable)
        never = stack.enter_context(start.plano(folder, python, good.port, "never", good.port))
        often = stack.enter_context(start.plano(folder, python, flaky.port, "often", good.port))
        ledger = folder / often.name / "run" / "channels.sqlite"
        names = ("never fails", f"fails {_FAILING:.0%}", f"fails {_FAILING:.0%}, cool-downs lifted all the time")
        found: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            found[names[0]].append(_rate(never, seconds))
            found[names[1]].append(_rate(often, seconds))
            with _lifted(ledger):
                found[names[2]].append(_rate(often, seconds))
        return found


def _rate(gateway: Contender, seconds: float) -> float:
    result = run_load(LoadSpec(gateway.port, _SCENARIO.name, _CONNECTIONS, seconds / 5, seconds))
    if result.errors:
        raise BenchError(f"{result.errors} wrong answers: {result.first_error}")
    return result.rate


@contextmanager
def _lifted(ledger: Path) -> Iterator[None]:
    """Every cool-down is lifted at once."""
    over = threading.Event()

    def lift() -> None:
        while not over.wait(_LIFT_EVERY_S):
            forget_conditions(ledger, None)

    thread = threading.Thread(target=lift)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
