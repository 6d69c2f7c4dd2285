"""planoai.simulator.protocols.stream: compact JSON, alone and as an event."""

from planoai.simulator.protocols.stream import event, json_bytes
from planoai.simulator.sse import Event


def test_json_is_compact_and_in_utf8() -> None:
    """No spaces, no escapes but the necessary ones."""
    assert json_bytes({"a": ["模", None, 1.5]}) == '{"a":["模",null,1.5]}'.encode()


def test_event() -> None:
    """The data of an event, with or without its name."""
    assert event({"a": 1}) == Event(b'{"a":1}')
    assert event({}, "ping") == Event(b"{}", "ping")
