"""The gRPC service of the router process, on a Unix socket."""

import logging
import time

import grpc
import grpc.aio

from brightstaff.pb.router_pb2 import Answer as AnswerMessage
from brightstaff.pb.router_pb2 import Question as QuestionMessage
from brightstaff.pb.router_pb2 import Score
from plano_router.answer import Route, RouterError
from plano_router.backends import Backend
from plano_router.question import Question
from plano_router.reading import Turn

log = logging.getLogger("plano_router.service")

_SERVICE = "plano.router.v1.Router"


class RouterService:
    """Answers questions about routes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def ask(
        self, message: QuestionMessage, context: "grpc.aio.ServicerContext[QuestionMessage, AnswerMessage]"
    ) -> AnswerMessage:
        """One question."""
        started_s = time.perf_counter()
        try:
            answer = await self._backend.ask(question_of(message))
        except RouterError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        took_ms = (time.perf_counter() - started_s) * 1000
        log.debug("request_id=%s %s in %.2f ms", message.request_id, answer.ranked[:3], took_ms)
        return AnswerMessage(
            scores=[Score(route=name, probability=p) for name, p in answer.probabilities.items()],
            none=answer.none,
            backend=answer.backend,
            content=answer.content,
            took_ms=took_ms,
        )


def question_of(message: QuestionMessage) -> Question:
    """The message as plain data."""
    return Question(
        text=message.text,
        context=message.context,
        turns=tuple(Turn("assistant" if each.role == "assistant" else "user", each.text) for each in message.turns),
        routes=tuple(Route(each.name, each.description, tuple(each.examples)) for each in message.routes),
        timeout_s=message.timeout_ms / 1000,
    )


def create_server(service: RouterService, socket: str) -> grpc.aio.Server:
    """A server, not yet started, that listens on the Unix socket."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(
        service.ask,
        request_deserializer=QuestionMessage.FromString,
        response_serializer=AnswerMessage.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Ask": handler}),))
    server.add_insecure_port(f"unix:{socket}")
    return server
