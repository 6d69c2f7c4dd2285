"""bench.http_messages: reading HTTP/1.1 messages from bytes that arrive in any pieces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.http_messages import BadMessageError, Message, MessageReader

SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\n\r\n"
TRAILERS = CHUNKED[:-2] + b"X-Trailer: 1\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data`, cut at these places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(
    st.lists(st.sampled_from([SIZED, CHUNKED, TRAILERS, EMPTY, REQUEST]), max_size=4),
    st.lists(st.integers(min_value=0)),
)
def test_messages_come_out_whole_however_they_arrive(messages: list[bytes], cuts: list[int]) -> None:
    """The same messages, in order, wherever the bytes are cut, and nothing is left."""
    reader = MessageReader()
    found = [message.body for piece in pieces_of(b"".join(messages), cuts) for message in reader.feed(piece)]
    assert [b"" if each in (EMPTY, REQUEST) else b"hello" for each in messages] == found
    assert reader.is_between_messages


@given(st.lists(st.binary(min_size=1)), st.lists(st.integers(min_value=0)))
def test_chunks_keep_every_byte(chunks: list[bytes], cuts: list[int]) -> None:
    """A body in chunks is put together again, whatever is in it."""
    data = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    data += b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + b"0\r\n\r\n"
    reader = MessageReader()
    found = [message.body for piece in pieces_of(data, cuts) for message in reader.feed(piece)]
    assert [b"".join(chunks)] == found


def test_what_is_known_of_an_answer() -> None:
    """Status and head, in lower case."""
    (message,) = MessageReader().feed(SIZED)
    assert 200 == message.status
    assert Message(b"http/1.1 200 ok\r\ncontent-length: 5", b"hello") == message


def test_progress_within_a_message() -> None:
    """Whether a body has begun, and whether a message is unfinished, is known at any time."""
    reader = MessageReader()
    assert reader.is_between_messages
    assert [] == reader.feed(SIZED[:-5])
    assert (False, False) == (reader.has_body, reader.is_between_messages)
    assert [] == reader.feed(b"he")
    assert reader.has_body


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\n", "how long"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", "could not be read"),
        (CHUNKED.replace(b"3\r\nhel", b"z\r\nhel"), "size of a chunk"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, what: str) -> None:
    """An answer without a length, or with a wrong one, is an error and not an empty answer."""
    with pytest.raises(BadMessageError, match=what):
        MessageReader().feed(data)
