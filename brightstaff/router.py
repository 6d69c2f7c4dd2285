"""The edge to the router process: no request ever fails, or waits longer than is allowed, because of it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import grpc
import grpc.aio

from brightstaff import routing
from brightstaff.breaker import Breaker
from brightstaff.pb.router_pb2 import Answer as AnswerMessage
from brightstaff.pb.router_pb2 import Question, Route, Turn
from brightstaff.routing import Pin, Routed, Undecided
from brightstaff.sessions import Sessions
from brightstaff.settings import RoutingSettings
from plano_router.answer import Answer, RouterError
from plano_router.reading import Kind

log = logging.getLogger("brightstaff.router")

ASK = "/plano.router.v1.Router/Ask"


class RouterClient(Protocol):
    """Whom to ask."""

    async def ask(self, request_id: str, question: Undecided, timeout_s: float) -> Answer:
        """What the router says. Raises RouterError."""


class GrpcRouter:
    """The router process behind its Unix socket."""

    def __init__(self, socket: str) -> None:
        # It is back within a second or two when it dies: the next question must not wait for gRPC's longer back-off.
        options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000)]
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=options)
        self._ask = self._channel.unary_unary(
            ASK,
            request_serializer=Question.SerializeToString,
            response_deserializer=AnswerMessage.FromString,
        )

    async def ask(self, request_id: str, question: Undecided, timeout_s: float) -> Answer:
        """What the router says. Raises RouterError."""
        try:
            answer = await self._ask(_message(request_id, question, timeout_s), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            raise RouterError("no answer in time" if late else error.details() or error.code().name) from None
        return Answer(
            {score.route: score.probability for score in answer.scores}, answer.none, answer.backend, answer.content
        )

    async def close(self) -> None:
        """Let go of the connection."""
        await self._channel.close()


def _message(request_id: str, question: Undecided, timeout_s: float) -> Question:
    reading = question.reading
    own = question.routes if question.own_routes else ()
    return Question(
        request_id=request_id,
        text=_clean(reading.text),
        context=_clean(reading.context),
        turns=[Turn(role=each.role, text=_clean(each.text)) for each in reading.turns],
        routes=[
            Route(name=each.name, description=_clean(each.description), examples=[_clean(e) for e in each.examples])
            for each in own
        ],
        timeout_ms=max(1, round(timeout_s * 1000)),
    )


def _clean(text: str) -> str:
    """Lone surrogates, which JSON may carry, are no text for anybody else."""
    return text.encode("utf-8", "replace").decode("utf-8")


class Router:
    """Decides about requests: asks the router process where that is needed, and remembers conversations."""

    def __init__(
        self,
        settings: RoutingSettings,
        client: RouterClient,
        sessions: Sessions,
        clock: Callable[[], float],
        breaker: Breaker | None = None,
    ) -> None:
        self._settings = settings
        self._client = client
        self._sessions = sessions
        self._clock = clock
        self._breaker = Breaker() if breaker is None else breaker
        self.failures = 0
        """Questions without an answer."""

    async def decide(self, request_id: str, question: Undecided) -> Routed:
        """What becomes of a request. Never raises, and returns within the time that is set."""
        pin = await self._sessions.get(question.session)
        kind = question.reading.kind
        if kind is Kind.HOUSEKEEPING:
            return routing.housekeeping(self._settings, question)
        if kind is Kind.TOOL_LOOP and pin is not None:
            return routing.stay(question, pin)
        started_s = self._clock()
        answer, trouble = await self._ask(request_id, question)
        took_ms = (self._clock() - started_s) * 1000
        if answer is None:
            return routing.without_answer(question, pin, f"the router gave no answer: {trouble}", took_ms)
        return routing.decide(self._settings, question, answer, pin, took_ms)

    async def _ask(self, request_id: str, question: Undecided) -> tuple[Answer | None, str]:
        if not self._breaker.allows(self._clock()):
            return None, "it failed several times in a row and is left alone for a while"
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                answer = await self._client.ask(request_id, question, self._settings.timeout_s)
        except TimeoutError:
            return None, self._note_failure("no answer in time")
        except RouterError as error:
            return None, self._note_failure(str(error))
        if self._breaker.note_success():
            log.info("the router answers again")
        unknown = set(answer.probabilities) - {each.name for each in question.routes}
        if unknown:
            return None, self._note_failure(f"it answered with unknown routes: {', '.join(sorted(unknown)[:3])}")
        return answer, ""

    def _note_failure(self, why: str) -> str:
        self.failures += 1
        if self._breaker.note_failure(self._clock()):
            log.error("the router fails (%s); requests go on without it, %d so far", why, self.failures)
        return why

    def remember(self, session: str, pin: Pin) -> None:
        """Which channel answered a conversation."""
        self._sessions.put(session, pin)
