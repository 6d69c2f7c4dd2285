"""The `llama` router: one worker thread with a local model, a short queue, and no answer after the deadline."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Protocol

from plano_router.answer import Answer, RouterError, WarmingUpError
from plano_router.llama_runtime import log
from plano_router.question import Question

#: Decisions that are made or waited for; the next ones are refused at once. A model makes one after the other.
_MOST_WAITING = 4


class Decider(Protocol):
    """A model; all of it is called in one thread."""

    def warm_up(self, stopped: Callable[[], bool]) -> None:
        """Get ready. Raises RouterError."""

    def decide(self, question: Question, late: Callable[[], bool]) -> Answer:
        """Decide, unless `late` says first that nobody waits any more. Raises RouterError."""

    def close(self) -> None:
        """Give everything back."""


class _Watch:
    """Says when a decision is to be given up: at its deadline, when nobody waits, or when the router stops."""

    def __init__(self, timeout_s: float, stopped: Callable[[], bool]) -> None:
        self._deadline_s = time.monotonic() + timeout_s
        self._stopped = stopped
        self.given_up = False

    def late(self) -> bool:
        return self.given_up or self._stopped() or time.monotonic() >= self._deadline_s


class LlamaBackend:
    """Loads a model in the background; until it is there, and when it fails, every question is refused at once."""

    name = "llama"

    def __init__(self, open_decider: Callable[[Callable[[], bool]], Decider]) -> None:
        """`open_decider` loads the model, in the worker thread; it is given a function that says when to stop."""
        self._open_decider = open_decider
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="llama")
        self._places = threading.BoundedSemaphore(_MOST_WAITING)
        self._stop = threading.Event()
        self._decider: Decider | None = None
        self._failure: str | None = None
        self._warm_up = self._worker.submit(self._get_ready)

    async def ready(self) -> None:
        """Wait until the model is there or has failed."""
        await asyncio.wrap_future(self._warm_up)

    async def ask(self, question: Question) -> Answer:
        """How well each route suits. Raises RouterError, at the question's deadline at the latest."""
        if self._failure is not None:
            raise RouterError(self._failure)
        decider = self._decider
        if decider is None:
            raise WarmingUpError("the local model is warming up")
        if not self._places.acquire(blocking=False):
            raise RouterError(f"{_MOST_WAITING} decisions wait for the local model already")
        watch = _Watch(question.timeout_s, self._stop.is_set)
        future = self._worker.submit(decider.decide, question, watch.late)
        future.add_done_callback(lambda _: self._places.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), question.timeout_s)
        except TimeoutError:
            raise RouterError(f"the local model did not decide within {question.timeout_s:g} s") from None
        finally:
            watch.given_up = True

    async def close(self) -> None:
        """Stop what is being done, and give the model back."""
        self._stop.set()
        # A decision stops within a step of the model's; nothing that waits is begun any more.
        await asyncio.to_thread(self._worker.shutdown, wait=True, cancel_futures=True)
        if self._decider is not None:
            self._decider.close()

    def _get_ready(self) -> None:
        decider: Decider | None = None
        try:
            decider = self._open_decider(self._stop.is_set)
            decider.warm_up(self._stop.is_set)
        except Exception as error:
            self._failure = str(error) if isinstance(error, RouterError) else f"{type(error).__name__}: {error}"
            # Who asks is told, and warns; this says when it began.
            log.info("the llama router cannot work: %s", self._failure)
            if decider is not None:
                decider.close()
        else:
            self._decider = decider


@asynccontextmanager
async def open_llama(
    open_decider: Callable[[Callable[[], bool]], Decider], *, background: bool
) -> AsyncIterator[LlamaBackend]:
    """The backend: with `background` at once, else when it is ready or has failed."""
    backend = LlamaBackend(open_decider)
    try:
        if not background:
            await backend.ready()
        yield backend
    finally:
        await backend.close()
