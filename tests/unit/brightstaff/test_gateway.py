"""brightstaff.gateway: what all attempts share."""

import json
from collections.abc import Callable
from dataclasses import replace
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
from brightstaff.routing import Pin, Routed
from brightstaff.settings import Channel, HighLatencyRule, RetryAfterHandling, RetrySettings, Settings
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


def test_the_fastest_channel_comes_first(scene: Scene) -> None:
    """Those without a figure are tried first; then the quickest leads. Other routes keep their order."""
    route = Routed("code", ("m", "two/m", "gone/x"), fastest=True)
    assert route == replace(route, models=scene.gateway.by_speed(route, streams=True, now_s=0.0).models)
    for name, took_s in (("one/m", 3.0), ("two/m", 0.5)):
        models = scene.gateway.by_speed(route, streams=True, now_s=0.0).models
        exchange = scene.gateway.begin(
            name, ModelCall("/chat/completions", ""), None, Limits(), 0.0, replace(route, models=models), streams=True
        )
        assert name == scene.gateway.start_attempt(exchange, 0.0).name
        scene.gateway.note_answer(exchange, took_s, took_s)
    assert ("gone/x", "two/m", "m") == scene.gateway.by_speed(route, streams=True, now_s=4.0).models
    assert route.models == scene.gateway.by_speed(route, streams=False, now_s=4.0).models
    as_written = replace(route, fastest=False)
    assert as_written is scene.gateway.by_speed(as_written, streams=True, now_s=4.0)


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


def cool(scene: Scene, name: str, left_s: float = 9.0) -> None:
    """A channel cools down for so long."""
    begins_s = scene.now_s
    condition = Condition(1, begins_s, begins_s + left_s, "503", 503)
    scene.ledger.change({channel_subject(name): lambda _: condition})


def test_who_goes_elsewhere_may_get_the_trial_there(scene: Scene) -> None:
    """The channel that is chosen instead has one request for its trial as well."""
    for name in ("one/m", "two/m"):
        cool(scene, name)
    scene.now_s += 10
    quick, late, later = scene.begin("id-1"), scene.begin("id-2"), scene.begin("id-3")
    found = [scene.gateway.start_attempt(each, 0.0).name for each in (quick, late, later)]
    assert ["one/m", "two/m", "three/m"] == found


def test_when_every_channel_is_being_tried_one_is_asked_all_the_same(scene: Scene) -> None:
    """Nobody is turned away because of a trial."""
    for name in ("one/m", "two/m", "three/m"):
        cool(scene, name)
    scene.now_s += 10
    for number in range(3):
        scene.gateway.start_attempt(scene.begin(f"id-{number}"), 0.0)
    assert "one/m" == scene.gateway.start_attempt(scene.begin("id-9"), 0.0).name


def test_what_speaks_against_channels_is_known_from_the_beginning(
    scene: Scene, new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]
) -> None:
    """Of the whole chain; without a policy nothing is looked up, for there is no choice."""
    cool(scene, "two/m")
    assert ["two/m"] == list(scene.begin().obstacles)
    alone = new_gateway(new_channel("one/m"))
    for id_ in ("id-1", "id-2"):
        exchange = alone.begin(id_, ModelCall("/chat/completions", ""), "one/m", Limits(), 0.0)
        assert ({}, TryNext("one/m")) == (exchange.obstacles, exchange.upcoming)
        assert "one/m" == alone.start_attempt(exchange, 0.0).name
        alone.hold_against(exchange, Setback(Fault.CHANNEL, "503", 503), 1.0)


def chain_of(gateway: Gateway, suffix: str = "/chat/completions") -> list[str]:
    """The channels that a request for one/m may be sent to."""
    return [each.name for each in gateway.begin("id-1", ModelCall(suffix, ""), "one/m", Limits(), 0.0).chain]


def test_which_channels_are_in_the_chain(
    new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]
) -> None:
    """Fallbacks also through a wildcard or an alias; no wildcard by itself; for embeddings the same model only."""
    policy = RetrySettings(("wild/x", "best", "nowhere/y"))
    channels = (new_channel("one/m", retry=policy), *map(new_channel, ("two/n", "three/m", "wild/*")))
    gateway = new_gateway(*channels, aliases={"best": "two/n"})
    assert ["one/m", "wild/x", "two/n", "three/m"] == chain_of(gateway)
    plain = new_gateway(new_channel("one/m", retry=RetrySettings()), *channels[1:])
    assert ["one/m", "three/m", "two/n"] == chain_of(plain)
    assert ["one/m", "three/m"] == chain_of(plain, "/embeddings")


def test_a_hint_is_capped_by_who_governs(new_channel: Callable[..., Channel]) -> None:
    """The policy's `max_retry_after_seconds`; five minutes where there is no policy."""
    day = Setback(Fault.RATE, "429", 429, hint_s=86_400.0)
    capped = Scene(new_channel, retry_after=RetryAfterHandling(max_s=60.0))
    exchange = capped.begin()
    capped.gateway.start_attempt(exchange, 0.0)
    capped.gateway.hold_against(exchange, day, 1.0)
    other = capped.gateway.begin("id-2", ModelCall("/chat/completions", ""), "two/m", Limits(), 0.0)
    capped.gateway.start_attempt(other, 0.0)
    capped.gateway.hold_against(other, day, 1.0)
    assert [60.0, 300.0] == [each.trail.hops[0].held_against_s for each in (exchange, other)]


def test_requests_of_the_same_moment_meet_the_same_trouble(scene: Scene) -> None:
    """What was sent before the first of them failed does not lengthen the cool-down."""
    requests = [scene.begin(f"id-{number}") for number in range(5)]
    for each in requests:
        scene.gateway.start_attempt(each, 0.0)
    for each in requests:
        scene.now_s += 0.1
        scene.fail(each, Setback(Fault.CHANNEL, "503", 503), 5.0)
    assert 1 == scene.ledger.conditions()[channel_subject("one/m")].failures_in_a_row
    assert ["503"] * 5 == [each.trail.hops[0].cause for each in requests]


def test_without_a_log_of_decisions(new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]) -> None:
    """Nothing is recorded, and nothing is missed."""
    gateway = new_gateway(new_channel("one/m"))
    exchange = gateway.begin("id-1", ModelCall("/chat/completions", ""), "one/m", Limits(), 0.0)
    gateway.close(exchange, "answered", 200, 1.0)
    gateway.tick(2.0)
    assert 0 == len(gateway.exchanges)


# -------------------------------------------------------------------- chains of routes

CALL = ModelCall("/chat/completions", "")


def routed_chain(gateway: Gateway, asked: str | None, *models: str) -> list[str]:
    """The chain of a request that was routed to these models; none: no route fits."""
    route = "r" if models else None
    return [each.name for each in gateway.begin("id", CALL, asked, Limits(), 0.0, Routed(route, models)).chain]


def test_each_model_of_a_route_is_followed_by_its_own_fallbacks(
    new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]
) -> None:
    """Then come the others, if the policy of the first allows it."""
    policy = {"a/m": ("c/m",), "b/m": ("d/m", "c/m")}
    channels = [
        new_channel(name, retry=RetrySettings(fallback_models=policy[name]) if name in policy else None)
        for name in ("z/m", "a/m", "b/m", "c/m", "d/m")
    ]
    assert ["a/m", "c/m", "b/m", "d/m", "z/m"] == routed_chain(new_gateway(*channels), "x", "a/m", "b/m")


def test_a_route_without_a_policy_stays_within_itself(
    new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]
) -> None:
    """Its other models are there to follow the first; a single one is asked once, as without routing."""
    gateway = new_gateway(*(new_channel(name) for name in ("z/m", "a/m", "b/m")))
    assert ["a/m", "b/m"] == routed_chain(gateway, "x", "a/m", "b/m")
    assert ["a/m"] == routed_chain(gateway, "x", "a/m")


@pytest.mark.parametrize(
    ("default", "asked", "expected"),
    [(True, "a/m", "b/m"), (False, "a/m", "a/m"), (False, "auto", "a/m"), (True, "auto", "b/m"), (False, "m", "a/m")],
)
def test_nothing_fits(
    new_gateway: Callable[..., Gateway],
    new_channel: Callable[..., Channel],
    default: bool,
    asked: str,
    expected: str,
) -> None:
    """The default channel; without one what the client named; for `auto` the first."""
    gateway = new_gateway(new_channel("a/m"), new_channel("b/m", default=default))
    assert expected == routed_chain(gateway, asked)[0]


def test_who_answered_is_remembered(new_channel: Callable[..., Channel]) -> None:
    """Of a conversation that was routed; also where failover led."""
    told: list[tuple[str, Pin]] = []
    gateway = Gateway(
        Settings("/nowhere", "/nowhere", (new_channel("a/m"), new_channel("b/m"))),
        remember=lambda session, pin: told.append((session, pin)),
    )
    for session in ("k", ""):
        routed = Routed("r", ("b/m", "a/m"), session=session)
        exchange = gateway.begin("id", CALL, "x", Limits(), 0.0, routed)
        gateway.start_attempt(exchange, 0.0)
        gateway.note_answer(exchange, 0.5, 1.0)
    assert [("k", Pin("r", "b/m"))] == told
