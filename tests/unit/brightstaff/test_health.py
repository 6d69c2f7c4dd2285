"""brightstaff.health: what is held against channels, keys and prefixes, and when a request goes elsewhere."""

from collections.abc import Callable

import pytest

from brightstaff.catalog import Target
from brightstaff.conditions import GROWTH, TRIAL_LEASE_S, Setback
from brightstaff.health import Health, channel_subject, key_subjects, prefix_subject
from brightstaff.ledger import LastError, MemoryLedger
from brightstaff.settings import Channel, HighLatencyRule, RetryAfterHandling
from brightstaff.traffic import FAILED
from brightstaff.verdict import Fault

NewChannel = Callable[..., Channel]

GLOBAL = RetryAfterHandling()
BROKEN = Setback(Fault.CHANNEL, "503", 503)
LIMITED = Setback(Fault.RATE, "429", 429, hint_s=30.0)
REFUSED = Setback(Fault.KEY, "quota", 403)


class Scene:
    """Four channels, two of them with one key and two with one prefix; a ledger and a clock."""

    def __init__(self, new_channel: NewChannel) -> None:
        self.now_s = 1_000_000.0
        self.ledger = MemoryLedger()
        self.channels = (
            new_channel("one/a", key="k1", key_name="$ONE"),
            new_channel("one/b", key="k2", key_name="literal key"),
            new_channel("two/a", key="k1", key_name="$SAME"),
            new_channel("free/a", key=None),
            new_channel("wild/*", key="k3", key_name="$WILD"),
        )
        self.health = Health(self.channels, self.ledger, lambda: self.now_s)

    def target(self, name: str) -> Target:
        """The target of this name."""
        for channel in self.channels:
            if channel.name == name or (channel.is_wildcard and name.startswith(f"{channel.prefix}/")):
                return Target(channel, name.partition("/")[2])
        raise LookupError(name)

    def fail(self, name: str, setback: Setback = BROKEN, handling: RetryAfterHandling = GLOBAL) -> float:
        """An attempt of a second failed."""
        self.now_s += 1.0
        return self.health.note_failure(self.target(name), setback, handling, "id-f", 1.0)

    def answer(self, name: str, took_s: float = 0.1, rule: HighLatencyRule | None = None) -> None:
        """An attempt was answered."""
        self.health.note_answer(self.target(name), took_s, took_s, rule)

    def blocked(self, request_id: str = "id") -> list[str]:
        """Against whom something speaks."""
        names = ["one/a", "one/b", "two/a", "free/a", "wild/x", "wild/y"]
        return sorted(self.health.obstacles([self.target(name) for name in names], request_id))


@pytest.fixture
def scene(new_channel: NewChannel) -> Scene:
    """A new one."""
    return Scene(new_channel)


def test_keys_are_told_apart_by_their_value(scene: Scene) -> None:
    """Equal keys have one subject, named after the first variable; a literal one is named after its channel."""
    assert {"one/a": "key $ONE", "one/b": "key of one/b", "two/a": "key $ONE", "wild/*": "key $WILD"} == key_subjects(
        scene.channels
    )


def test_a_callers_own_key_is_no_ones(new_channel: NewChannel) -> None:
    """With `passthrough_auth` the configured key is not used."""
    assert {} == key_subjects([new_channel("one/a", passthrough_auth=True)])


def test_all_is_well_at_first(scene: Scene) -> None:
    """No obstacle, no trial."""
    assert ([], True) == (scene.blocked(), scene.health.claim(scene.target("one/a"), "id"))
    scene.health.abandon(scene.target("one/a"), "id")
    assert {} == scene.ledger.conditions()


def test_a_broken_channel_cools_down_alone(scene: Scene) -> None:
    """For a second at first; it is told for how long."""
    assert GROWTH[Fault.CHANNEL].first_s == scene.fail("one/a")
    assert ["one/a"] == scene.blocked()
    scene.now_s += 1.0
    assert [] == scene.blocked()


def test_a_key_cools_down_every_channel_that_has_it(scene: Scene) -> None:
    """Under whatever name; a channel without a key only itself."""
    scene.fail("two/a", REFUSED)
    assert ["one/a", "two/a"] == scene.blocked()
    scene.answer("one/a")
    assert [] != scene.blocked(), "it was sent before"
    scene.now_s += 1
    scene.answer("one/a")
    assert [] == scene.blocked()
    scene.fail("free/a", REFUSED)
    assert ["free/a"] == scene.blocked()


def test_each_model_of_a_wildcard_for_itself(scene: Scene) -> None:
    """But for their key."""
    scene.fail("wild/x")
    assert ["wild/x"] == scene.blocked()
    scene.fail("wild/x", REFUSED)
    assert ["wild/x", "wild/y"] == scene.blocked()


def test_a_retry_after_of_the_provider(scene: Scene) -> None:
    """`scope: provider` blocks the prefix; without a hint a failure is the channel's own."""
    whole = RetryAfterHandling("provider")
    assert 30.0 == scene.fail("one/a", LIMITED, whole)
    assert ["one/a", "one/b"] == scene.blocked()
    assert {prefix_subject("one")} == set(scene.ledger.conditions())
    scene.now_s += 31
    scene.fail("one/b", BROKEN, whole)
    assert channel_subject("one/b") in scene.ledger.conditions()


def test_a_retry_after_for_one_request_only(scene: Scene) -> None:
    """`apply_to: request` remembers nothing but the error; a failure without a hint is remembered."""
    brief = RetryAfterHandling(apply_to="request")
    assert 0.0 == scene.fail("one/a", LIMITED, brief)
    assert ([], {"one/a"}) == (scene.blocked(), set(scene.ledger.errors))
    scene.fail("one/a", BROKEN, brief)
    assert ["one/a"] == scene.blocked()


def test_the_longer_obstacle_is_told(scene: Scene) -> None:
    """Of a channel's own and its key's."""
    scene.fail("one/a", LIMITED)
    scene.fail("two/a", REFUSED)
    found = scene.health.obstacles([scene.target("one/a")], "id")["one/a"]
    assert "cools down after quota" == found.why


def test_one_request_gets_the_trial(scene: Scene) -> None:
    """Others go elsewhere until it has an outcome."""
    scene.fail("one/a")
    scene.now_s += 2
    assert [] == scene.blocked()
    assert scene.health.claim(scene.target("one/a"), "id-1")
    assert not scene.health.claim(scene.target("one/a"), "id-2")
    assert ([], ["one/a"]) == (scene.blocked("id-1"), scene.blocked("id-2"))
    scene.health.abandon(scene.target("one/a"), "id-2")
    assert ["one/a"] == scene.blocked("id-2")
    scene.health.abandon(scene.target("one/a"), "id-1")
    assert [] == scene.blocked("id-2")
    assert scene.health.claim(scene.target("one/a"), "id-2")
    scene.now_s += 1
    scene.answer("one/a")
    assert {} == scene.ledger.conditions()


def test_a_failed_trial_of_something_else_ends(scene: Scene) -> None:
    """An attempt that tried the key and met a broken channel says nothing about the key: the next one tries it."""
    scene.fail("one/a", REFUSED)
    scene.now_s += 60
    scene.health.claim(scene.target("one/a"), "id-f")
    scene.fail("one/a", BROKEN)
    assert "" == scene.ledger.conditions()["key $ONE"].trial_of


def test_slow_answers(scene: Scene) -> None:
    """`ttfb` counts when an answer begins, `total` when it ends; quick ones do nothing."""
    first = HighLatencyRule(0.5)
    scene.answer("one/a", 0.4, first)
    assert [] == scene.blocked()
    scene.answer("one/a", 0.6, first)
    assert ["one/a"] == scene.blocked()
    total = HighLatencyRule(0.5, "total")
    scene.answer("two/a", 9.0, total)
    scene.health.note_end(scene.target("two/a"), 0.4, total)
    scene.health.note_end(scene.target("free/a"), 9.0, None)
    scene.health.note_end(scene.target("free/a"), 9.0, first)
    assert ["one/a"] == scene.blocked()
    scene.health.note_end(scene.target("two/a"), 0.6, total)
    assert ["one/a", "two/a"] == scene.blocked()


def test_what_is_counted_goes_to_the_ledger(scene: Scene) -> None:
    """Once; and the last error with the request that met it."""
    scene.answer("one/a", 0.008)
    scene.fail("one/a")
    minute = int(scene.now_s // 60)
    scene.health.flush()
    scene.health.flush()
    assert {("one/a", minute, 12): 1, ("one/a", minute, FAILED): 1} == scene.ledger.traffic
    assert LastError("one/a", scene.now_s, "503", "id-f") == scene.ledger.errors["one/a"]


def test_those_under_way_do_not_make_it_worse(scene: Scene) -> None:
    """When an attempt was sent counts, not when it failed: two of the same moment are one failure."""
    for _ in range(2):
        scene.now_s += 0.1
        scene.health.note_failure(scene.target("one/a"), BROKEN, GLOBAL, "id-f", 5.0)
    assert 1 == scene.ledger.conditions()[channel_subject("one/a")].failures_in_a_row


def test_a_trial_is_refused_to_the_second(scene: Scene) -> None:
    """Until it has an outcome, or its lease is over: then the next one tries."""
    scene.fail("one/a")
    scene.now_s += 2
    claims = [scene.health.claim(scene.target("one/a"), id_) for id_ in ("id-1", "id-2", "id-1")]
    assert [True, False, True] == claims
    scene.now_s += TRIAL_LEASE_S
    assert [] == scene.blocked("id-2")
    assert scene.health.claim(scene.target("one/a"), "id-2")
    assert not scene.health.claim(scene.target("one/a"), "id-1")


def test_a_trial_that_only_its_own_request_may_remember(scene: Scene) -> None:
    """With `apply_to: request` a limited trial leaves no outcome behind: the next request tries at once."""
    scene.fail("one/a")
    scene.now_s += 2
    assert scene.health.claim(scene.target("one/a"), "id-f")
    assert 0.0 == scene.fail("one/a", LIMITED, RetryAfterHandling(apply_to="request"))
    assert [] == scene.blocked("id-2")


def test_a_key_is_tried_by_one_request_for_all_its_channels(scene: Scene) -> None:
    """A topped-up key is found out with one request, through whichever of its channels."""
    scene.fail("two/a", REFUSED)
    scene.now_s += 60
    assert scene.health.claim(scene.target("one/a"), "id-1")
    assert ["one/a", "two/a"] == scene.blocked("id-2")
    assert not scene.health.claim(scene.target("two/a"), "id-2")
    scene.now_s += 1
    scene.answer("one/a")
    assert [] == scene.blocked("id-2")


def test_exactly_at_the_threshold_is_quick_enough(scene: Scene) -> None:
    """Slow is what takes longer."""
    rule = HighLatencyRule(0.5)
    scene.answer("one/a", 0.5, rule)
    assert [] == scene.blocked()


def test_the_first_byte_is_what_ttfb_measures(scene: Scene) -> None:
    """An answer that began at once and was read until its end before it counted is not slow."""
    rule = HighLatencyRule(0.5)
    scene.health.note_answer(scene.target("one/a"), 9.0, 0.1, rule)
    assert [] == scene.blocked()
    scene.health.note_answer(scene.target("one/a"), 9.0, 0.6, rule)
    assert ["one/a"] == scene.blocked()


def test_success_does_not_lift_a_block(scene: Scene) -> None:
    """Slow answers are successes, too; the block ends with its time."""
    scene.answer("one/a", 9.0, HighLatencyRule(0.5, block_duration_s=60.0))
    scene.now_s += 30
    scene.answer("one/a")
    assert ["one/a"] == scene.blocked()
    scene.now_s += 31
    assert [] == scene.blocked()
