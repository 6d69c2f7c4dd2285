"""brightstaff.decisions: the record of a request, as it is written and read again."""

from collections.abc import Callable

import pytest

from brightstaff import failures
from brightstaff.conditions import Obstacle
from brightstaff.decisions import PassedOver, Record, RouteChoice, Tried, decode_record, encode_record, record
from brightstaff.gateway import Gateway
from brightstaff.retry import Failure, Limits, TryNext
from brightstaff.routing import Routed
from brightstaff.settings import Channel, RetrySettings
from brightstaff.surface import ModelCall
from plano_router.answer import Answer


@pytest.fixture
def gateway(new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]) -> Gateway:
    """Two channels."""
    policy = RetrySettings(("two/n",), default_max_attempts=2)
    return new_gateway(new_channel("one/m", retry=policy), new_channel("two/n"))


def test_everything_that_was_decided(gateway: Gateway) -> None:
    """Who was passed over and why, each attempt, the ending, and why nothing more was tried."""
    exchange = gateway.begin("id-1", ModelCall("/chat/completions", ""), "m", Limits(), 10.0)
    exchange.upcoming = TryNext("one/m", 0.25, (("zero/m", Obstacle(4.0004, "cools down after 429")),))
    exchange.start_attempt(10.25)
    hop = exchange.trail.hops[-1]
    hop.end("429", 10.75)
    hop.fault, hop.cause, hop.retry_after_s, hop.held_against_s = "rate", "rate_limited", 30.0, 30.0
    exchange.fail(Failure("one/m", 429), failures.RESET, 10.75, 0.5)
    exchange.start_attempt(10.75)
    exchange.trail.hops[-1].other_model = True
    exchange.fail(Failure("two/n", 503), failures.RESET, 12.0, 0.5)
    found = record(exchange, "failed", 429, 12.0, 1_000_000.0)
    expected = Record(
        at_s=1_000_000.0,
        id="id-1",
        endpoint="/chat/completions",
        asked="m",
        channel="one/m",
        ending="failed",
        status=429,
        ms=2000,
        tried=(
            Tried(
                "one/m",
                "429",
                500,
                (PassedOver("zero/m", "cools down after 429", 4.0),),
                250,
                "rate",
                "rate_limited",
                30.0,
                30.0,
            ),
            Tried("two/n", "unfinished", 1250, other_model=True),
        ),
        chain=("one/m", "two/n"),
        why_no_more="the policy allows 2 attempts",
    )
    assert expected == found
    line = encode_record(found)
    assert (1, True, expected) == (line.count(b"\n"), line.endswith(b"\n"), decode_record(line))


def test_what_says_the_same_twice_is_said_once(gateway: Gateway) -> None:
    """A cause that is the outcome is left out; that content had gone out is kept."""
    exchange = gateway.begin("id-1", ModelCall("/chat/completions", ""), "m", Limits(), 10.0)
    exchange.start_attempt(10.0)
    hop = exchange.trail.hops[-1]
    hop.end("503", 10.5)
    hop.fault, hop.cause, hop.after_content, hop.held_against_s = "channel", "503", True, 1.00049
    (tried,) = record(exchange, "broken", 200, 11.0, 0.0).tried
    assert Tried("one/m", "503", 500, fault="channel", held_against_s=1.0, after_content=True) == tried


@pytest.mark.parametrize("line", [b"", b"{", b'{"at_s":1}\n', b"[]\n", b"\xff\n"])
def test_a_line_that_is_none(line: bytes) -> None:
    """Cut, or of another version: it is passed over."""
    assert decode_record(line) is None


def test_the_choice_of_a_route(new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]) -> None:
    """Route, why and probabilities travel through the log; of the prompt, nothing."""
    answer = Answer({"code": 0.81234, "chat": 0.1}, 0.08766, "builtin", "said")
    routed = Routed("code", ("one/m",), 0.81234, "because", answer, 1.6, "k", pinned=True)
    exchange = new_gateway(new_channel("one/m")).begin(
        "id", ModelCall("/chat/completions", ""), "x", Limits(), 0.0, routed
    )
    entry = decode_record(encode_record(record(exchange, "answered", 200, 1.0, 2.0)))
    assert entry is not None
    assert RouteChoice("code", "because", 0.812, {"code": 0.812, "chat": 0.1}, 0.088, "builtin", 2, True) == entry.route
