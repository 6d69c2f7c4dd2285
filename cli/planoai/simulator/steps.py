"""What an answer consists of, step by step, and what can be done to the steps: compress, split, cut, stall. No I/O."""

import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Write(NamedTuple):
    """Send these bytes of the body."""

    data: bytes | memoryview


class Wait(NamedTuple):
    """Do nothing for a while."""

    seconds: float


class Cut(NamedTuple):
    """End the connection: with a reset, or an ordinary close."""

    reset: bool = True


class Stall(NamedTuple):
    """Do nothing more, and leave the connection open."""


Step = Write | Wait | Cut | Stall

#: Pieces in which a body that is there as a whole is written: the largest that needs no copy of everything.
_PIECE_BYTES = 64 * 1024


def whole(body: bytes) -> Iterator[Step]:
    """A body, in pieces that leave room for other connections between them."""
    view = memoryview(body)
    for start in range(0, len(body), _PIECE_BYTES):
        yield Write(view[start : start + _PIECE_BYTES])


def compressed(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps with a gzipped body; every write can be decompressed as soon as it has arrived."""
    compressor = zlib.compressobj(wbits=31)
    for step in steps:
        if isinstance(step, Write):
            yield Write(compressor.compress(step.data) + compressor.flush(zlib.Z_SYNC_FLUSH))
        else:
            yield step
    yield Write(compressor.flush())


def split(steps: Iterable[Step], piece_bytes: int, interval_s: float) -> Iterator[Step]:
    """The steps with writes of at most `piece_bytes`, and `interval_s` after each of them."""
    for step in steps:
        if not isinstance(step, Write):
            yield step
            continue
        view = memoryview(step.data)
        for start in range(0, len(view), piece_bytes):
            yield Write(view[start : start + piece_bytes])
            yield Wait(interval_s)


def ended_after(steps: Iterable[Step], most_bytes: int, end: Cut | Stall) -> Iterator[Step]:
    """The steps until `most_bytes` of the body are written, and then `end`; unchanged when the body is shorter."""
    left = most_bytes
    if left == 0:
        yield end
        return
    for step in steps:
        if isinstance(step, Write):
            if len(step.data) >= left:
                yield Write(step.data[:left])
                yield end
                return
            left -= len(step.data)
        yield step
