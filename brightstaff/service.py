"""The edge to Envoy: a gRPC server on a Unix socket, one ext_proc stream for one attempt."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from brightstaff.attempt import Attempt
from brightstaff.codec import encode, headers_of
from brightstaff.commands import Command
from brightstaff.framing import EndMark
from brightstaff.gateway import Gateway
from brightstaff.pb.access_log_pb2 import LogMessage, Response
from brightstaff.pb.ext_proc_pb2 import ProcessingRequest, ProcessingResponse
from brightstaff.report import ATTEMPTS, REQUEST_ID
from brightstaff.router import Router
from brightstaff.routing import Routed, Undecided

log = logging.getLogger("brightstaff.service")

#: Envoy's names for the services; our messages are wire-compatible with its own.
_SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
_LOG_SERVICE = "envoy.service.accesslog.v3.AccessLogService"

Clock = Callable[[], float]

if TYPE_CHECKING:
    from typing import Protocol

    class Context(Protocol):
        """What we use of grpc.aio.ServicerContext."""

        async def read(self) -> ProcessingRequest:
            """The next message, or grpc.aio.EOF."""

        async def write(self, message: ProcessingResponse) -> None:
            """Send a message."""


#: How exactly deadlines are kept.
_DEADLINE_RESOLUTION_S = 0.05
#: How often counts and records are handed on.
_TICK_S = 0.5


def feed(attempt: Attempt, message: ProcessingRequest, now_s: float) -> list[Command]:
    """Hand a message to the state machine."""
    match message.WhichOneof("request"):
        case "response_body":
            return attempt.on_response_body(message.response_body.body, message.response_body.end_of_stream, now_s)
        case "request_body":
            return attempt.on_request_body(message.request_body.body, message.request_body.end_of_stream, now_s)
        case "request_headers":
            headers = message.request_headers
            return attempt.on_request_headers(headers_of(headers.headers), headers.end_of_stream, now_s)
        case "response_headers":
            headers = message.response_headers
            return attempt.on_response_headers(headers_of(headers.headers), headers.end_of_stream, now_s)
        case "request_trailers":
            return attempt.on_request_trailers(now_s)
        case "response_trailers":
            return attempt.on_response_trailers(now_s)
        case _:
            return []


class _Stream:
    """An open ext_proc stream: its attempt, and writing to it one command after the other."""

    def __init__(self, attempt: Attempt, context: "Context") -> None:
        self.attempt = attempt
        self._context = context
        self._writing = asyncio.Lock()
        self._unsent: deque[ProcessingResponse] = deque()
        self._end_mark = EndMark()

    def queue(self, commands: list[Command]) -> None:
        """Line up the messages of these commands behind those that are not yet sent."""
        for command in self._end_mark.frame(commands):
            self._unsent.extend(encode(command))

    async def flush(self) -> None:
        """Send what is lined up."""
        async with self._writing:
            while self._unsent:
                await self._context.write(self._unsent.popleft())


class ExternalProcessor:
    """Serves Envoy's ext_proc streams."""

    def __init__(self, gateway: Gateway, clock: Clock, router: Router | None = None) -> None:
        self._gateway = gateway
        self._router = router
        self._clock = clock
        self._streams: set[_Stream] = set()

    async def process(self, _: object, context: "Context") -> None:
        """One stream, from the request's headers to the end of the response."""
        attempt = Attempt(self._gateway)
        stream = _Stream(attempt, context)
        self._streams.add(stream)
        clock, read = self._clock, context.read
        try:
            while (message := await read()) is not grpc.aio.EOF:
                commands = feed(attempt, message, clock())
                if attempt.question is not None:
                    commands = attempt.on_routed(await self._route(attempt.request_id, attempt.question), clock())
                if commands:
                    stream.queue(commands)
                    await stream.flush()
        except Exception:
            log.exception("an attempt failed inside brightstaff; Envoy sends the request again")
            raise
        finally:
            self._streams.discard(stream)
            attempt.on_close(clock())

    async def _route(self, request_id: str, question: Undecided) -> Routed:
        if self._router is None:
            return Routed(None, why="no router runs")
        return await self._router.decide(request_id, question)

    async def hear_of_broken_answers(self, messages: AsyncIterator[LogMessage], _: object) -> Response:
        """What `egress` logs: answers that a provider broke off after they had begun. One stream for each thread."""
        async for message in messages:
            for entry in message.http_logs.log_entry:
                told = entry.response.response_headers
                if REQUEST_ID in told:
                    # The trail up to the attempt that broke: another one may run by now.
                    attempt = told.get(ATTEMPTS, "").count(",") + 1
                    self._gateway.note_broken(told[REQUEST_ID], attempt, self._clock())
        return Response()

    async def watch_deadlines(self) -> None:
        """Runs for ever: tells attempts that their deadline passed.

        One watcher for all streams, because a timer for each message would cost more than the message. It waits for
        none of them: a client that does not read may hold up a write for as long as it likes.
        """
        tick_due_s = self._clock()
        async with asyncio.TaskGroup() as writes:
            while True:
                await asyncio.sleep(_DEADLINE_RESOLUTION_S)
                now_s = self._clock()
                late = [s for s in self._streams if s.attempt.deadline_s is not None and s.attempt.deadline_s <= now_s]
                for stream in late:
                    stream.queue(stream.attempt.on_deadline(now_s))
                    writes.create_task(self._flush_late(stream))
                if now_s >= tick_due_s:
                    tick_due_s = now_s + _TICK_S
                    self._gateway.tick(now_s)

    async def _flush_late(self, stream: _Stream) -> None:
        try:
            await stream.flush()
        except (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            log.debug("a stream ended while its deadline was being dealt with: %s", error)


def create_server(processor: ExternalProcessor, socket: str) -> grpc.aio.Server:
    """A server, not yet started, that listens on the Unix socket."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", 1_000_000),
            ("grpc.so_reuseport", 0),
        ]
    )
    handler = grpc.stream_stream_rpc_method_handler(
        processor.process,
        request_deserializer=ProcessingRequest.FromString,
        response_serializer=ProcessingResponse.SerializeToString,
    )
    logs = grpc.stream_unary_rpc_method_handler(
        processor.hear_of_broken_answers,
        request_deserializer=LogMessage.FromString,
        response_serializer=Response.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(_SERVICE, {"Process": handler}),
            grpc.method_handlers_generic_handler(_LOG_SERVICE, {"StreamAccessLogs": logs}),
        )
    )
    server.add_insecure_port(f"unix:{socket}")
    return server
