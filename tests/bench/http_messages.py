"""Reads HTTP/1.1 messages from bytes as they arrive. No I/O; no more of RFC 9112 than both ends of the benchmark need.

Both ends count what they read, and a gateway that loses or adds a byte must show: so bodies are followed by their own
length (section 6 of the RFC), never by looking for something at their end.
"""

from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_CHUNKED = b"\r\ntransfer-encoding:"


class BadMessageError(ValueError):
    """What was read is no HTTP message of the kind that we read."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer, complete."""

    head: bytes
    """First line and header fields in lower case, without the blank line."""
    body: bytes

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.head[9:12])


class MessageReader:
    """Feed it what arrives; it returns what has become complete."""

    __slots__ = ("_buffer", "_chunked", "_head", "_missing_bytes", "_pieces")

    def __init__(self) -> None:
        self._buffer = b""
        self._head: bytes | None = None
        self._chunked = False
        self._missing_bytes = 0
        self._pieces: list[bytes] = []

    @property
    def has_body(self) -> bool:
        """Whether some of the body of an incomplete message is there."""
        return bool(self._pieces)

    @property
    def is_between_messages(self) -> bool:
        """Whether nothing of a next message has arrived."""
        return self._head is None and not self._buffer

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises BadMessageError."""
        self._buffer = self._buffer + data if self._buffer else data
        complete: list[Message] = []
        while self._buffer or self._head is not None:
            if self._head is None and not self._read_head():
                break
            done = self._read_chunks() if self._chunked else self._read_sized()
            if not done:
                break
            assert self._head is not None
            complete.append(Message(self._head, self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)))
            self._head = None
            self._pieces = []
        return complete

    def _read_head(self) -> bool:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return False
        head = self._buffer[:end].lower()
        self._buffer = self._buffer[end + len(_HEAD_END) :]
        try:
            length = _field(head, _LENGTH)
            self._chunked = _field(head, _CHUNKED) == b"chunked"
            self._missing_bytes = int(length) if length else 0
        except ValueError:
            raise BadMessageError(f"the head of a message could not be read: {head[:200]!r}") from None
        if head.startswith(b"http/") and length is None and not self._chunked:
            raise BadMessageError(f"an answer does not say how long it is: {head[:200]!r}")
        self._head = head
        return True

    def _read_sized(self) -> bool:
        buffer = self._buffer
        if len(buffer) <= self._missing_bytes:
            self._buffer = b""
        else:
            self._buffer = buffer[self._missing_bytes :]
            buffer = buffer[: self._missing_bytes]
        if buffer:
            self._pieces.append(buffer)
            self._missing_bytes -= len(buffer)
        return self._missing_bytes == 0

    def _read_chunks(self) -> bool:
        buffer, position = self._buffer, 0
        try:
            while (line_end := buffer.find(b"\r\n", position)) >= 0:
                size = int(buffer[position:line_end].partition(b";")[0], 16)
                if size == 0:
                    # The blank line after the last chunk, or after the trailers.
                    end = buffer.find(_HEAD_END, line_end)
                    if end < 0:
                        break
                    self._buffer = buffer[end + len(_HEAD_END) :]
                    return True
                start, end = line_end + 2, line_end + 2 + size
                if len(buffer) < end + 2:
                    break
                self._pieces.append(buffer[start:end])
                position = end + 2
        except ValueError:
            raise BadMessageError(f"not the size of a chunk: {buffer[position : position + 40]!r}") from None
        self._buffer = buffer[position:]
        return False


def _field(head: bytes, name: bytes) -> bytes | None:
    start = head.find(name)
    if start < 0:
        return None
    start += len(name)
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()
