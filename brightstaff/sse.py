"""Server-sent events, and when a streamed answer may be committed to the client. Pure; never raises on any bytes.

The format is https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream; chunks may be cut
anywhere, also within a character or a line end.
"""

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from brightstaff.verdict import (
    CUT_BYTES,
    EMPTY,
    HTML,
    Fields,
    Verdict,
    counts,
    find_error,
    find_failed_choice,
    find_flat_error,
    first_object,
    glance,
    is_blank,
    judge_answer,
    judge_error,
    judge_text,
    read_fields,
    read_objects,
    says,
    text_of,
)

#: An event is kept up to this size.
MAX_EVENT_BYTES = 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_LF = 0x0A
#: What nearly every event looks like.
_PLAIN = re.compile(rb"(?:event: ?([^\r\n]*+)\n)?data: ?([^\r\n]*+)\n\n")


class Event(NamedTuple):
    """One event of a stream."""

    name: bytes
    """Its `event` field; empty for a `message`."""
    data: bytes
    """Its `data` fields, joined by line feeds, as they came: not yet decoded."""
    oversized: bool = False
    """It was larger than `MAX_EVENT_BYTES`: `data` is empty then."""


class EventReader:
    """Bytes in, events out. Holds no more than one event."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        """What follows the last line end."""
        self._searched = 0
        """So many bytes of it have no line end."""
        self._at_start = True
        self._after_cr = False
        """A line feed that comes now belongs to the line end before."""
        self._name = b""
        self._data: list[bytes] = []
        self._size_bytes = 0
        self._skipping = False
        """The event that is being read was too large and has been reported."""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in this chunk."""
        events: list[Event] = []
        chunk = self._take_plain(chunk, events)
        if not chunk:
            return events
        self._buffer += chunk
        if self._at_start:
            if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
                return events
            self._at_start = False
            if self._buffer.startswith(_BOM):
                del self._buffer[: len(_BOM)]
        self._take_lines(events)
        self._searched = len(self._buffer)
        self._check_size(self._searched, events)
        if self._skipping and self._buffer:
            self._buffer[:] = b":"  # that the line is not empty is all that matters of it
            self._searched = 1
        return events

    def end(self) -> list[Event]:
        """What the stream ended in the middle of: providers leave out the last blank line."""
        events: list[Event] = []
        if self._buffer and not self._at_start:
            self._take_line(bytes(self._buffer), events)
        self._buffer.clear()
        self._searched = 0
        self._take_line(b"", events)
        return events

    def _take_plain(self, chunk: bytes, events: list[Event]) -> bytes:
        """The short way, for whole events of the usual form between two events; returns what is left."""
        if self._buffer or self._data or self._name or self._after_cr or self._skipping:
            return chunk
        start = 0
        while (match := _PLAIN.match(chunk, start)) is not None and match.end() - start <= MAX_EVENT_BYTES:
            name, data = match.groups()
            events.append(Event(name or b"", data))
            start = match.end()
        if start:
            self._at_start = False
        return chunk[start:] if start else chunk

    def _take_lines(self, events: list[Event]) -> None:
        """Every line that is complete; what follows stays in the buffer."""
        buffer = self._buffer
        start, search = 0, self._searched
        if self._after_cr and buffer:
            self._after_cr = False
            start = search = int(buffer[0] == _LF)
        lf = cr = -2  # where the next one is; -1: there is none, and no need to look again
        while True:
            if lf != -1 and lf < search:
                lf = buffer.find(b"\n", search)
            if cr != -1 and cr < search:
                cr = buffer.find(b"\r", search)
            if lf == -1 and cr == -1:
                break
            end = lf if cr == -1 or -1 < lf < cr else cr
            self._take_line(bytes(buffer[start:end]), events)
            start = end + 1
            if end == cr:
                self._after_cr = start == len(buffer)
                if not self._after_cr and buffer[start] == _LF:
                    start += 1
            search = start
        del buffer[:start]

    def _take_line(self, line: bytes, events: list[Event]) -> None:
        if not line:
            if self._data:
                events.append(Event(self._name, self._data[0] if len(self._data) == 1 else b"\n".join(self._data)))
            self._name = b""
            self._data = []
            self._size_bytes = 0
            self._skipping = False
            return
        self._check_size(len(line), events)
        if self._skipping:
            return
        key, _, value = line.partition(b":")
        if key == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._size_bytes += len(b"data:\n") + len(value)
            self._check_size(0, events)
        elif key == b"event":
            self._name = value.removeprefix(b" ")

    def _check_size(self, line_bytes: int, events: list[Event]) -> None:
        if not self._skipping and self._size_bytes + line_bytes > MAX_EVENT_BYTES:
            events.append(Event(self._name, b"", oversized=True))
            self._data = []
            self._skipping = True


class Progress(Enum):
    """How far a stream has come."""

    WAIT = auto()
    """Nothing yet that a client would miss: another channel can still be tried."""
    CONTENT = auto()
    """It has begun in earnest."""


WAIT, CONTENT = Progress.WAIT, Progress.CONTENT

Decision = Progress | Verdict


class _Shape(Enum):
    UNKNOWN = auto()
    EVENTS = auto()
    JSON = auto()
    """One JSON body where events were due."""


class FirstEvents:
    """Reads a streamed answer until it is clear whether it is one. What is decided once stays."""

    def __init__(self, suffix: str = "/chat/completions") -> None:
        """`suffix` is the endpoint, for what turns out to be no stream at all."""
        self.decision: Decision = WAIT
        self._suffix = suffix
        self._shape = _Shape.UNKNOWN
        self._head = bytearray()
        self._reader = EventReader()
        self._counted = False
        """Tokens were counted in a closing event: the answer is complete although nothing was said."""

    def feed(self, chunk: bytes) -> Decision:
        """Take in some of the body; says whether it may be committed now."""
        if self.decision is not WAIT:
            return self.decision
        if self._shape is _Shape.UNKNOWN:
            chunk = self._find_shape(chunk)
            if self.decision is not WAIT:
                return self.decision
        if self._shape is _Shape.EVENTS:
            self._judge(self._reader.feed(chunk))
        elif self._shape is _Shape.JSON:
            self._head += chunk
            if len(self._head) >= CUT_BYTES:
                self._decide(CONTENT)
        return self.decision

    def end(self) -> Decision:
        """The body has ended."""
        if self.decision is not WAIT:
            return self.decision
        if self._shape is _Shape.JSON:
            self._decide(judge_answer(200, "application/json", bytes(self._head), self._suffix) or CONTENT)
        else:
            self._judge(self._reader.end(), complete=False)
        if self.decision is WAIT:
            self._decide(self._verdict_at_end())
        return self.decision

    def _decide(self, decision: Decision) -> None:
        self.decision = decision
        self._head.clear()
        self._reader = EventReader()

    def _find_shape(self, chunk: bytes) -> bytes:
        """Look at the first byte that is no white space; returns what is to be read on."""
        if not self._head and chunk.startswith((b"data:", b"event:")):
            self._shape = _Shape.EVENTS
            return chunk
        self._head += chunk
        if len(self._head) < len(_BOM) and _BOM.startswith(self._head):
            return b""
        rest = bytes(self._head).removeprefix(_BOM).lstrip()
        if not rest:
            self._head[:] = b"\n"  # stands for any white space, and says that no byte order mark can come any more
            return b""
        self._head.clear()
        first = rest[:1]
        if first == b"<":
            self._decide(HTML)
        elif first == b"\x1f":  # gzip, though nobody asked for it: the client may know what to do with it
            self._decide(CONTENT)
        else:
            self._shape = _Shape.JSON if first in b"{[" else _Shape.EVENTS
        return rest

    def _judge(self, events: list[Event], *, complete: bool = True) -> None:
        for event in events:
            decision = self._judge_event(event, complete=complete)
            if decision is not WAIT:
                self._decide(decision)
                return

    def _judge_event(self, event: Event, *, complete: bool) -> Decision:
        if event.oversized:
            return CONTENT
        data = event.data.strip()
        if event.name == b"error":
            fields = first_object(data)
            return judge_text(data) if fields is None else judge_error(fields)
        if event.name in _QUIET_NAMES or data in _QUIET_NAMES:
            return WAIT
        if data == b"[DONE]":
            return self._verdict_at_end()
        if data[:1] == b"{":
            quick = self._glance(data) if b'"choices"' in data else None
            if quick is not None:
                return quick
            fields = read_fields(data)
            if fields is not None:
                return self._judge_object(fields)
            return CONTENT if complete else WAIT  # an object that the end of the stream cut off is none
        if data[:1] == b"[":
            first = first_object(data)
            return CONTENT if first is None and complete and data[1:-1].strip() else self._judge_object(first or {})
        return WAIT if data in _BLANK_DATA else CONTENT

    def _glance(self, data: bytes) -> Decision | None:
        """The short way, for the usual chunks of a chat."""
        chat = glance(data)
        if chat is None:
            return None
        for choice in chat.choices:
            delta = choice.delta
            if delta is None:
                return None
            if choice.finish_reason or delta.content or delta.reasoning_content or delta.reasoning:
                return CONTENT
            if delta.refusal or delta.tool_calls:
                return CONTENT
        return WAIT

    def _judge_object(self, fields: Fields) -> Decision:
        error = find_error(fields)
        if error is not None:
            return error
        if "choices" in fields:
            return self._judge_choices(fields)
        kind = text_of(fields.get("type"))
        if kind:
            return self._judge_typed(kind, fields)
        if "usage" in fields and counts(fields["usage"]):
            self._counted = True
            return WAIT
        flat = find_flat_error(fields)
        if flat is not None:
            return flat
        return CONTENT if any(not is_blank(value) for key, value in fields.items() if key not in _FRAME) else WAIT

    def _judge_choices(self, fields: Fields) -> Decision:
        choices = read_objects(fields["choices"])
        if choices is None:
            return WAIT if is_blank(fields["choices"]) else CONTENT
        for choice in choices:
            failed = find_failed_choice(choice)
            if failed is not None:
                return failed
            if says(choice) or not is_blank(choice.get("finish_reason")):
                return CONTENT
        if not choices and counts(fields.get("usage")):
            self._counted = True
        return WAIT

    def _judge_typed(self, kind: str, fields: Fields) -> Decision:
        """An event of Anthropic's Messages or OpenAI's Responses, and what looks like one."""
        if kind in _QUIET_KINDS:
            return WAIT
        if kind in ("response.failed", "response.error"):
            return judge_error(_inner(fields, "response"))
        if kind == "message_stop":
            return self._verdict_at_end()
        if kind == "response.completed":
            response = _inner(fields, "response")
            said = not is_blank(response.get("output")) or counts(response.get("usage"))
            return CONTENT if said else self._verdict_at_end()
        if kind == "message_delta":
            if not is_blank(_inner(fields, "delta").get("stop_reason")):
                return CONTENT
            self._counted = self._counted or counts(fields.get("usage"))
            return WAIT
        if kind.startswith("response.") and kind.endswith(".delta"):
            return WAIT if is_blank(fields.get("delta")) else CONTENT
        opening = _OPENINGS.get(kind)
        return WAIT if opening is not None and not opening(fields) else CONTENT

    def _verdict_at_end(self) -> Decision:
        return CONTENT if self._counted else EMPTY


#: Signs of life. `keepalive` is undocumented but sent by OpenAI (github.com/openai/openai-node pull request 1965).
_QUIET_NAMES = frozenset({b"ping", b"keepalive", b"keep-alive", b"heartbeat"})
_QUIET_KINDS = frozenset(
    {
        "ping",
        "keepalive",
        "keep-alive",
        "heartbeat",
        "content_block_stop",
        "response.created",
        "response.queued",
        "response.in_progress",
        "codex.rate_limits",
    }
)
_BLANK_DATA = frozenset({b"", b"null", b'""', b"false"})
#: What a chunk has around its content.
_FRAME = frozenset({"id", "object", "created", "model", "system_fingerprint", "service_tier", "provider", "usage"})


def _inner(fields: Fields, key: str) -> Fields:
    raw = fields.get(key)
    return {} if raw is None else read_fields(raw) or {}


def _opens_with_message(fields: Fields) -> bool:
    return not is_blank(_inner(fields, "message").get("content"))


def _opens_with_block(fields: Fields) -> bool:
    block = _inner(fields, "content_block")
    if text_of(block.get("type")) not in ("text", "thinking"):
        return True  # a tool call, or thinking that is not shown
    return not (is_blank(block.get("text")) and is_blank(block.get("thinking")))


def _opens_with_delta(fields: Fields) -> bool:
    return any(not is_blank(value) for key, value in _inner(fields, "delta").items() if key != "type")


def _opens_with_item(fields: Fields) -> bool:
    item = _inner(fields, "item")
    if text_of(item.get("type")) not in ("message", "reasoning"):
        return True
    return not (is_blank(item.get("content")) and is_blank(item.get("summary")))


def _opens_with_part(fields: Fields) -> bool:
    part = _inner(fields, "part")
    return not (is_blank(part.get("text")) and is_blank(part.get("refusal")))


#: Events that may open something and have nothing in it yet.
_OPENINGS: dict[str, Callable[[Fields], bool]] = {
    "message_start": _opens_with_message,
    "content_block_start": _opens_with_block,
    "content_block_delta": _opens_with_delta,
    "response.output_item.added": _opens_with_item,
    "response.content_part.added": _opens_with_part,
    "response.reasoning_summary_part.added": _opens_with_part,
}
