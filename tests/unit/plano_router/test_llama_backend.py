"""plano_router.llama_backend: one worker, a short queue, and no answer after the deadline."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from plano_router.answer import Answer, RouterError, WarmingUpError
from plano_router.llama_backend import Decider, LlamaBackend, open_llama
from plano_router.question import Question

ANSWER = Answer({"a": 0.9}, 0.1, "llama")
WAIT_S = 10.0


class Gated:
    """A decider that waits where it is told to, as a model that takes its time."""

    def __init__(self, warm: bool = True, failure: Exception | None = None) -> None:
        self.warm, self.go = threading.Event(), threading.Event()
        self.begun = threading.Semaphore(0)
        self.failure = failure
        self.decided: list[str] = []
        self.given_up: list[str] = []
        self.gave_up = threading.Event()
        self.closed = 0
        if warm:
            self.warm.set()

    def warm_up(self, stopped: Callable[[], bool]) -> None:
        """Until it is warm, or stopped."""
        while not self.warm.wait(0.005):
            if stopped():
                raise RouterError("stopped")
        if self.failure is not None:
            raise self.failure

    def decide(self, question: Question, late: Callable[[], bool]) -> Answer:
        """When it may go on; unless it is late."""
        self.begun.release()
        while not self.go.wait(0.005):
            if late():
                self.given_up.append(question.text)
                self.gave_up.set()
                raise RouterError("late")
        self.decided.append(question.text)
        return ANSWER

    def close(self) -> None:
        """Counted."""
        self.closed += 1


@pytest.fixture
def gated() -> Gated:
    """A decider that is warm and waits in its first decision."""
    return Gated()


@pytest.fixture
async def backend(gated: Gated) -> AsyncIterator[LlamaBackend]:
    """A backend that is ready."""
    async with open_llama(lambda _: gated, background=False) as opened:
        yield opened


async def test_it_decides(backend: LlamaBackend, gated: Gated) -> None:
    """What the model says."""
    gated.go.set()
    assert ANSWER == await backend.ask(Question("x"))
    assert ["x"] == gated.decided


async def test_while_it_warms_up_nobody_waits() -> None:
    """Questions are refused at once, in a way that is no failure."""
    gated = Gated(warm=False)
    gated.go.set()
    async with open_llama(lambda _: gated, background=True) as backend:
        with pytest.raises(WarmingUpError):
            await backend.ask(Question("x"))
        gated.warm.set()
        await backend.ready()
        assert ANSWER == await backend.ask(Question("x"))
    assert 1 == gated.closed


async def test_stopping_does_not_wait_for_the_warm_up() -> None:
    """The model is told to stop, and gives its memory back."""
    gated = Gated(warm=False)
    async with open_llama(lambda _: gated, background=True):
        pass
    assert 1 == gated.closed


@pytest.mark.parametrize("failure", [RouterError("m.gguf is broken"), ValueError("m.gguf is broken")])
async def test_a_model_that_cannot_be_used(failure: Exception) -> None:
    """Every question is told why, at once; what was loaded is given back once."""
    gated = Gated(failure=failure)
    async with open_llama(lambda _: gated, background=False) as backend:
        for _ in range(2):
            with pytest.raises(RouterError, match=r"m\.gguf is broken"):
                await backend.ask(Question("x"))
    assert 1 == gated.closed


async def test_a_model_that_cannot_be_loaded() -> None:
    """The same where not even that goes well."""

    def fail(_stopped: Callable[[], bool]) -> Decider:
        raise RouterError("there is no such file")

    async with open_llama(fail, background=False) as backend:
        with pytest.raises(RouterError, match="there is no such file"):
            await backend.ask(Question("x"))


async def test_at_the_deadline_the_question_is_given_up(backend: LlamaBackend, gated: Gated) -> None:
    """The asker gets an error; the model stops, and is free for the next question."""
    with pytest.raises(RouterError, match=r"did not decide within 0\.05 s"):
        await backend.ask(Question("slow", timeout_s=0.05))
    assert await asyncio.to_thread(gated.gave_up.wait, WAIT_S)
    gated.go.set()
    assert ANSWER == await backend.ask(Question("next"))
    assert ["next"] == gated.decided


async def test_who_goes_away_is_not_worked_for(backend: LlamaBackend, gated: Gated) -> None:
    """A question whose asker has gone is given up, too."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(backend.ask(Question("gone", timeout_s=WAIT_S)), 0.05)
    assert await asyncio.to_thread(gated.gave_up.wait, WAIT_S)
    assert ["gone"] == gated.given_up


async def test_few_wait(backend: LlamaBackend, gated: Gated) -> None:
    """One is decided, three wait, and more are refused at once; those that wait get their answers in turn."""
    answers: list[Answer] = []

    async def ask(text: str) -> None:
        answers.append(await backend.ask(Question(text, timeout_s=WAIT_S)))

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(ask(str(number)))
        await asyncio.to_thread(gated.begun.acquire)
        with pytest.raises(RouterError, match="4 decisions wait"):
            await backend.ask(Question("one more"))
        gated.go.set()
    assert ([ANSWER] * 4, ["0", "1", "2", "3"]) == (answers, gated.decided)
