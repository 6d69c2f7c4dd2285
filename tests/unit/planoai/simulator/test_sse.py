"""planoai.simulator.sse: the forms in which events may be written."""

import pytest

from planoai.simulator.sse import DONE, Event, Framing


@pytest.mark.parametrize(
    ("framing", "event", "data"),
    [
        (Framing(), Event(b'{"a":1}'), b'data: {"a":1}\n\n'),
        (Framing(), DONE, b"data: [DONE]\n\n"),
        (Framing(), Event(b"{}", "ping"), b"event: ping\ndata: {}\n\n"),
        (Framing(crlf=True), Event(b"{}", "ping"), b"event: ping\r\ndata: {}\r\n\r\n"),
        (Framing(space=False), Event(b"{}"), b"data:{}\n\n"),
        (Framing(multiline=True), Event(b'{"a":1}'), b'data: {\ndata:  "a": 1\ndata: }\n\n'),
        (Framing(multiline=True), DONE, b"data: [DONE]\n\n"),
        (Framing(True, False, True), Event(b'{"a":1}'), b'data:{\r\ndata: "a": 1\r\ndata:}\r\n\r\n'),
    ],
)
def test_frames(framing: Framing, event: Event, data: bytes) -> None:
    """Each form is what the standard allows."""
    assert data == framing.frame(event)


def test_comment() -> None:
    """A comment begins with a colon."""
    assert Framing().comment("x") == b": x\n\n"
    assert Framing(crlf=True).comment("x") == b": x\r\n\r\n"
