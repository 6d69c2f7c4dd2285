"""The routers behind one interface, and how they work together."""

import asyncio
import logging
from collections import OrderedDict
from typing import Protocol

from plano_router.answer import Answer, Route, RouterError, WarmingUpError
from plano_router.classifier import Classifier
from plano_router.matching import Matcher
from plano_router.question import Question

log = logging.getLogger("plano_router.backends")

#: Sets of routes that came along with requests; the configured ones are kept for good.
_MOST_MATCHERS = 32
#: Kept of the time for an answer, for the way back.
_MARGIN_S = 0.05


class Backend(Protocol):
    """Something that decides about routes."""

    name: str

    async def ask(self, question: Question) -> Answer:
        """How well each route suits. Raises RouterError."""


class BuiltinBackend:
    """The classifier of this package: a fraction of a millisecond, nothing to download."""

    name = "builtin"

    def __init__(self, classifier: Classifier, routes: tuple[Route, ...]) -> None:
        self._classifier = classifier
        self._configured = Matcher.build(classifier, routes)
        self._others: OrderedDict[tuple[Route, ...], Matcher] = OrderedDict()

    async def ask(self, question: Question) -> Answer:
        """How well each route suits."""
        return self.answer(question)

    def answer(self, question: Question) -> Answer:
        """The same, at once."""
        return self._matcher(question.routes).ask(question.text, question.context)

    def _matcher(self, routes: tuple[Route, ...]) -> Matcher:
        if not routes:
            return self._configured
        matcher = self._others.get(routes)
        if matcher is None:
            matcher = self._others[routes] = Matcher.build(self._classifier, routes)
            if len(self._others) > _MOST_MATCHERS:
                self._others.popitem(last=False)
        else:
            self._others.move_to_end(routes)
        return matcher


class AutoBackend:
    """A language model where the builtin router is not sure; the builtin one where the language model is not quick."""

    name = "auto"

    def __init__(self, builtin: BuiltinBackend, model: Backend, sure: float) -> None:
        self._builtin = builtin
        self._model = model
        self._sure = sure
        self._warned = False

    async def ask(self, question: Question) -> Answer:
        """How well each route suits."""
        quick = self._builtin.answer(question)
        if quick.best >= self._sure:
            return quick
        try:
            async with asyncio.timeout(max(0.0, question.timeout_s - _MARGIN_S)):
                answer = await self._model.ask(question)
        except TimeoutError:
            self._warn("it does not answer in time")
        except WarmingUpError:
            pass
        except RouterError as error:
            self._warn(str(error))
        else:
            self._warned = False
            return answer
        return quick

    def _warn(self, why: str) -> None:
        if not self._warned:
            log.warning("the %s router fails (%s); the builtin one decides in its place", self._model.name, why)
        self._warned = True
