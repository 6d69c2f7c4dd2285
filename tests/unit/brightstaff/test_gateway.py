"""brightstaff.gateway: what all attempts share."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from brightstaff import failures
from brightstaff.conditions import Condition, Setback
from brightstaff.decisions import Record
from brightstaff.exchange import Exchange
from brightstaff.gateway import Gateway
from brightstaff.health import channel_subject
from brightstaff.ledger import MemoryLedger
from brightstaff.retry import Decision, Failure, Limits, TryNext
from brightstaff.settings import Channel, HighLatencyRule, RetrySettings, Settings
from brightstaff.surface import ModelCall
from brightstaff.verdict import Fault


def test_it_has_what_the_settings_say(new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]) -> None:
    """Channels, aliases and limits arrive; nothing is under way."""
    gateway = new_gateway(new_channel("one/m"), aliases={"a": "one/m"}, max_request_bytes=5, max_attempts=7)
    assert ("one/m", 5, 7, 0) == (
        gateway.catalog.resolve("a").name,
        gateway.max_request_bytes,
        gateway.max_attempts,
        len(gateway.exchanges),
    )


def test_too_large_names_the_limit_and_the_setting(new_gateway: Callable[..., Gateway]) -> None:
    """A client learns how much is allowed and where it is configured."""
    error = new_gateway(max_request_bytes=12345).too_large()
    message = json.loads(error.body())["error"]["message"]
    assert (413, "request_too_large") == (error.status, error.code)
    assert "12345 bytes" in message
    assert "max_request_bytes" in message


# -------------------------------------------------------------------- what is known of channels


class Scene:
    """A gateway with a chain of three channels, a ledger, a log of decisions and a clock that stands still."""

    def __init__(self, new_channel: Callable[..., Channel], **policy: Any) -> None:
        fields: dict[str, Any] = {"fallback_models": ("two/m", "three/m"), "default_max_attempts": 3}
        retry = RetrySettings(**(fields | policy))
        channels = (new_channel("one/m", retry=retry), new_channel("two/m"), new_channel("three/m"))
        self.now_s = 1_000_000.0
        self.ledger = MemoryLedger()
        self.records: list[Record] = []
        self.flushed = 0
        self.gateway = Gateway(
            Settings("/nowhere", "/nowhere", channels),
            chance=lambda: 0.5,
            wall_clock=lambda: self.now_s,
            ledger=self.ledger,
            decisions=self,
        )

    def write(self, entry: Record) -> None:
        """As a sink of decisions."""
        self.records.append(entry)

    def flush(self) -> None:
        """As a sink of decisions."""
        self.flushed += 1

    def begin(self, id_: str = "id-1", **limits: Any) -> Exchange:
        """A request for the first channel."""
        return self.gateway.begin(id_, ModelCall("/chat/completions", ""), "one/m", Limits(**limits), 0.0)

    def fail(self, exchange: Exchange, setback: Setback | None, at_s: float = 1.0) -> Decision:
        """The attempt that runs fails with 503."""
        failure = Failure(exchange.target.name, 503, retry_after_s=None if setback is None else setback.hint_s)
        return self.gateway.fail(exchange, failure, setback, failures.RESET, at_s)


@pytest.fixture
def scene(new_channel: Callable[..., Channel]) -> Scene:
    """A new one."""
    return Scene(new_channel)


def test_a_failure_is_told_to_later_requests(scene: Scene) -> None:
    """The hop notes whose fault it was and for how long it is held against the channel."""
    first = scene.begin()
    scene.gateway.start_attempt(first, 0.0)
    assert TryNext("two/m") == scene.fail(first, Setback(Fault.RATE, "429", 429, hint_s=5000.0))
    hop = first.trail.hops[0]
    assert ("rate", 5000.0, 300.0) == (hop.fault, hop.retry_after_s, hop.held_against_s), "capped at five minutes"
    second = scene.begin("id-2")
    assert second.upcoming is not None
    assert ("two/m", ("one/m",)) == (second.upcoming.channel, tuple(name for name, _ in second.upcoming.passed_over))


def test_a_callers_mistake_is_held_against_nobody(scene: Scene) -> None:
    """The next request goes the same way; a trial that it was is free again."""
    first = scene.begin()
    scene.gateway.start_attempt(first, 0.0)
    scene.fail(first, None)
    assert ("caller", {}) == (first.trail.hops[0].fault, scene.ledger.conditions())


def test_who_comes_second_to_a_trial_goes_elsewhere(scene: Scene) -> None:
    """Both had chosen the channel; one of them tries it."""
    failed = scene.begin("id-0")
    scene.gateway.start_attempt(failed, 0.0)
    scene.fail(failed, Setback(Fault.CHANNEL, "503", 503))
    scene.now_s += 10.0
    quick, late = scene.begin("id-1"), scene.begin("id-2")
    assert "one/m" == scene.gateway.start_attempt(quick, 0.0).name
    assert "two/m" == scene.gateway.start_attempt(late, 0.0).name
    scene.gateway.note_answer(quick, 0.5, 1.0)
    assert {} == scene.ledger.conditions()


def test_a_deadline_is_acted_on_when_somebody_free_would_follow(scene: Scene) -> None:
    """Not when the others cool down: a slow answer is better than none."""
    timeout = Failure("one/m", 504, timeout=True)
    waiting = scene.begin()
    scene.gateway.start_attempt(waiting, 0.0)
    assert scene.gateway.would_follow(waiting, timeout, 1.0)
    assert not scene.gateway.would_follow(scene.begin("id-2", fallback=False), timeout, 1.0)
    for name in ("two/m", "three/m"):
        scene.ledger.change({channel_subject(name): lambda _: Condition(until_s=scene.now_s + 9, cause="503")})
    assert not scene.gateway.would_follow(waiting, timeout, 1.0)


def test_slow_answers_lead_elsewhere(new_channel: Callable[..., Channel]) -> None:
    """By the policy's rule, at the beginning of an answer or at its end."""
    for measure in ("ttfb", "total"):
        scene = Scene(new_channel, on_high_latency=HighLatencyRule(2.0, measure))  # type: ignore[arg-type]
        exchange = scene.begin()
        scene.gateway.start_attempt(exchange, 0.0)
        scene.gateway.note_answer(exchange, 2.5 if measure == "ttfb" else 1.0, 3.0)
        scene.gateway.note_end(exchange, 3.5)
        assert "two/m" == scene.gateway.start_attempt(scene.begin("id-2"), 4.0).name


def test_the_end_is_recorded(scene: Scene) -> None:
    """Once per request; also of one whose client never came back."""
    exchange = scene.begin()
    scene.gateway.start_attempt(exchange, 0.0)
    scene.gateway.close(exchange, "answered", 200, 2.0)
    left = scene.begin("id-2")
    scene.gateway.exchanges.rest(left, 1.0)
    scene.gateway.tick(100.0)
    assert [("id-1", "answered", 200), ("id-2", "left", 0)] == [(r.id, r.ending, r.status) for r in scene.records]
    assert (0, 1) == (len(scene.gateway.exchanges), scene.flushed)


def test_a_provider_that_breaks_off(scene: Scene) -> None:
    """`egress` tells which streams ended so: it is held against the channel, and recorded as what it was."""
    exchange = scene.begin()
    scene.gateway.start_attempt(exchange, 0.0)
    exchange.trail.hops[-1].end("200", 1.0)
    scene.gateway.note_broken("id-unknown", 1, 2.0)
    scene.gateway.note_broken("id-1", 2, 2.0)
    assert {} == scene.ledger.conditions(), "neither of them is this attempt"
    scene.gateway.note_broken("id-1", 1, 2.0)
    assert "cut_short" == scene.ledger.conditions()[channel_subject("one/m")].cause
    scene.gateway.exchanges.rest(exchange, 2.0)
    scene.gateway.tick(3.5)
    (found,) = scene.records
    assert ("broken", 200, 2000) == (found.ending, found.status, found.ms)
    assert ("cut_short", True) == (found.tried[0].outcome, found.tried[0].after_content)


def test_news_of_an_attempt_that_is_over(scene: Scene) -> None:
    """`ingress` came back before the news: the attempt has been noted already."""
    exchange = scene.begin()
    scene.gateway.start_attempt(exchange, 0.0)
    scene.fail(exchange, None)
    scene.gateway.note_broken("id-1", 1, 2.0)
    assert {} == scene.ledger.conditions()


def test_counts_are_handed_on(scene: Scene) -> None:
    """At every tick."""
    exchange = scene.begin()
    scene.gateway.start_attempt(exchange, 0.0)
    scene.gateway.note_answer(exchange, 0.5, 1.0)
    scene.gateway.tick(1.0)
    assert 1 == sum(scene.ledger.traffic.values())
