"""brightstaff.service: the gRPC edge, with a real server on a Unix socket; its time is the tests' own."""

import asyncio
import json
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from brightstaff.attempt import Attempt
from brightstaff.gateway import Gateway
from brightstaff.pb.ext_proc_pb2 import (
    HeaderMap,
    HeaderValue,
    HttpBody,
    HttpHeaders,
    HttpTrailers,
    ProcessingRequest,
    ProcessingResponse,
)
from brightstaff.service import ExternalProcessor, create_server, feed
from brightstaff.settings import Channel, RetrySettings

NewGateway = Callable[..., Gateway]

METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
LOG_METHOD = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
#: No test waits longer than this.
PATIENCE_S = 10.0


@dataclass
class Clock:
    """A clock that a test sets."""

    now_s: float = 100.0
    read: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever somebody reads the clock."""

    def __call__(self) -> float:
        """The time."""
        self.read.set()
        return self.now_s


def headers(pairs: dict[str, str], *, end_of_stream: bool = False) -> HttpHeaders:
    """Headers as Envoy sends them."""
    fields = [HeaderValue(key=name, raw_value=value.encode("latin-1")) for name, value in pairs.items()]
    return HttpHeaders(headers=HeaderMap(headers=fields), end_of_stream=end_of_stream)


def request_headers(id_: str = "id-1", path: str = "/v1/chat/completions", method: str = "POST") -> ProcessingRequest:
    """The first message of an attempt."""
    return ProcessingRequest(request_headers=headers({":method": method, ":path": path, "x-plano-request-id": id_}))


def request_body(data: bytes = b'{"model":"one/m","stream":true}', *, end_of_stream: bool = True) -> ProcessingRequest:
    """Some of the client's body."""
    return ProcessingRequest(request_body=HttpBody(body=data, end_of_stream=end_of_stream))


def response_headers(status: str = "200", content_type: str = "text/event-stream") -> ProcessingRequest:
    """The beginning of the provider's answer."""
    return ProcessingRequest(response_headers=headers({":status": status, "content-type": content_type}))


def response_body(data: bytes, *, end_of_stream: bool = False) -> ProcessingRequest:
    """Some of the provider's answer."""
    return ProcessingRequest(response_body=HttpBody(body=data, end_of_stream=end_of_stream))


def piece(message: ProcessingResponse) -> tuple[str, bytes, bool]:
    """Which body a message carries a piece of, the piece, and whether it is the last."""
    name = message.WhichOneof("response")
    streamed = getattr(message, name).response.body_mutation.streamed_response
    return name, streamed.body, streamed.end_of_stream


def set_by(message: ProcessingResponse) -> dict[str, bytes]:
    """The headers that a message sets."""
    changed: Any = getattr(message, message.WhichOneof("response"))
    mutation = changed.headers if message.HasField("immediate_response") else changed.response.header_mutation
    return {option.header.key: option.header.raw_value for option in mutation.set_headers}


#: An event that says something.
DATA = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'


class Stream:
    """A stream as Envoy holds it."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def say(self, *messages: Any) -> None:
        """Send messages."""
        for message in messages:
            await self.call.write(message)

    async def hear(self) -> Any:
        """The next message, or grpc.aio.EOF."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.call.read()


@dataclass
class Service:
    """A running server and a connection to it."""

    gateway: Gateway
    clock: Clock
    connection: grpc.aio.Channel

    def open(
        self, serialize: Callable[[Any], bytes] | None = None, parse: Callable[[bytes], Any] | None = None
    ) -> Stream:
        """A new ext_proc stream, with our own codec unless another is given."""
        process = self.connection.stream_stream(
            METHOD,
            request_serializer=serialize or ProcessingRequest.SerializeToString,
            response_deserializer=parse or ProcessingResponse.FromString,
        )
        return Stream(process())


@asynccontextmanager
async def running(gateway: Gateway, socket: Path) -> AsyncIterator[Service]:
    """The whole service on a Unix socket, its watcher of deadlines included."""
    clock = Clock()
    processor = ExternalProcessor(gateway, clock)
    server = create_server(processor, str(socket))
    await server.start()
    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(processor.watch_deadlines())
        async with grpc.aio.insecure_channel(
            f"unix:{socket}", options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        ) as connection:
            yield Service(gateway, clock, connection)
        watcher.cancel()
    await server.stop(None)


@pytest.fixture
def gateway(new_gateway: NewGateway, new_channel: Callable[..., Channel]) -> Gateway:
    """Two channels in a chain, with short deadlines (on the tests' clock)."""
    times = {"first_token_timeout_s": 5.0, "idle_timeout_s": 60.0}
    return new_gateway(new_channel("one/m", retry=RetrySettings(("two/n",)), **times), new_channel("two/n", **times))


# -------------------------------------------------------------------- over the wire


async def test_an_attempt_from_its_first_to_its_last_message(gateway: Gateway, tmp_path: Path) -> None:
    """Request and answer stream through, message by message, with trailers; then the service ends the stream."""
    async with running(gateway, tmp_path / "s") as service:
        stream = service.open()
        await stream.say(request_headers(), request_body(b'{"model":', end_of_stream=False), request_body(b'"one/m"}'))
        sent = await stream.hear()
        assert ("request_headers", b"cluster-one") == (sent.WhichOneof("response"), set_by(sent)["x-plano-channel"])
        assert ("request_body", b'{"model":"m"}', True) == piece(await stream.hear())

        await stream.say(response_headers(), response_body(DATA))
        answered = await stream.hear()
        assert ("response_headers", b"one/m") == (answered.WhichOneof("response"), set_by(answered)["x-plano-model"])
        assert ("response_body", DATA, False) == piece(await stream.hear())
        await stream.say(response_body(b"data: 2\n\n"))
        assert ("response_body", b"data: 2\n\n", False) == piece(await stream.hear())
        await stream.say(ProcessingRequest(response_trailers=HttpTrailers()))
        # The mark of a good end, which `ingress` takes off.
        assert ("response_body", b"\0", False) == piece(await stream.hear())
        assert "response_trailers" == (await stream.hear()).WhichOneof("response")

        await stream.call.done_writing()
        assert grpc.aio.EOF is await stream.hear()
        assert (grpc.StatusCode.OK, 0) == (await stream.call.code(), len(gateway.exchanges))


async def test_a_request_with_trailers(gateway: Gateway, tmp_path: Path) -> None:
    """The request's trailers are the last of what is sent on."""
    async with running(gateway, tmp_path / "s") as service:
        stream = service.open()
        await stream.say(request_headers(), request_body(end_of_stream=False))
        await stream.say(ProcessingRequest(request_trailers=HttpTrailers()))
        await stream.hear()
        assert ("request_body", b'{"model":"m","stream":true}', False) == piece(await stream.hear())
        assert "request_trailers" == (await stream.hear()).WhichOneof("response")


async def test_in_envoys_own_words(gateway: Gateway, tmp_path: Path) -> None:
    """The same service for a client that speaks Envoy's API: the one under Envoy's name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from envoy_data_plane.envoy.config.core.v3 import HeaderMap as EnvoyHeaderMap
        from envoy_data_plane.envoy.config.core.v3 import HeaderValue as EnvoyHeaderValue
        from envoy_data_plane.envoy.service.ext_proc.v3 import HttpHeaders as EnvoyHttpHeaders
        from envoy_data_plane.envoy.service.ext_proc.v3 import ProcessingRequest as EnvoyRequest
        from envoy_data_plane.envoy.service.ext_proc.v3 import ProcessingResponse as EnvoyResponse
    async with running(gateway, tmp_path / "s") as service:
        stream = service.open(bytes, EnvoyResponse.parse)
        pairs = {":method": b"GET", ":path": b"/v1/models"}
        fields = [EnvoyHeaderValue(key=name, raw_value=value) for name, value in pairs.items()]
        first = EnvoyHttpHeaders(headers=EnvoyHeaderMap(headers=fields), end_of_stream=True)
        await stream.say(EnvoyRequest(request_headers=first))
        reply = (await stream.hear()).immediate_response
        assert (200, ["one/m", "two/n"]) == (
            int(reply.status.code),
            [model["id"] for model in json.loads(reply.body)["data"]],
        )


async def test_answers_that_a_provider_broke_off(gateway: Gateway, tmp_path: Path) -> None:
    """`egress` logs them in Envoy's own words; brightstaff finds the request and the attempt that are meant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from envoy_data_plane.envoy.data.accesslog.v3 import HttpAccessLogEntry, HttpResponseProperties
        from envoy_data_plane.envoy.service.accesslog.v3 import (
            StreamAccessLogsMessage,
            StreamAccessLogsMessageHttpAccessLogEntries,
        )

    def entry(**told: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in told.items()}
        return HttpAccessLogEntry(response=HttpResponseProperties(response_headers=named))

    async with running(gateway, tmp_path / "s") as service:
        stream = service.open()
        await stream.say(request_headers(), request_body(), response_headers(), response_body(DATA))
        for _ in range(4):
            await stream.hear()
        stream.call.cancel()
        log = service.connection.stream_unary(LOG_METHOD, request_serializer=bytes)
        nobody = entry()
        unknown = entry(x_plano_request_id="id-9", x_plano_attempts="one/m=200/3ms")
        meant = entry(x_plano_request_id="id-1", x_plano_attempts="one/m=200/3ms")

        async def messages() -> AsyncIterator[Any]:
            for entries in ([], [nobody, unknown], [meant]):
                yield StreamAccessLogsMessage(http_logs=StreamAccessLogsMessageHttpAccessLogEntries(log_entry=entries))

        async with asyncio.timeout(PATIENCE_S):
            await log(messages())
        found = gateway.exchanges.find("id-1")
        assert found is not None
        assert (True, "cut_short") == (found.broken, found.trail.hops[0].outcome)


async def test_messages_have_no_limit_of_their_own(gateway: Gateway, tmp_path: Path) -> None:
    """A body of 10 MB in one message (gRPC's default limit is 4 MB) is sent on in pieces, byte for byte."""
    filler = b"0123456789" * 1_000_000
    async with running(gateway, tmp_path / "s") as service:
        stream = service.open()
        await stream.say(request_headers(), request_body(b'{"model":"one/m","x":"' + filler + b'"}'))
        await stream.hear()
        pieces = [piece(await stream.hear())]
        while not pieces[-1][2]:
            pieces.append(piece(await stream.hear()))
        assert b'{"model":"m","x":"' + filler + b'"}' == b"".join(data for _, data, _ in pieces)
        assert max(len(data) for _, data, _ in pieces) <= 256 * 1024


async def test_failover_over_the_wire(gateway: Gateway, tmp_path: Path) -> None:
    """Two streams of one request: the first is marked for retry, the second goes to the next channel."""
    async with running(gateway, tmp_path / "s") as service:
        first = service.open()
        await first.say(request_headers(), request_body())
        await first.hear()
        await first.hear()
        await first.say(response_headers("429", "application/json"), response_body(b"slow down", end_of_stream=True))
        assert {"x-plano-retry": b"1"} == set_by(await first.hear())
        first.call.cancel()

        second = service.open()
        await second.say(request_headers(), request_body())
        assert b"cluster-two" == set_by(await second.hear())["x-plano-channel"]
        assert ("request_body", b'{"model":"n","stream":true}', True) == piece(await second.hear())


async def test_many_streams_at_once_are_kept_apart(gateway: Gateway, tmp_path: Path) -> None:
    """Sixty-four requests whose messages are mixed: each gets its own answer."""
    async with running(gateway, tmp_path / "s") as service:
        streams = [service.open() for _ in range(64)]
        for number, stream in enumerate(streams):
            await stream.say(request_headers(f"id-{number}"))
        for number, stream in enumerate(streams):
            await stream.say(request_body(json.dumps({"model": "one/m", "x": number}).encode()))
        for number, stream in enumerate(streams):
            await stream.hear()
            assert {"model": "m", "x": number} == json.loads(piece(await stream.hear())[1])
        for number, stream in reversed(list(enumerate(streams))):
            await stream.say(response_headers(content_type="text/plain"))
            assert f"id-{number}".encode() == set_by(await stream.hear())["x-plano-request-id"]


async def test_a_deadline_passes(gateway: Gateway, tmp_path: Path) -> None:
    """The provider is silent for longer than allowed: the attempt is given up without any message from Envoy."""
    async with running(gateway, tmp_path / "s") as service:
        stream = service.open()
        await stream.say(request_headers(), request_body())
        await stream.hear()
        await stream.hear()
        service.clock.now_s += 5.0
        reply = await stream.hear()
        assert (504, b"1") == (reply.immediate_response.status.code, set_by(reply)["x-plano-retry"])


async def test_a_deadline_passes_in_the_middle_of_a_stream(gateway: Gateway, tmp_path: Path) -> None:
    """The client gets an error event and the end of its stream."""
    async with running(gateway, tmp_path / "s") as service:
        stream = service.open()
        await stream.say(request_headers(), request_body(), response_headers(), response_body(DATA))
        for _ in range(4):
            await stream.hear()
        service.clock.now_s += 60.0
        _, event, last = piece(await stream.hear())
        told = json.loads(event.removesuffix(b"\0").strip().removeprefix(b"data: "))
        assert ("provider_stalled", True) == (told["error"]["code"], last)


# -------------------------------------------------------------------- without a wire


@dataclass(eq=False)
class FakeContext:
    """The two methods of a gRPC stream; what a test says comes in, what the service says is collected."""

    incoming: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    written: asyncio.Queue[ProcessingResponse] = field(default_factory=asyncio.Queue)
    before_write: Callable[[], Awaitable[None]] | None = None

    def say(self, *messages: Any) -> None:
        """Let the service read these."""
        for message in messages:
            self.incoming.put_nowait(message)

    async def hear(self) -> ProcessingResponse:
        """The next message of the service."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.written.get()

    async def read(self) -> Any:
        """What grpc.aio calls."""
        return await self.incoming.get()

    async def write(self, message: ProcessingResponse) -> None:
        """What grpc.aio calls."""
        if self.before_write is not None:
            await self.before_write()
        self.written.put_nowait(message)


@asynccontextmanager
async def processing(processor: ExternalProcessor, *contexts: FakeContext) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Streams in the state in which their request has been sent to a provider, and the watcher of deadlines."""
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(processor.process(None, context)) for context in contexts]
        for number, context in enumerate(contexts):
            context.say(request_headers(f"id-{number}"), request_body())
            await context.hear()
            await context.hear()
        watcher = tasks.create_task(processor.watch_deadlines())
        yield started
        for task in (watcher, *started):
            task.cancel()


async def test_a_client_that_does_not_read_holds_up_nobody(gateway: Gateway) -> None:
    """A message to one stream cannot be written: the deadlines of the others are kept all the same."""
    clock = Clock()
    stuck, other = FakeContext(), FakeContext()
    read_on = asyncio.Event()

    async def wait() -> None:
        await read_on.wait()

    async with processing(ExternalProcessor(gateway, clock), stuck, other):
        stuck.before_write = wait
        clock.now_s += 5.0
        assert 504 == (await other.hear()).immediate_response.status.code
        assert stuck.written.empty()
        read_on.set()
        assert 504 == (await stuck.hear()).immediate_response.status.code


@pytest.mark.parametrize(
    "error", [grpc.aio.UsageError("finished"), grpc.aio.InternalError("cancelled"), asyncio.InvalidStateError()]
)
async def test_a_stream_that_ends_at_its_deadline_harms_nobody(gateway: Gateway, error: Exception) -> None:
    """The client leaves in the moment in which its deadline passes: the watcher goes on."""
    clock = Clock()
    gone, other = FakeContext(), FakeContext()

    async def fail() -> None:
        raise error

    async with processing(ExternalProcessor(gateway, clock), gone, other):
        gone.before_write = fail
        clock.now_s += 5.0
        assert 504 == (await other.hear()).immediate_response.status.code


async def test_messages_are_sent_in_the_order_of_the_decisions(gateway: Gateway) -> None:
    """What the deadline says comes after what was still being written, and nothing comes after it."""
    clock = Clock()
    context = FakeContext()
    writing, read_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        writing.set()
        await read_on.wait()

    async with processing(ExternalProcessor(gateway, clock), context) as (stream,):
        context.before_write = wait
        context.say(response_headers(), response_body(DATA))
        await writing.wait()
        clock.now_s += 60.0
        clock.read.clear()
        await clock.read.wait()  # by the watcher, for the stream itself is busy writing
        context.say(response_body(b"data: 2\n\n"), grpc.aio.EOF)
        read_on.set()
        await stream
        heard = [context.written.get_nowait() for _ in range(context.written.qsize())]
        assert ["response_headers", "response_body", "response_body"] == [one.WhichOneof("response") for one in heard]
        assert [(DATA, False), True] == [piece(heard[1])[1:], piece(heard[2])[2]]


async def test_an_error_of_ours_ends_one_stream_only(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its cause; Envoy sees the stream end and sends the request again; nothing is kept open."""
    context = FakeContext()
    processor = ExternalProcessor(gateway, Clock())
    context.say(request_headers(), request_body(), response_headers("no number"))
    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match="no number"):
        await processor.process(None, context)
    assert ["an attempt failed inside brightstaff; Envoy sends the request again"] == caplog.messages
    again = FakeContext()
    again.say(request_headers(), request_body(), grpc.aio.EOF)
    await processor.process(None, again)
    assert b"cluster-two" == set_by(await again.hear())["x-plano-channel"]


async def test_the_end_of_a_stream_is_told_to_its_attempt(gateway: Gateway) -> None:
    """Envoy closes: the next stream of the same request takes it up; if none comes it is soon forgotten.

    The break is held against the channel: the second request goes past it.
    """
    clock = Clock()
    processor = ExternalProcessor(gateway, clock)
    for id_, expected in (("id-1", b"cluster-one"), ("id-1", b"cluster-two"), ("id-2", b"cluster-two")):
        context = FakeContext()
        context.say(request_headers(id_), request_body(), grpc.aio.EOF)
        await processor.process(None, context)
        assert expected == set_by(await context.hear())["x-plano-channel"]
        clock.now_s += 40.0
    context.say(request_headers("id-3"), request_body(), grpc.aio.EOF)
    await processor.process(None, context)
    gateway.tick(clock.now_s)
    assert 1 == len(gateway.exchanges)


@pytest.mark.parametrize("message", [ProcessingRequest(), ProcessingRequest(request_trailers=HttpTrailers())])
def test_what_is_no_step_is_ignored(gateway: Gateway, message: ProcessingRequest) -> None:
    """A message that says nothing to an attempt leads to nothing."""
    attempt = Attempt(gateway)
    feed(attempt, request_headers("id-1", "/v1/models", "GET"), 0.0)
    assert [] == feed(attempt, message, 0.0)
