"""brightstaff.stream_end: whether a stream came to its end, seen in bytes that are cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.stream_end import StreamEnd

CHAT = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n'
FINISH = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
START = b'event: message_start\ndata: {"type":"message_start"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
CREATED = b'event: response.created\ndata: {"type":"response.created"}\n\n'

#: name: endpoint, stream, is_cut_short, has_error
CASES = {
    "chat with both": ("/chat/completions", CHAT + FINISH + DONE, False, False),
    "chat without [DONE]": ("/chat/completions", CHAT + FINISH, False, False),
    "chat with [DONE] only": ("/chat/completions", CHAT + DONE, False, False),
    "chat cut": ("/chat/completions", CHAT + CHAT, True, False),
    "chat cut within an event": ("/chat/completions", CHAT + b'data: {"choi', True, False),
    "chat with spaces": ("/chat/completions", b'data: {"choices": [{"finish_reason": "stop"}]}\n\n', False, False),
    "chat, error event": ("/chat/completions", CHAT + b'data: {"error":{"message":"x"}}\n\n', False, True),
    "chat that speaks of errors": ("/chat/completions", CHAT.replace(b'"a"', b'"an error\\ndata: {"'), True, False),
    "chat that quotes": ("/chat/completions", CHAT.replace(b'"a"', rb'"\"finish_reason\":\"stop\""'), True, False),
    "chat that names an event": ("/chat/completions", CHAT.replace(b'"a"', b'"event: error"'), True, False),
    "of another form": ("/chat/completions", b"data: 1\n\n", False, False),
    "nothing": ("/chat/completions", b"", False, False),
    "completions": ("/completions", CHAT, True, False),
    "messages": ("/messages", START + STOP, False, False),
    "messages, data only": ("/messages", START + b'data: {"type": "message_stop"}\n\n', False, False),
    "messages cut": ("/messages", START, True, False),
    "messages, error": ("/messages", START + b'event: error\ndata: {"type":"error"}\n\n', False, True),
    "messages, error without a name": ("/messages", START + b'data: {"type":"error"}\n\n', False, True),
    "responses": ("/responses", CREATED + b'data: {"type":"response.completed"}\n\n', False, False),
    "responses, incomplete": ("/responses", CREATED + b'data: {"type":"response.incomplete"}\n\n', False, False),
    "responses, failed": ("/responses", CREATED + b'data: {"type":"response.failed"}\n\n', False, True),
    "responses cut": ("/responses", CREATED, True, False),
    "an endpoint of unknown form": ("/audio/speech", b"data: x\n\n", False, False),
}


@pytest.mark.parametrize(("suffix", "stream", "cut_short", "error"), CASES.values(), ids=CASES)
def test_streams(suffix: str, stream: bytes, cut_short: bool, error: bool) -> None:
    """In one piece and byte by byte."""
    for pieces in ([stream], [stream[i : i + 1] for i in range(len(stream))]):
        end = StreamEnd(suffix)
        for piece in pieces:
            end.feed(piece)
        assert (cut_short, error) == (end.is_cut_short, end.has_error)


@given(st.sampled_from(sorted(CASES)), st.lists(st.integers(0, 300), max_size=8))
def test_however_it_is_cut(name: str, cuts: list[int]) -> None:
    """The pieces decide nothing."""
    suffix, stream, cut_short, error = CASES[name]
    end = StreamEnd(suffix)
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), len(stream)], strict=True):
        end.feed(stream[start : max(start, stop)])
    assert (cut_short, error) == (end.is_cut_short, end.has_error)
