"""A simulator in a thread of its own, for callers that are not async."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from planoai.simulator.event_loop import loop_factory
from planoai.simulator.recorder import RecordedRequest
from planoai.simulator.rules import Rule
from planoai.simulator.server import Simulator

T = TypeVar("T")

_START_S = 10.0
_CALL_S = 10.0


class ThreadedSimulator:
    """What `Simulator` offers, for other threads than its own."""

    def __init__(self, simulator: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self._simulator = simulator
        self._loop = loop

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._simulator.port

    @property
    def url(self) -> str:
        """Scheme, host and port; no path."""
        return self._simulator.url

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes."""
        return self._simulator.base_url

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are asked."""
        return self._simulator.rules

    @property
    def requests(self) -> list[RecordedRequest]:
        """The last requests, in the order in which they arrived."""
        return self._call(lambda: self._simulator.requests)

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """Replace the rules and begin to count anew. Raises ScriptError."""
        self._call(lambda: self._simulator.set_rules(rules))

    def clear(self) -> None:
        """Forget requests and counts."""
        self._call(self._simulator.clear)

    def stats(self) -> dict[str, Any]:
        """Counts, and the connections that are open now."""
        return self._call(self._simulator.stats)

    def wait_for_requests(
        self, count: int, *, since: int = 0, finished: bool = True, timeout_s: float = 5.0
    ) -> list[RecordedRequest]:
        """The requests above number `since`, once `count` of them are there (and have ended). Raises TimeoutError."""
        waiting = self._simulator.wait_for_requests(count, since=since, finished=finished, timeout_s=timeout_s)
        return self._run(waiting, timeout_s + _CALL_S)

    def _call(self, function: Callable[[], T]) -> T:
        async def in_loop() -> T:
            return function()

        return self._run(in_loop(), _CALL_S)

    def _run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)


@contextmanager
def run_in_thread(rules: Sequence[Rule] = (), **options: Any) -> Iterator[ThreadedSimulator]:
    """A simulator that serves until the block ends; takes what `Simulator` takes. Raises OSError, ScriptError."""
    simulator = Simulator(rules, **options)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        try:
            await simulator.start()
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result((asyncio.get_running_loop(), stop))
        try:
            await stop.wait()
        finally:
            await simulator.stop()

    def run() -> None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name="simulator", daemon=True)
    thread.start()
    try:
        loop, stop = started.result(_START_S)
        try:
            yield ThreadedSimulator(simulator, loop)
        finally:
            loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join(_CALL_S)
