"""What an attempt wants done. `codec` turns these into messages for Envoy."""

from dataclasses import dataclass

from brightstaff.headers import Header


@dataclass(frozen=True)
class ForwardRequest:
    """Send the request on, with these header changes and this whole body."""

    set_headers: list[Header]
    remove_headers: list[str]
    body: bytes
    trailers: bool = False
    """The client's request ended with trailers; they end ours."""


@dataclass(frozen=True)
class ForwardHeaders:
    """Let the response's headers through, with these changes."""

    set_headers: list[Header]
    remove_headers: list[str]


@dataclass(frozen=True)
class ForwardBody:
    """Bytes of the response body."""

    data: bytes
    end_of_stream: bool


@dataclass(frozen=True)
class ForwardTrailers:
    """Let the response's trailers through."""


@dataclass(frozen=True)
class Reply:
    """Answer from here; whatever Envoy has of this attempt is dropped."""

    status: int
    headers: list[Header]
    body: bytes
    details: str
    """For Envoy's log: a word, no spaces."""


Command = ForwardRequest | ForwardHeaders | ForwardBody | ForwardTrailers | Reply
