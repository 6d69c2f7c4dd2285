"""planoai.simulator.steps: what can be done to the steps of an answer."""

import zlib
from collections.abc import Iterable

import pytest

from planoai.simulator.steps import Cut, Stall, Step, Wait, Write, compressed, ended_after, split, whole


def plain(steps: Iterable[Step]) -> list[Step]:
    return [Write(bytes(step.data)) if isinstance(step, Write) else step for step in steps]


def test_whole_body_in_pieces() -> None:
    """A body is complete, and in pieces that leave room for others."""
    body = bytes(range(256)) * 1000
    steps = plain(whole(body))
    assert body == b"".join(step.data for step in steps if isinstance(step, Write))
    assert [65536, 65536, 65536, 59392] == [len(step.data) for step in steps if isinstance(step, Write)]


def test_split() -> None:
    """Pieces of the size asked for, a wait after each; other steps stay where they are."""
    steps = plain(split([Write(b"abcde"), Wait(1), Write(b"f")], 2, 0.5))
    wait = Wait(0.5)
    assert [Write(b"ab"), wait, Write(b"cd"), wait, Write(b"e"), wait, Wait(1), Write(b"f"), wait] == steps


@pytest.mark.parametrize(
    ("most", "steps"),
    [
        (0, [Cut()]),
        (1, [Write(b"a"), Cut()]),
        (2, [Write(b"ab"), Cut()]),
        (3, [Write(b"ab"), Wait(1), Write(b"c"), Cut()]),
        (4, [Write(b"ab"), Wait(1), Write(b"cd"), Cut()]),
        (5, [Write(b"ab"), Wait(1), Write(b"cd")]),
    ],
)
def test_ended_after(most: int, steps: list[Step]) -> None:
    """Exactly so many bytes are written before the end; a shorter body is left alone."""
    assert steps == plain(ended_after([Write(b"ab"), Wait(1), Write(b"cd")], most, Cut()))


def test_end_may_be_a_stall() -> None:
    """Any end is possible."""
    assert [Write(b"a"), Stall()] == plain(ended_after([Write(b"ab")], 1, Stall()))


def test_compressed_writes_can_be_read_at_once() -> None:
    """Each write can be decompressed as soon as it is there, and together they are a complete gzip file."""
    decompressor = zlib.decompressobj(wbits=31)
    got = [
        Write(decompressor.decompress(step.data)) if isinstance(step, Write) else step
        for step in compressed([Write(b"first"), Wait(1), Write(b"second")])
    ]
    assert [Write(b"first"), Wait(1), Write(b"second"), Write(b"")] == got
    assert decompressor.eof
