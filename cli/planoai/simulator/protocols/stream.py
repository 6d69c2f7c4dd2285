"""What the streams of all protocols have in common: something first, chunks of content, something last."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from planoai.simulator.sse import Event

#: The events that are sent together.
Chunk = tuple[Event, ...]

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class StreamParts:
    """A stream in the order in which it is sent; `content` is read once."""

    opening: Chunk
    #: Each chunk carries one piece of content; the events before it that open its block are in it too.
    content: Iterable[Chunk]
    closing: Iterable[Event]
    #: `[DONE]`, where the protocol has it.
    done: Chunk


def json_bytes(value: Any) -> bytes:
    """Compact JSON."""
    return _encode(value)


def event(value: Any, name: str | None = None) -> Event:
    """An event with JSON data."""
    return Event(_encode(value), name)
