"""planoai.simulator.content: text cut into chunks of the number and size asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planoai.simulator.content import cut_content


@pytest.mark.parametrize(
    ("text", "chunks", "pieces"),
    [
        ("one two  three", None, ["one ", "two  ", "three"]),
        ("", None, []),
        ("  ", None, ["  "]),
        ("one two three", 0, []),
        ("one two three", 1, ["one two three"]),
        ("one two three", 2, ["one ", "two three"]),
        ("one two", 4, ["one ", "two", "token ", "token "]),
    ],
)
def test_words(text: str, chunks: int | None, pieces: list[str]) -> None:
    """Without a size, chunks are words: joined when there are too many, filled up when too few."""
    assert pieces == list(cut_content(text, chunks, None))


@given(st.text(max_size=200), st.none() | st.integers(0, 60), st.integers(1, 40))
def test_sizes_are_exact(text: str, chunks: int | None, chunk_bytes: int) -> None:
    """With a size, every chunk has exactly so many bytes, whatever characters the text is made of."""
    content = cut_content(text, chunks, chunk_bytes)
    pieces = list(content)
    assert all(len(piece.encode()) == chunk_bytes for piece in pieces)
    assert len(content) == len(pieces)
    assert chunks is None or chunks == len(pieces)
    assert "".join(pieces) == content.text()


@given(st.text(max_size=200))
def test_words_lose_nothing(text: str) -> None:
    """The words of a text are the text."""
    assert text == cut_content(text, None, None).text()


def test_text_comes_before_the_filling() -> None:
    """A long answer begins with what it says."""
    assert cut_content("hello 模型", 3, 8).text() == "hello ..模型..The quic"


def test_repeated_chunks_are_one_object() -> None:
    """A hundred megabytes of content are not a hundred megabytes of memory."""
    pieces = list(cut_content("x", 100_000, 1000))
    assert pieces[-1] is pieces[1]
