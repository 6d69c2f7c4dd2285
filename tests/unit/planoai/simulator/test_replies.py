"""planoai.simulator.replies: head and timed steps of what is sent, for every field of a behaviour."""

import gzip
import json
import zlib
from typing import Any

import pytest

from planoai.simulator.behaviour import Behaviour
from planoai.simulator.replies import Reply, make_reply
from planoai.simulator.request_facts import read_request
from planoai.simulator.steps import Cut, Stall, Step, Wait, Write

NOW_S = 1_000_000_000.0

JSON_HEADERS = [("content-type", "application/json"), ("x-request-id", "req_sim-1")]


def reply(
    behaviour: Behaviour | None = None, *, stream: bool = False, path: str = "/v1/chat/completions", **body: Any
) -> Reply:
    data = json.dumps({"model": "m", "stream": stream, "prompt": "hi", **body}).encode()
    return reply_to("POST", path, data, behaviour)


def reply_to(method: str, path: str, data: bytes, behaviour: Behaviour | None = None) -> Reply:
    facts = read_request(method, path, [], data)
    return make_reply(facts, behaviour or Behaviour(), "sim-1", now_s=lambda: NOW_S, models=["a", "b"])


def steps(given: Reply) -> list[Step]:
    assert given.steps is not None
    return [Write(bytes(step.data)) if isinstance(step, Write) else step for step in given.steps]


def sent(given: Reply) -> bytes:
    if given.body is not None:
        return given.body
    return b"".join(step.data for step in steps(given) if isinstance(step, Write))


def outline(given: Reply) -> list[str]:
    """The steps in words, for what is content of a chat stream."""
    words = []
    for step in steps(given):
        match step:
            case Write(data):
                words += [_word(line) for line in bytes(data).decode().splitlines() if line]
            case Wait(seconds):
                words.append(f"wait {seconds:g}")
            case Cut(reset):
                words.append("reset" if reset else "close")
            case Stall():
                words.append("stall")
    return words


def _word(line: str) -> str:
    if line.startswith(":") or not line.startswith("data: {"):
        return line.removeprefix("data: ")
    data = json.loads(line.removeprefix("data: "))
    if "error" in data:
        return "error"
    if data.get("type") == "ping":
        return "ping"
    (choice,) = data["choices"]
    return str(choice["finish_reason"] or choice["delta"].get("role") or choice["delta"]["content"])


def test_json_answer_goes_out_at_once() -> None:
    """Without anything special, head and body are one piece."""
    got = reply()
    assert (200, JSON_HEADERS, None) == (got.status, got.headers, got.steps)
    assert json.loads(sent(got))["choices"][0]["message"]["content"] == "m was asked: hi"


def test_stream() -> None:
    """Role, content, reason to end and [DONE]."""
    got = reply(Behaviour(content="a b"), stream=True)
    assert ["assistant", "a ", "b", "stop", "[DONE]"] == outline(got)
    assert [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")] == [
        each for each in got.headers if each[0] != "x-request-id"
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"no_done": True}, ["assistant", "a ", "b", "stop"]),
        ({"only_done": True}, ["[DONE]"]),
        ({"empty_stream": True}, []),
        ({"chunks": 0}, ["assistant", "stop", "[DONE]"]),
        ({"chunks": 1}, ["assistant", "a b", "stop", "[DONE]"]),
        ({"delay_before_first_token_s": 1}, ["wait 1", "assistant", "a ", "b", "stop", "[DONE]"]),
        (
            {"delay_before_first_token_s": 1, "role_delta": "early"},
            ["assistant", "wait 1", "a ", "b", "stop", "[DONE]"],
        ),
        ({"delay_between_tokens_s": 2}, ["assistant", "a ", "wait 2", "b", "stop", "[DONE]"]),
        (
            {"comments": 2, "pings": 1, "comment_interval_s": 3, "delay_before_first_token_s": 1, "chunks": 0},
            [*[": keep-alive", "wait 3"] * 2, "event: ping", "ping", "wait 3", "wait 1", "assistant", "stop", "[DONE]"],
        ),
        ({"error_event": True}, ["error"]),
        ({"error_event": True, "done_after_error": True}, ["error", "[DONE]"]),
        ({"error_event": True, "role_delta": "early"}, ["assistant", "error"]),
        ({"error_event": True, "comments": 1}, [": keep-alive", "wait 0", "error"]),
        ({"error_event": {"error": 1}, "error_event_at": 1}, ["assistant", "a ", "error"]),
        ({"error_event": True, "error_event_at": 9}, ["assistant", "a ", "b", "error"]),
        ({"cut_after_chunks": 0}, ["assistant", "reset"]),
        ({"cut_after_chunks": 1, "cut_with": "close"}, ["assistant", "a ", "close"]),
        ({"cut_after_chunks": 2}, ["assistant", "a ", "b", "reset"]),
        ({"cut_after_chunks": 3}, ["assistant", "a ", "b", "stop", "[DONE]"]),
        ({"stall_after_chunks": 1}, ["assistant", "a ", "stall"]),
        ({"stall_after_chunks": 1, "cut_after_chunks": 2}, ["assistant", "a ", "stall"]),
        ({"cut_after_bytes": 0}, ["reset"]),
        ({"stall_after_bytes": 0}, ["stall"]),
    ],
)
def test_streams(fields: dict[str, Any], words: list[str]) -> None:
    """Each field changes the order of events as it says."""
    assert words == outline(reply(Behaviour(**{"content": "a b", **fields}), stream=True))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("end", ["cut", "stall"])
def test_exact_number_of_bytes(stream: bool, end: str) -> None:
    """A cut or stall comes after exactly so many bytes, in the middle of whatever is there."""
    fields: dict[str, Any] = {f"{end}_after_bytes": 37}
    whole = sent(reply(stream=stream))
    assert whole[:37] == sent(reply(Behaviour(**fields), stream=stream))
    got = reply(Behaviour(**fields), stream=stream)
    assert (Cut() if end == "cut" else Stall()) == steps(got)[-1]
    # What is promised is the length of all of it.
    assert (None if stream else len(whole)) == got.content_length


@pytest.mark.parametrize("stream", [False, True])
def test_gzip(stream: bool) -> None:
    """The body is compressed, and the head says so."""
    plain, got = reply(stream=stream), reply(Behaviour(gzip=True), stream=stream)
    assert ("content-encoding", "gzip") in got.headers
    assert sent(plain) == zlib.decompress(sent(got), wbits=31)


def test_gzipped_error() -> None:
    """Errors are compressed too."""
    got = reply(Behaviour(status=429, gzip=True))
    assert json.loads(gzip.decompress(sent(got)))["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize("stream", [False, True])
def test_split(stream: bool) -> None:
    """The same bytes in small pieces."""
    got = steps(reply(Behaviour(split=7, split_interval_s=0.1), stream=stream))
    writes = [step.data for step in got if isinstance(step, Write)]
    assert sent(reply(stream=stream)) == b"".join(writes)
    assert max(map(len, writes)) == 7
    assert Wait(0.1) == got[1]


def test_framing() -> None:
    """The forms of events reach the wire."""
    got = sent(reply(Behaviour(crlf=True, data_without_space=True, multiline_data=True), stream=True))
    assert got.startswith(b'data:{\r\ndata: "id": ')
    assert got.endswith(b"\r\n\r\ndata:[DONE]\r\n\r\n")


@pytest.mark.parametrize(
    ("body", "content_type", "data"),
    [
        ("plain", "text/plain; charset=utf-8", b"plain"),
        ("<html>", "text/html; charset=utf-8", b"<html>"),
        ("data: x\n\n", "text/event-stream; charset=utf-8", b"data: x\n\n"),
        (": c\n\n", "text/event-stream; charset=utf-8", b": c\n\n"),
        ('{"a": 1}', "application/json", b'{"a": 1}'),
        ({"a": 1}, "application/json", b'{"a":1}'),
        ([], "application/json", b"[]"),
        (None, "application/json", b"null"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_given_bodies(body: Any, content_type: str, data: bytes, stream: bool) -> None:
    """A given body replaces any answer, with the type that it looks like."""
    got = reply(Behaviour(body=body), stream=stream)
    assert (("content-type", content_type), data) == (got.headers[0], sent(got))


def test_given_bytes_and_empty_body() -> None:
    """Bytes as they are; an empty body has no type."""
    assert sent(reply(Behaviour(body_bytes=b"\xff"))) == b"\xff"
    for behaviour in (Behaviour(empty_body=True), Behaviour(status=302), Behaviour(empty_stream=True)):
        got = reply(behaviour)
        assert (b"", [("x-request-id", "req_sim-1")]) == (sent(got), got.headers)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/v1/chat/completions", 429, "rate_limit_exceeded"), ("/v1/nowhere", 503, "overloaded")],
)
@pytest.mark.parametrize("stream", [False, True])
def test_statuses(path: str, status: int, code: str, stream: bool) -> None:
    """An error status has an error in the protocol of the path, whether or not a stream was asked for."""
    got = reply(Behaviour(status=status), stream=stream, path=path)
    assert (status, code) == (got.status, json.loads(sent(got))["error"]["code"])


@pytest.mark.parametrize(
    ("fields", "stream"),
    [
        ({"error_body_in_200": True}, False),
        ({"error_body_in_200": True}, True),
        ({"error_body_in_200": {"error": {"code": "overloaded"}}}, False),
        ({"error_event": True}, False),
        ({"error_event": {"error": {"code": "overloaded"}}}, False),
    ],
)
def test_error_in_200(fields: dict[str, Any], stream: bool) -> None:
    """200 and an error as JSON; for who wants no stream, an error event is that too."""
    got = reply(Behaviour(**fields), stream=stream)
    assert (200, "overloaded") == (got.status, json.loads(sent(got))["error"]["code"])


def test_answer_as() -> None:
    """A provider that answers in another form than was asked for."""
    assert sent(reply(Behaviour(answer_as="json"), stream=True)).startswith(b"{")
    assert sent(reply(Behaviour(answer_as="sse"))).startswith(b"data: ")


def test_refuse_and_delays() -> None:
    """What the server does before the head."""
    got = reply(Behaviour(refuse=True, delay_before_headers_s=2))
    assert (True, 2) == (got.refuse, got.delay_before_headers_s)
    for stream in (False, True):
        assert reply(Behaviour(delay_before_headers_s=3), stream=stream).delay_before_headers_s == 3
        assert reply(Behaviour(close=True), stream=stream).close
    assert steps(reply(Behaviour(delay_before_first_token_s=1)))[0] == Wait(1)


def test_length() -> None:
    """JSON has its length, unless it is to come in chunks."""
    late = Behaviour(delay_before_first_token_s=1)
    assert len(sent(reply())) == reply(late).content_length
    assert reply(Behaviour(chunked=True)).content_length is None


def test_large_answer_is_sent_in_pieces() -> None:
    """A body of megabytes does not go out in one write."""
    got = reply(Behaviour(chunks=1000, chunk_bytes=1000))
    assert got.body is None
    assert got.content_length is not None
    assert got.content_length > 1_000_000
    assert len(json.loads(sent(got))["choices"][0]["message"]["content"]) == 1_000_000


def test_headers() -> None:
    """Added, replaced, repeated, removed; numbers are written out."""
    got = reply(
        Behaviour(headers={"Content-Type": "text/odd", "Retry-After": 2, "x-a": ["1", "2"], "x-request-id": None})
    )
    assert [("Content-Type", "text/odd"), ("Retry-After", "2"), ("x-a", "1"), ("x-a", "2")] == got.headers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("@http-date+30", "Sun, 09 Sep 2001 01:47:10 GMT"),
        ("@rfc3339+0.5", "2001-09-09T01:46:40.500Z"),
        ("@unix-40", "999999960"),
        ("@unix-ms+1", "1000000001000"),
    ],
)
def test_moments(value: str, text: str) -> None:
    """Moments are worked out when the request arrives."""
    assert ("retry-after", text) in reply(Behaviour(headers={"retry-after": value})).headers


@pytest.mark.parametrize(
    ("method", "path", "data", "status", "message"),
    [
        ("POST", "/v1/nowhere", b"{}", 404, "Invalid URL (POST /v1/nowhere)"),
        ("GET", "/v1/chat/completions", b"", 405, "Not allowed to GET on /v1/chat/completions; use POST."),
        ("POST", "/v1/models", b"{}", 405, "Not allowed to POST on /v1/models; use GET."),
        ("POST", "/v1/chat/completions", b"{", 400, "We could not parse the JSON body of your request."),
        ("POST", "/v1/chat/completions", b"{}", 400, "you must provide a model parameter"),
        ("POST", "/v1/messages", b"{}", 400, "you must provide a model parameter"),
        ("POST", "/v1/embeddings", b'{"model": 5}', 400, "you must provide a model parameter"),
    ],
)
def test_refusals(method: str, path: str, data: bytes, status: int, message: str) -> None:
    """What no provider accepts."""
    got = reply_to(method, path, data)
    assert (status, message) == (got.status, json.loads(sent(got))["error"]["message"])


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("POST", "/v1/completions", b"text_completion"),
        ("POST", "/v1/messages", b'"type":"message"'),
        ("POST", "/v1/messages/count_tokens", b"input_tokens"),
        ("POST", "/v1/responses", b'"object":"response"'),
        ("POST", "/v1/embeddings", b'"object":"embedding"'),
        ("POST", "/v1/moderations", b'"flagged":false'),
        ("POST", "/v1/images/generations", b"b64_json"),
        ("POST", "/v1/audio/speech", bytes(range(256))),
        ("POST", "/v1/audio/transcriptions", b"m heard nothing"),
        ("GET", "/v1/models", b'"id":"a"'),
        ("GET", "/v1/models/x", b'"id":"x"'),
    ],
)
def test_endpoints(method: str, path: str, found: bytes) -> None:
    """Every endpoint has its answer."""
    got = reply_to(method, path, b'{"model": "m", "input": "a"}')
    assert got.status == 200
    assert found in sent(got)


def test_size_of_speech() -> None:
    """Sound is as long as the chunks say."""
    got = reply(Behaviour(chunks=10, chunk_bytes=10), path="/v1/audio/speech")
    assert len(sent(got)) == 100


@pytest.mark.parametrize(("path", "end"), [("/v1/messages", b"message_stop"), ("/v1/responses", b"response.completed")])
def test_other_protocols_have_no_done(path: str, end: bytes) -> None:
    """[DONE] belongs to chat alone."""
    got = sent(reply(stream=True, path=path))
    assert got.count(b"event: " + end) == 1
    assert b"[DONE]" not in got
