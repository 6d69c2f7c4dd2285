"""plano_router.backends: how the routers work together."""

import asyncio
import logging

import pytest

from plano_router.answer import Answer, Route, RouterError
from plano_router.backends import AutoBackend, BuiltinBackend
from plano_router.classifier import Classifier
from plano_router.question import Question

ROUTES = (Route("code", "writing code, implementing features"), Route("poems", "poems and song lyrics"))
SAYS_POEMS = Answer({"code": 0.05, "poems": 0.9}, 0.05, "model")


class Model:
    """A language model that does as it is told."""

    name = "model"

    def __init__(self, outcome: Answer | Exception | None) -> None:
        self.outcome = outcome
        self.asked = 0

    async def ask(self, question: Question) -> Answer:
        """The outcome; None: never."""
        assert question.text
        self.asked += 1
        if self.outcome is None:
            await asyncio.Event().wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        assert self.outcome is not None
        return self.outcome


@pytest.fixture(scope="module")
def builtin() -> BuiltinBackend:
    """The classifier of the package."""
    return BuiltinBackend(Classifier.load(), ROUTES)


async def test_the_builtin_router(builtin: BuiltinBackend) -> None:
    """The configured routes, or those of the question."""
    question = "write a haiku about winter"
    own = (Route("verse", "writing poems"), Route("cars", "car repair"))
    assert "poems" == (await builtin.ask(Question(question))).ranked[0][0]
    assert "verse" == (await builtin.ask(Question(question, routes=own))).ranked[0][0]


async def test_many_sets_of_routes_are_not_kept(builtin: BuiltinBackend) -> None:
    """Requests may bring any number of them."""
    for number in range(40):
        await builtin.ask(Question("x", routes=(Route(f"r{number}", "writing poems"),)))
    assert 32 == len(builtin._others)


async def test_auto_asks_the_model_only_where_the_builtin_router_is_not_sure(builtin: BuiltinBackend) -> None:
    """Sure at 0.6: its answer stands. Never sure: the model decides."""
    model = Model(SAYS_POEMS)
    question = Question("write a haiku about winter")
    assert "builtin" == (await AutoBackend(builtin, model, 0.3).ask(question)).backend
    assert 0 == model.asked
    assert SAYS_POEMS == await AutoBackend(builtin, model, 1.1).ask(question)


@pytest.mark.parametrize("outcome", [RouterError("it is down"), None])
async def test_auto_goes_on_without_the_model(
    builtin: BuiltinBackend, outcome: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    """An error or silence: the builtin router's answer, and one line in the log."""
    auto = AutoBackend(builtin, Model(outcome), 1.1)
    with caplog.at_level(logging.WARNING):
        answers = [await auto.ask(Question("write a haiku", timeout_s=0.06)) for _ in range(3)]
    assert {"builtin"} == {each.backend for each in answers}
    assert 1 == len(caplog.records)
