"""Server-sent events as bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import json
from typing import NamedTuple


class Event(NamedTuple):
    """One event: its data, usually JSON, and the name that some protocols give it."""

    data: bytes
    name: str | None = None


#: What ends a stream of OpenAI's chat protocol.
DONE = Event(b"[DONE]")


class Framing(NamedTuple):
    """How events are written; all forms mean the same to a reader that follows the standard."""

    crlf: bool = False
    space: bool = True
    multiline: bool = False

    def frame(self, event: Event) -> bytes:
        """The bytes of one event, with the empty line at its end."""
        end = b"\r\n" if self.crlf else b"\n"
        label = b"data: " if self.space else b"data:"
        head = b"" if event.name is None else b"event: " + event.name.encode() + end
        data = event.data
        if self.multiline and data.startswith(b"{"):
            data = json.dumps(json.loads(data), ensure_ascii=False, indent=1).encode()
        if b"\n" in data:
            data = (end + label).join(data.split(b"\n"))
        return head + label + data + end + end

    def comment(self, text: str) -> bytes:
        """A line that readers skip."""
        end = b"\r\n" if self.crlf else b"\n"
        return b": " + text.encode() + end + end
