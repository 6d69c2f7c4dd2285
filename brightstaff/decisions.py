"""What was decided for one request, as `planoai explain` reads it. Pure.

Names, statuses and times, with the model as the client named it; nothing else of what a client or a provider wrote,
and no key.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from brightstaff.conditions import Obstacle
from brightstaff.exchange import Exchange
from brightstaff.routing import Routed
from brightstaff.trail import Hop

Ending = Literal["answered", "failed", "left", "broken"]
"""An answer was passed on to its end, or a failure; the client left; the answer broke off in the middle."""


class PassedOver(msgspec.Struct, frozen=True, omit_defaults=True):
    """A channel that was not asked because something spoke against it."""

    channel: str
    why: str
    left_s: float
    """For so many seconds more."""


class Tried(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt."""

    channel: str
    outcome: str
    """HTTP status or a word, as in the trail."""
    ms: int
    """Until the outcome was known: of an answer, its beginning."""
    passed_over: tuple[PassedOver, ...] = ()
    waited_ms: int = 0
    fault: str = ""
    cause: str = ""
    """A word for what the answer's own words say, where that is more than its status."""
    retry_after_s: float | None = None
    held_against_s: float = 0.0
    other_model: bool = False
    after_content: bool = False


class RouteChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was made of a request by intent. Of the prompt, nothing."""

    route: str | None
    """None: no route fits."""
    why: str = ""
    confidence: float | None = None
    probabilities: dict[str, float] = {}
    none: float | None = None
    backend: str = ""
    ms: int = 0
    pinned: bool = False
    switched: bool = False


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request."""

    at_s: float
    """When it ended, in seconds since the epoch."""
    id: str
    endpoint: str
    asked: str | None
    """The model as the client named it."""
    channel: str
    """What that was taken for."""
    ending: Ending
    status: int
    """What the client got; 0 when it left before."""
    ms: int
    """From its beginning to its end."""
    tried: tuple[Tried, ...] = ()
    chain: tuple[str, ...] = ()
    """Channels that could have been asked, in order."""
    why_no_more: str = ""
    """Why no other channel was asked after the last failure."""
    route: RouteChoice | None = None
    """How it was routed by intent, if it was."""


def record(exchange: Exchange, ending: Ending, status: int, now_s: float, at_s: float) -> Record:
    """The record of a request that has ended. `now_s` is the clock of the exchange, `at_s` the time of day."""
    return Record(
        at_s=at_s,
        id=exchange.id,
        endpoint=exchange.call.suffix,
        asked=exchange.asked,
        channel=exchange.chain[0].name,
        ending=ending,
        status=status,
        ms=_ms(now_s - exchange.started_s),
        tried=tuple(_tried(hop, now_s) for hop in exchange.trail.hops),
        chain=tuple(candidate.name for candidate in exchange.chain),
        why_no_more=exchange.why_no_more,
        route=None if exchange.routed is None else _route(exchange.routed),
    )


def _route(routed: Routed) -> RouteChoice:
    answer = routed.answer
    return RouteChoice(
        route=routed.route,
        why=routed.why,
        confidence=None if routed.confidence is None else round(routed.confidence, 3),
        probabilities={} if answer is None else {name: round(p, 3) for name, p in answer.ranked},
        none=None if answer is None else round(answer.none, 3),
        backend="" if answer is None else answer.backend,
        ms=round(routed.took_ms),
        pinned=routed.pinned,
        switched=routed.switched,
    )


def _tried(hop: Hop, now_s: float) -> Tried:
    ended_s = now_s if hop.ended_s is None else hop.ended_s
    return Tried(
        channel=hop.channel,
        outcome=hop.outcome or "unfinished",
        ms=_ms(ended_s - hop.started_s),
        passed_over=_passed_over(hop.passed_over),
        waited_ms=_ms(hop.waited_s),
        fault=hop.fault,
        cause="" if hop.cause == hop.outcome else hop.cause,
        retry_after_s=hop.retry_after_s,
        held_against_s=round(hop.held_against_s, 3),
        other_model=hop.other_model,
        after_content=hop.after_content,
    )


def _passed_over(found: Sequence[tuple[str, Obstacle]]) -> tuple[PassedOver, ...]:
    return tuple(PassedOver(channel, against.why, round(against.left_s, 3)) for channel, against in found)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


_decoder = msgspec.json.Decoder(Record)


def encode_record(entry: Record) -> bytes:
    """One line of the log, with its line feed."""
    return msgspec.json.encode(entry) + b"\n"


def decode_record(line: bytes) -> Record | None:
    """The record in a line; None for a line that is cut or of another version."""
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError:
        return None
