"""The text of an answer, cut into the chunks of a stream; long answers are built from one repeated piece."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

_FILLER = "The quick brown fox jumps over the lazy dog. "
_WORD = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True, slots=True)
class Content:
    """Chunks of text: `head`, and then `filler_count` times `filler`."""

    head: tuple[str, ...]
    filler: str = ""
    filler_count: int = 0

    def __iter__(self) -> Iterator[str]:
        """The chunks, in order; the repeated ones are the same object."""
        yield from self.head
        yield from repeat(self.filler, self.filler_count)

    def __len__(self) -> int:
        return len(self.head) + self.filler_count

    def text(self) -> str:
        """All chunks as one text."""
        return "".join(self.head) + self.filler * self.filler_count


def cut_content(text: str, chunks: int | None, chunk_bytes: int | None) -> Content:
    """`text` as words, as `chunks` pieces, as pieces of `chunk_bytes` bytes of UTF-8, or both, filled up or cut off."""
    if chunk_bytes is None:
        words = _WORD.findall(text) or ([text] if text else [])
        if chunks is None:
            return Content(tuple(words))
        if chunks <= len(words):
            kept = words[: chunks - 1] if chunks else []
            rest = "".join(words[chunks - 1 :]) if chunks else ""
            return Content((*kept, rest) if chunks else ())
        return Content(tuple(words), "token ", chunks - len(words))
    head = _pieces(text, chunk_bytes, chunks)
    filler = (_FILLER * (chunk_bytes // len(_FILLER) + 1))[:chunk_bytes]
    return Content(head, filler, 0 if chunks is None else chunks - len(head))


def _pieces(text: str, size_bytes: int, most: int | None) -> tuple[str, ...]:
    """Pieces of exactly `size_bytes` each, the last one filled with dots; no character is cut apart."""
    pieces: list[str] = []
    encoded = text.encode("utf-8", "replace")
    start = 0
    while start < len(encoded) and (most is None or len(pieces) < most):
        end = min(start + size_bytes, len(encoded))
        while end < len(encoded) and end > start and encoded[end] & 0xC0 == 0x80:
            end -= 1
        if end == start:
            # The character is larger than a piece.
            pieces.append("?" * size_bytes)
            start += 1
            while start < len(encoded) and encoded[start] & 0xC0 == 0x80:
                start += 1
            continue
        piece = encoded[start:end].decode()
        pieces.append(piece + "." * (size_bytes - (end - start)))
        start = end
    return tuple(pieces)
