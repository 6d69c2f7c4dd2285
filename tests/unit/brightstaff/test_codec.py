"""brightstaff.codec and our ext_proc.proto: wire-compatible with Envoy's own API.

envoy-data-plane, generated from Envoy's .proto files by another generator, is the independent codec: what it writes we
read, what we write it reads.
"""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.codec import encode, headers_of
from brightstaff.commands import Command, ForwardBody, ForwardHeaders, ForwardRequest, ForwardTrailers, Reply
from brightstaff.headers import Header
from brightstaff.pb import ext_proc_pb2 as ours

with warnings.catch_warnings():
    # Its classes are generated for an older pydantic, which says so while they are imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    from envoy_data_plane.envoy.config.core.v3 import (
        HeaderMap,
        HeaderValue,
        HeaderValueOptionHeaderAppendAction,
        Metadata,
    )
    from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ProcessingModeBodySendMode
    from envoy_data_plane.envoy.service.ext_proc.v3 import (
        CommonResponse,
        CommonResponseResponseStatus,
        HeaderMutation,
        HttpBody,
        HttpHeaders,
        HttpTrailers,
        ProcessingRequest,
        ProcessingResponse,
        ProtocolConfiguration,
        TrailersResponse,
    )
    from envoy_data_plane.google.protobuf import Any as PackedMessage
    from envoy_data_plane.google.protobuf import Struct, Value

#: Envoy has a newer place for them; an older Envoy uses this one.
pytestmark = pytest.mark.filterwarnings("ignore:HttpHeaders.attributes is deprecated:DeprecationWarning")

CHUNK_BYTES = 256 * 1024

#: Everything around a step that Envoy may send and we do not read.
SURROUNDINGS: dict[str, Any] = {
    "metadata_context": Metadata(
        filter_metadata={"envoy.lb": Struct(fields={"canary": Value(bool_value=True)})},
        typed_filter_metadata={"x": PackedMessage(type_url="type.googleapis.com/x", value=b"\x08\x01")},
    ),
    "attributes": {"envoy.filters.http.ext_proc": Struct(fields={"request.path": Value(string_value="/v1")})},
    "observability_mode": True,
    "protocol_config": ProtocolConfiguration(
        request_body_mode=ProcessingModeBodySendMode.FULL_DUPLEX_STREAMED,
        response_body_mode=ProcessingModeBodySendMode.GRPC,
        send_body_without_waiting_for_header_response=True,
    ),
}
HEADERS = HeaderMap(headers=[HeaderValue(key=":path", raw_value=b"/v1"), HeaderValue(key="x-latin", raw_value=b"\xe9")])
READ = [(":path", "/v1"), ("x-latin", "\xe9")]
ATTRIBUTES = {"a": Struct(fields={"b": Value(number_value=1.5)})}


def step(name: str) -> HttpHeaders | HttpBody | HttpTrailers:
    """One of Envoy's six steps, with every field that it has."""
    if name.endswith("headers"):
        return HttpHeaders(headers=HEADERS, attributes=ATTRIBUTES, end_of_stream=True)
    if name.endswith("body"):
        body = bytes(range(256))
        return HttpBody(body=body, end_of_stream=True, end_of_stream_without_message=True, grpc_message_compressed=True)
    return HttpTrailers(trailers=HEADERS)


STEPS = [f"{side}_{part}" for side in ("request", "response") for part in ("headers", "body", "trailers")]


@pytest.mark.parametrize("surroundings", [{}, SURROUNDINGS], ids=["bare", "with all fields"])
@pytest.mark.parametrize("name", STEPS)
def test_what_envoy_says_is_read(name: str, surroundings: dict[str, Any]) -> None:
    """Every kind of message, also with all the fields that we leave out: the same step with the same values."""
    fields: dict[str, Any] = {name: step(name), **surroundings}
    wire = bytes(ProcessingRequest(**fields))
    message = ours.ProcessingRequest.FromString(wire)
    assert name == message.WhichOneof("request")
    read = getattr(message, name)
    if name.endswith("headers"):
        assert (READ, True) == (headers_of(read.headers), read.end_of_stream)
    elif name.endswith("body"):
        assert (bytes(range(256)), True) == (read.body, read.end_of_stream)
    else:
        assert READ == headers_of(read.trailers)


@pytest.mark.parametrize("name", STEPS)
def test_fields_that_we_leave_out_survive(name: str) -> None:
    """A message that is written again is still the same for Envoy's own codec: unknown fields are kept."""
    fields: dict[str, Any] = {name: step(name), **SURROUNDINGS}
    message = ProcessingRequest(**fields)
    again = ours.ProcessingRequest.FromString(bytes(message)).SerializeToString()
    assert message == ProcessingRequest.parse(again)


def test_a_step_of_a_later_envoy_is_none_of_ours() -> None:
    """A message without any step that we know is read, and is no step."""
    assert ours.ProcessingRequest.FromString(bytes(ProcessingRequest(**SURROUNDINGS))).WhichOneof("request") is None
    assert ours.ProcessingRequest.FromString(b"").WhichOneof("request") is None


def test_defaults_are_read_too() -> None:
    """An empty body that does not end anything is a step all the same."""
    message = ours.ProcessingRequest.FromString(bytes(ProcessingRequest(response_body=HttpBody())))
    assert ("response_body", b"", False) == (
        message.WhichOneof("request"),
        message.response_body.body,
        message.response_body.end_of_stream,
    )


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-:", min_size=1, max_size=20)
values = st.binary(max_size=40)


@given(pairs=st.lists(st.tuples(names, values), max_size=8))
def test_any_header_value_survives_both_ways(pairs: list[tuple[str, bytes]]) -> None:
    """Header values are bytes: what Envoy sent comes back to it byte for byte, in the same order, repeated or not."""
    envoys = HeaderMap(headers=[HeaderValue(key=name, raw_value=value) for name, value in pairs])
    headers = headers_of(ours.HeaderMap.FromString(bytes(envoys)))
    assert [(name, value.decode("latin-1")) for name, value in pairs] == headers
    (message,) = encode(ForwardHeaders(headers, []))
    response = ProcessingResponse.parse(message.SerializeToString())
    assert pairs == set_headers(common(response, "response_headers").header_mutation)


def test_a_value_in_the_older_field_is_read() -> None:
    """`value` is used where `raw_value` is empty."""
    envoys = HeaderMap(headers=[HeaderValue(key="a", value="old"), HeaderValue(key="b")])
    assert [("a", "old"), ("b", "")] == headers_of(ours.HeaderMap.FromString(bytes(envoys)))


def parsed(command: Command) -> list[ProcessingResponse]:
    """The messages of a command as Envoy reads them."""
    return [ProcessingResponse.parse(message.SerializeToString()) for message in encode(command)]


def common(response: ProcessingResponse, name: str) -> CommonResponse:
    """What a step's answer says; and that the message says nothing else."""
    answer = getattr(response, name)
    assert ProcessingResponse(**{name: answer}) == response
    assert isinstance(answer.response, CommonResponse)
    assert CommonResponseResponseStatus.CONTINUE == answer.response.status
    return answer.response


def set_headers(mutation: HeaderMutation | None) -> list[tuple[str, bytes]]:
    """Names and raw values that a mutation sets, each in place of what was there."""
    assert mutation is not None
    pairs = []
    for option in mutation.set_headers:
        assert option.header is not None
        assert HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD == option.append_action
        assert option.header.value == ""
        pairs.append((option.header.key, option.header.raw_value))
    return pairs


def chunk(response: ProcessingResponse, name: str) -> tuple[bytes, bool]:
    """The piece of a body that a message carries."""
    mutation = common(response, name).body_mutation
    assert mutation is not None
    assert mutation.streamed_response is not None
    return mutation.streamed_response.body, mutation.streamed_response.end_of_stream


REQUEST_HEADERS: list[Header] = [(":authority", "one.example"), ("authorization", "Bearer k"), ("x-e", "\xe9")]


def test_a_request_is_sent_on() -> None:
    """Headers set and removed, the route looked up anew, the body in one message that ends it."""
    headers, body = parsed(ForwardRequest(REQUEST_HEADERS, ["x-a", "x-b"], b"body"))
    said = common(headers, "request_headers")
    assert said.header_mutation is not None
    assert (True, None, ["x-a", "x-b"]) == (
        said.clear_route_cache,
        said.body_mutation,
        said.header_mutation.remove_headers,
    )
    expected = [(":authority", b"one.example"), ("authorization", b"Bearer k"), ("x-e", b"\xe9")]
    assert expected == set_headers(said.header_mutation)
    assert (b"body", True) == chunk(body, "request_body")


def test_a_request_with_trailers() -> None:
    """The trailers end it, not the body."""
    _, body, trailers = parsed(ForwardRequest([], [], b"body", trailers=True))
    assert (b"body", False) == chunk(body, "request_body")
    assert ProcessingResponse(request_trailers=TrailersResponse()) == trailers


@pytest.mark.parametrize("trailers", [False, True])
@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 10_000_000], ids=str
)
def test_large_bodies_go_in_pieces(size: int, trailers: bool) -> None:
    """No message above the limit, no byte lost or moved, one end, and a message even for nothing."""
    body = (b"0123456789abcde" * (size // 15 + 1))[:size]
    messages = encode(ForwardRequest([], [], body, trailers))
    pieces = [message.request_body.response.body_mutation.streamed_response for message in messages[1:]]
    if trailers:
        pieces.pop()
        assert "request_trailers" == messages[-1].WhichOneof("response")
    assert body == b"".join(piece.body for piece in pieces)
    assert max(1, -(-size // CHUNK_BYTES)) == len(pieces)
    assert all(len(piece.body) <= CHUNK_BYTES for piece in pieces)
    assert [not trailers] == [piece.end_of_stream for piece in pieces][-1:]
    assert not any(piece.end_of_stream for piece in pieces[:-1])


def test_response_headers_pass_with_changes() -> None:
    """Set and removed; the route is not looked up again."""
    (response,) = parsed(ForwardHeaders([("x-plano-model", "one/m")], ["set-cookie"]))
    said = common(response, "response_headers")
    assert said.header_mutation is not None
    assert ([("x-plano-model", b"one/m")], ["set-cookie"], False, None) == (
        set_headers(said.header_mutation),
        said.header_mutation.remove_headers,
        said.clear_route_cache,
        said.body_mutation,
    )


@given(data=st.binary(max_size=200), end_of_stream=st.booleans())
def test_response_bodies_pass_as_they_are(data: bytes, end_of_stream: bool) -> None:
    """Any bytes, empty ones included."""
    (response,) = parsed(ForwardBody(data, end_of_stream))
    assert (data, end_of_stream) == chunk(response, "response_body")


def test_response_trailers_pass() -> None:
    """They are answered, unchanged."""
    assert [ProcessingResponse(response_trailers=TrailersResponse())] == parsed(ForwardTrailers())


@given(
    status=st.integers(100, 599),
    headers=st.lists(st.tuples(names, st.text(st.characters(max_codepoint=255), max_size=20)), max_size=4),
    body=st.binary(max_size=100),
    details=st.text("abcdefghijklmnopqrstuvwxyz_", max_size=20),
)
def test_replies_of_any_status(status: int, headers: list[Header], body: bytes, details: str) -> None:
    """Status (also one that Envoy's enum has no name for), headers, body and details arrive; it is no gRPC reply."""
    (response,) = parsed(Reply(status, headers, body, details))
    reply = response.immediate_response
    assert reply is not None
    assert ProcessingResponse(immediate_response=reply) == response
    assert reply.status is not None
    assert (status, body, details, None) == (int(reply.status.code), reply.body, reply.details, reply.grpc_status)
    assert [(name, value.encode("latin-1")) for name, value in headers] == set_headers(reply.headers)


def test_a_value_that_no_header_can_carry_is_replaced() -> None:
    """Characters beyond Latin-1 become question marks instead of an error."""
    (response,) = parsed(ForwardHeaders([("x-name", "模型-1")], []))
    assert [("x-name", b"??-1")] == set_headers(common(response, "response_headers").header_mutation)


@pytest.mark.parametrize(
    "build",
    [
        lambda: ForwardRequest(REQUEST_HEADERS, ["a"], b"x", trailers=True),
        lambda: ForwardHeaders(REQUEST_HEADERS, ["a"]),
        lambda: ForwardBody(b"x", True),
        ForwardTrailers,
        lambda: Reply(404, [("a", "b")], b"{}", "word"),
    ],
)
def test_both_codecs_write_the_same_bytes(build: Callable[[], Command]) -> None:
    """What Envoy's codec writes of our messages is what we wrote: no field of ours is unknown to it."""
    for message in encode(build()):
        wire = message.SerializeToString(deterministic=True)
        assert wire == bytes(ProcessingResponse.parse(wire))
