"""brightstaff.sse: events however they are cut, and the moment from which a stream belongs to the client."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from brightstaff.sse import CONTENT, MAX_EVENT_BYTES, WAIT, Decision, Event, EventReader, FirstEvents
from brightstaff.verdict import CUT_BYTES, Fault, Verdict

EMPTY = Verdict(Fault.CHANNEL, "empty")
IN_200 = Verdict(Fault.CHANNEL, "error_in_200")
OVERLOADED = Verdict(Fault.CHANNEL, "overloaded")
QUOTA = Verdict(Fault.KEY, "quota")
HTML = Verdict(Fault.CHANNEL, "html")


def read(*chunks: bytes) -> list[Event]:
    """All events of a whole stream."""
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()


def single(stream: bytes) -> list[bytes]:
    """The stream byte by byte."""
    return [stream[at : at + 1] for at in range(len(stream))]


def event(value: object, name: str = "") -> bytes:
    """One event with a JSON value."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


def typed(kind: str, **members: object) -> bytes:
    """One event of Messages or Responses."""
    return event({"type": kind, **members}, kind)


def chunk(delta: object, finish: str | None = None, **members: object) -> bytes:
    """One chunk of a chat."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **members})


def decide(*chunks: bytes, suffix: str = "/chat/completions") -> list[Decision]:
    """The decision after each chunk."""
    first = FirstEvents(suffix)
    return [first.feed(each) for each in chunks]


def at_end(*chunks: bytes, suffix: str = "/chat/completions") -> Decision:
    """The decision after the last chunk and the end."""
    first = FirstEvents(suffix)
    for each in chunks:
        first.feed(each)
    return first.end()


# ---------------------------------------------------------------- events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [Event(b"", b"a")]),
        (b"data:a\n\n", [Event(b"", b"a")]),
        (b"data:  a \n\n", [Event(b"", b" a ")]),
        (b"data: a\r\n\r\n", [Event(b"", b"a")]),
        (b"data: a\r\rdata: b\r\r", [Event(b"", b"a"), Event(b"", b"b")]),
        (b"data: a\r\n\ndata: b\n\r\n", [Event(b"", b"a"), Event(b"", b"b")]),
        (b"data: a\ndata:b\ndata\n\n", [Event(b"", b"a\nb\n")]),
        (b"data:\n\n", [Event(b"", b"")]),
        (b"event: x\ndata: a\n\ndata: b\n\n", [Event(b"x", b"a"), Event(b"", b"b")]),
        (b"event:x\nevent: y\ndata: a\n\n", [Event(b"y", b"a")]),
        (b"data: a\nevent: x\n\n", [Event(b"x", b"a")]),
        (b"event: x\n\ndata: a\n\n", [Event(b"", b"a")]),
        (b": a comment\n\n:\n\ndata: a\n\n", [Event(b"", b"a")]),
        (b"id: 1\nretry: 5\nunknown: z\ndata: a\n: c\n\n", [Event(b"", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event(b"", b"a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b"\n\n\ndata: a\n\n\n\n", [Event(b"", b"a")]),
        ("data: 模型😀\n\n".encode(), [Event(b"", "模型😀".encode())]),
        (b"data: \xff\x00\n\n", [Event(b"", b"\xff\x00")]),
        (b"data: a: b\n\n", [Event(b"", b"a: b")]),
        (b"data: a", [Event(b"", b"a")]),
        (b"data: a\n", [Event(b"", b"a")]),
        (b"data: a\n\ndata: b", [Event(b"", b"a"), Event(b"", b"b")]),
        (b" data: a\nDATA: a\n\n", []),
        (b"", []),
        (b"\xef\xbb", []),
    ],
)
def test_events_of_the_format(stream: bytes, events: list[Event]) -> None:
    """Line ends, spaces, comments, several lines, a mark at the start; in one piece and byte by byte."""
    assert [events] * 2 == [read(stream), read(*single(stream))]


def test_an_event_is_told_as_soon_as_its_blank_line_begins() -> None:
    """A carriage return ends the line; a line feed that follows later adds nothing."""
    reader = EventReader()
    assert [[], [Event(b"", b"a")], [], []] == [
        reader.feed(each) for each in (b"data: a\r\n", b"\r", b"\n", b"data: b")
    ]
    assert [Event(b"", b"b")] == reader.feed(b"\n\n")


@pytest.mark.parametrize("piece", [997, 65_536, 10_000_000])
@pytest.mark.parametrize(
    "large",
    [
        b"data: " + b"x" * MAX_EVENT_BYTES + b"\n\n",
        b"event: big\n" + b"data: xxxxxxxxxxxxxxxx\n" * (MAX_EVENT_BYTES // 16) + b"\n",
        b"data:\n" * (MAX_EVENT_BYTES // 6 + 1) + b"\n",
        b"ignored: " + b"x" * MAX_EVENT_BYTES + b"\n\n",
        b"data: "
        + b"x" * MAX_EVENT_BYTES
        + b"\ndata: more\nevent: other\n"
        + b":"
        + b"y" * MAX_EVENT_BYTES
        + b"\r\n\r\n",
    ],
    ids=["line", "lines", "empty lines", "unknown field", "and on"],
)
def test_large_events_are_told_once_and_skipped(large: bytes, piece: int) -> None:
    """Nothing grows beyond the limit, and what follows is read as ever."""
    stream = b"data: a\n\n" + large + b"event: c\ndata: b\n\n"
    events = read(*(stream[at : at + piece] for at in range(0, len(stream), piece)))
    name = b"big" if large.startswith(b"event") else b""
    assert [Event(b"", b"a"), Event(name, b"", oversized=True), Event(b"c", b"b")] == events


def test_an_event_just_within_the_limit_is_kept() -> None:
    """The limit is of the line as it came."""
    data = b"x" * (MAX_EVENT_BYTES - len(b"data: "))
    assert [Event(b"", data)] == read(b"data: " + data + b"\n\n")
    assert [Event(b"", data)] == read(b":\n", b"data: " + data[:5], data[5:] + b"\n\n")
    assert [Event(b"", b"", oversized=True)] == read(b"data: x" + data + b"\n\n")


# ---------------------------------------------------------------- waiting

ROLE = chunk({"role": "assistant", "content": ""})
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "content": [], "usage": {"input_tokens": 9}}
RESPONSE: dict[str, object] = {"id": "r", "object": "response", "status": "in_progress", "error": None, "output": []}

NOTHING_YET = [
    b": OPENROUTER PROCESSING\n\n",
    b":\n\n",
    b"data:\n\n",
    b"data: null\n\n",
    b"data: {}\n\n",
    b"data: []\n\n",
    b"data: ping\n\n",
    b"event: ping\ndata: {}\n\n",
    b"event: keepalive\ndata: 2026\n\n",
    ROLE,
    chunk({"role": "assistant", "content": None, "refusal": None}),
    chunk({"role": "assistant", "content": "", "tool_calls": [], "reasoning": ""}),
    chunk({"content": "", "reasoning_details": [], "name": "x"}),
    chunk({}, ""),
    chunk(None),
    chunk({"role": "assistant"}, usage={"prompt_tokens": 5}),
    event({"id": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
    event({"id": "c", "object": "chat.completion.chunk", "choices": None}),
    event({"id": "c", "object": "chat.completion.chunk", "model": "m"}),
    event({"choices": [{"text": "", "index": 0, "finish_reason": None}]}),
    typed("ping"),
    event({"type": "keepalive", "sequence_number": 3}),
    typed("message_start", message=MESSAGE),
    typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    typed("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
    typed("content_block_delta", index=0, delta={"type": "text_delta", "text": ""}),
    typed("content_block_stop", index=0),
    typed("message_delta", delta={"stop_reason": None}),
    typed("response.created", response=RESPONSE),
    typed("response.queued", response=RESPONSE),
    typed("response.in_progress", response=RESPONSE),
    typed("response.output_item.added", item={"type": "message", "role": "assistant", "content": []}),
    typed("response.output_item.added", item={"type": "reasoning", "summary": []}),
    typed("response.content_part.added", part={"type": "output_text", "text": "", "annotations": []}),
    typed("response.reasoning_summary_part.added", part={"type": "summary_text", "text": ""}),
    typed("response.output_text.delta", delta=""),
    typed("codex.rate_limits", rate_limits={"allowed": True}),
]


@pytest.mark.parametrize("stream", NOTHING_YET, ids=repr)
def test_nothing_that_a_client_would_miss(stream: bytes) -> None:
    """Signs of life and openings commit to nothing; a stream of nothing else is empty."""
    assert [WAIT, WAIT] == decide(stream, stream)
    assert [EMPTY] * 3 == [at_end(stream), at_end(stream, b"data: [DONE]\n\n"), at_end(*single(stream))]
    assert [EMPTY, EMPTY] == decide(b"data: [DONE]\n\n", chunk({"content": "late"}))


# ---------------------------------------------------------------- content

CONTENTS = [
    chunk({"content": "Hi"}),
    chunk({"role": "assistant", "content": " "}),
    chunk({"content": "", "reasoning_content": "hm"}),
    chunk({"reasoning": "hm"}),
    chunk({"reasoning_details": [{"type": "reasoning.text"}]}),
    chunk({"refusal": "I cannot"}),
    chunk({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}}]}),
    chunk({"function_call": {"name": "f"}}),
    chunk({"audio": {"id": "a"}}),
    chunk({}, "stop"),
    chunk({"content": ""}, "content_filter"),
    chunk({"content": "insufficient_quota"}, error=None),
    event({"choices": [{"text": "Once", "index": 0}]}),
    event({"choices": [{"message": {"role": "assistant", "content": "whole"}}]}),
    event({"choices": {"strange": 1}}),
    b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
    b'data: {"choices":[{"delta":\ndata: {"content":"two lines"}}]}\n\n',
    typed("message_start", message={**MESSAGE, "content": [{"type": "text", "text": "all"}]}),
    typed("content_block_start", content_block={"type": "tool_use", "id": "t", "name": "f", "input": {}}),
    typed("content_block_start", content_block={"type": "redacted_thinking", "data": "x"}),
    typed("content_block_start", content_block={"type": "text", "text": "Hi"}),
    typed("content_block_delta", delta={"type": "text_delta", "text": "Hi"}),
    typed("content_block_delta", delta={"type": "thinking_delta", "thinking": "hm"}),
    typed("content_block_delta", delta={"type": "input_json_delta", "partial_json": "{"}),
    typed("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 0}),
    typed("response.output_text.delta", delta="Hi"),
    typed("response.reasoning_summary_text.delta", delta="hm"),
    typed("response.function_call_arguments.delta", delta="{"),
    typed("response.refusal.delta", delta="no"),
    typed("response.output_item.added", item={"type": "function_call", "name": "f", "arguments": ""}),
    typed("response.output_item.added", item={"type": "message", "content": [{"text": "x"}]}),
    typed("response.content_part.added", part={"type": "refusal", "refusal": "no"}),
    typed("response.output_item.done", item={"type": "message"}),
    typed("response.web_search_call.in_progress"),
    typed("response.completed", response={"status": "completed", "output": [{"type": "message"}]}),
    typed("response.completed", response={"output": [], "usage": {"output_tokens": 1}}),
    typed("response.incomplete", response={"status": "incomplete", "output": []}),
    typed("image_generation.partial_image", b64_json="x"),
    event({"candidates": [{"content": {}}]}),
    event({"message": "free text: 余额不足", "n": 1}),
    event(["x"]),
    event("hello"),
    event(17),
    b"data: plain text\n\n",
    b"data: {not json}\n\n",
    b"data: [not json]\n\n",
]


@pytest.mark.parametrize("stream", CONTENTS, ids=repr)
def test_content(stream: bytes) -> None:
    """Text, reasoning, tool calls, refusals, a reason to finish, and whatever is unknown but not empty."""
    assert [WAIT, CONTENT, CONTENT] == decide(ROLE, stream, event({"error": {"message": "too late"}}))
    assert CONTENT == at_end(stream)


def test_usage_alone_is_a_complete_answer() -> None:
    """A stream that counts its tokens at the end had nothing to say; zeros count nothing."""
    closing = event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 0}})
    assert [WAIT, WAIT, CONTENT] == decide(ROLE, closing, b"data: [DONE]\n\n")
    assert CONTENT == at_end(ROLE, closing)
    assert CONTENT == at_end(event({"object": "chat.completion.chunk", "usage": {"prompt_tokens": 5}}))
    assert EMPTY == at_end(ROLE, event({"choices": [], "usage": {"total_tokens": 0}}))
    delta = typed("message_delta", delta={}, usage={"output_tokens": 3})
    assert CONTENT == at_end(typed("message_start", message=MESSAGE), delta, typed("message_stop"))


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\n \r\n",
        b"\xef\xbb\xbf",
        b"Internal Server Error",
        b"data: [DONE]",
        b'data: {"choices":[{"delta":{"content":"cut o',
        b'data: [{"choices"',
        typed("message_start", message=MESSAGE) + typed("message_stop"),
        typed("response.completed", response={"status": "completed", "output": [], "usage": None}),
        event({"choices": [{"index": 0}]}),
    ],
)
def test_streams_without_an_answer(stream: bytes) -> None:
    """They end, and nothing was said."""
    assert [EMPTY, EMPTY] == [at_end(stream), at_end(*single(stream))]


# ---------------------------------------------------------------- errors

ERRORS: list[tuple[bytes, Verdict]] = [
    (event({"error": {"message": "x", "type": "insufficient_quota", "code": "insufficient_quota"}}), QUOTA),
    (event({"error": {"message": "Provider returned error", "code": 502}}), IN_200),
    (event({"error": {"message": "busy", "code": 429}}), Verdict(Fault.RATE, "429")),
    (event({"error": "当前分组上游负载已饱和"}), OVERLOADED),
    (event({"choices": [], "error": {"message": "x", "code": "server_error"}}), IN_200),
    (chunk({"content": ""}, "error", error={"code": 502, "message": "Provider disconnected"}), IN_200),
    (chunk({"content": ""}, "error"), IN_200),
    (chunk({"content": "x"}, error={"code": "insufficient_quota"}), QUOTA),
    (chunk({}, "network_error"), IN_200),
    (event({"error": {"message": "long", "code": "context_length_exceeded"}}), Verdict(Fault.CALLER, "error_in_200")),
    (event({"error": {"message": "no", "type": "invalid_request_error"}}), Verdict(Fault.CALLER, "error_in_200")),
    (event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error"), OVERLOADED),
    (event({"type": "error", "error": {"type": "api_error", "message": "x"}}), IN_200),
    (event({"message": "余额不足"}, "error"), QUOTA),
    (event([{"message": "余额不足"}], "error"), QUOTA),
    (b"event: error\ndata: insufficient credits\n\n", QUOTA),
    (b"event: error\ndata:\n\n", IN_200),
    (typed("error", code="rate_limit_exceeded", message="x", param=None), Verdict(Fault.RATE, "rate_limited")),
    (typed("response.failed", response={"error": {"code": "server_is_overloaded", "message": "x"}}), OVERLOADED),
    (
        typed(
            "response.failed", response={"error": {"type": "invalid_request_error", "message": "Model is at capacity."}}
        ),
        OVERLOADED,
    ),
    (typed("response.failed", response={"status": "failed", "error": None}), IN_200),
    (typed("response.failed", error={"code": "server_error", "message": "x"}), IN_200),
    (event({"object": "error", "message": "model `x` not found"}), Verdict(Fault.CHANNEL, "model_unavailable")),
    (event({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}), QUOTA),
    (event({"code": 500, "message": "boom"}), IN_200),
    (event([{"error": {"code": 503, "status": "UNAVAILABLE"}}]), OVERLOADED),
]


@pytest.mark.parametrize(("stream", "verdict"), ERRORS, ids=repr)
@pytest.mark.parametrize("before", [b"", b": ping\n\n", ROLE, typed("message_start", message=MESSAGE), b"\xef\xbb\xbf"])
def test_an_error_before_any_content(before: bytes, stream: bytes, verdict: Verdict) -> None:
    """Whatever came before it that is no content, it is a failure, and stays one."""
    assert [verdict, verdict] == decide(before + stream, chunk({"content": "late"}))
    assert verdict == at_end(*single(before + stream))


def test_the_first_event_that_matters_decides() -> None:
    """Also within one chunk of bytes."""
    error = event({"error": {"message": "x"}})
    assert [CONTENT] == decide(ROLE + chunk({"content": "Hi"}) + error)
    assert [IN_200] == decide(ROLE + error + chunk({"content": "Hi"}))
    assert [CONTENT] == decide(b"data: " + b"x" * MAX_EVENT_BYTES + b"\n\n" + error)
    assert [WAIT, CONTENT] == decide(b"data: ", b"x" * MAX_EVENT_BYTES)


# ---------------------------------------------------------------- what is no stream at all


@pytest.mark.parametrize(
    ("body", "suffix", "decision"),
    [
        (b'{"error":{"message":"x","code":"insufficient_quota"}}', "/chat/completions", QUOTA),
        (b' \n{"type":"error","error":{"type":"overloaded_error","message":"x"}}', "/messages", OVERLOADED),
        (b'[{"error":{"code":503,"status":"UNAVAILABLE"}}]', "/chat/completions", OVERLOADED),
        (b'{"choices":[{"finish_reason":"stop"}]}', "/chat/completions", CONTENT),
        (b'{"choices":[{"finish_reason":"stop"}]}', "/messages", EMPTY),
        (b'\xef\xbb\xbf{"content":[{"type":"text"}]}', "/messages", CONTENT),
        (b'{"choices":[', "/chat/completions", Verdict(Fault.CHANNEL, "broken_json")),
        (b"{}", "/chat/completions", EMPTY),
        (b"[DONE]", "/chat/completions", Verdict(Fault.CHANNEL, "broken_json")),
    ],
)
def test_json_where_events_were_due(body: bytes, suffix: str, decision: Decision) -> None:
    """It is held until it is complete, and judged like any answer of that endpoint."""
    assert [WAIT] == decide(body, suffix=suffix)
    assert [decision] * 2 == [at_end(body, suffix=suffix), at_end(*single(body), suffix=suffix)]


def test_long_json_is_passed_on() -> None:
    """No more of it is held than of any answer."""
    assert [WAIT, CONTENT] == decide(b"{" + b" " * (CUT_BYTES - 2), b'"')
    assert CONTENT == at_end(b"{" + b" " * CUT_BYTES)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html>", b"\r\n <html>", b"\xef\xbb\xbf<head>"])
def test_a_page_is_none(page: bytes) -> None:
    """Its first character gives it away."""
    assert [HTML] == decide(page)
    assert HTML == at_end(*single(page))


def test_what_is_still_compressed_passes() -> None:
    """Nobody here can read it, but the client may."""
    assert [CONTENT] == decide(b"\x1f\x8b\x08")


# ---------------------------------------------------------------- properties

pieces = st.sampled_from(
    [
        b"data: ", b"data:", b"data", b"event: error", b"event: ping", b"\n", b"\r", b"\r\n", b"\n\n", b": c", b"id: 1",
        b"[DONE]", b"\xef\xbb\xbf", b"{", b"}", b"<", b"\x1f", b" ", "模".encode(), b'"error":', b'{"choices":[]}',
        *NOTHING_YET, *CONTENTS[:6], *[stream for stream, _ in ERRORS[:6]],
    ]
)  # fmt: skip
streams = st.lists(pieces | st.binary(max_size=3), max_size=14).map(b"".join)


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream and the same in pieces."""
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return stream, [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]


@given(cut_streams())
@example((b"data: a\r\n\r\n", [b"data: a\r", b"\n\r", b"\n"]))
def test_cuts_change_no_event(cut: tuple[bytes, list[bytes]]) -> None:
    """The same events, wherever the bytes were cut."""
    stream, chunks = cut
    assert [read(stream)] * 2 == [read(*chunks), read(*single(stream))]


@given(cut_streams(), st.sampled_from(["/chat/completions", "/messages", "/responses", "/rerank"]))
def test_cuts_change_no_decision(cut: tuple[bytes, list[bytes]], suffix: str) -> None:
    """After the same bytes the decision is the same, wherever they were cut; once made, it stays."""
    stream, chunks = cut
    by_byte = [WAIT, *decide(*single(stream), suffix=suffix)]
    in_chunks = decide(*chunks, suffix=suffix)
    ends = [0]
    for each in chunks:
        ends.append(ends[-1] + len(each))
    assert [by_byte[end] for end in ends[1:]] == in_chunks
    assert at_end(stream, suffix=suffix) == at_end(*single(stream), suffix=suffix) != WAIT
    decided = [decision for decision in by_byte if decision is not WAIT]
    assert [at_end(stream, suffix=suffix)] * len(decided) == decided


@given(st.text(min_size=1, max_size=40))
@example('{"error": {"code": "insufficient_quota"}}')
def test_what_a_model_says_decides_nothing(text: str) -> None:
    """Any text is content, in every protocol."""
    assert [CONTENT] == decide(chunk({"content": text}))
    assert [CONTENT] == decide(typed("content_block_delta", delta={"type": "text_delta", "text": text}))
    assert [CONTENT] == decide(typed("response.output_text.delta", delta=text))
