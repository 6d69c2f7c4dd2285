"""brightstaff.conditions: cool-downs, trials and blocks of one channel, as transitions from condition to condition."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.conditions import (
    GROWTH,
    TRIAL_LEASE_S,
    WELL,
    Condition,
    Growth,
    Obstacle,
    Setback,
    abandon_trial,
    after_failure,
    after_slow_answer,
    after_success,
    begin_trial,
    is_over,
    obstacle,
    on_trial,
    trial_due,
)
from brightstaff.settings import HighLatencyRule
from brightstaff.verdict import Fault

BROKEN = Setback(Fault.CHANNEL, "503", 503)
LIMITED = Setback(Fault.RATE, "429", 429, hint_s=30.0)
T = 1_000_000.0


def failed(*setbacks: Setback, at_s: float = T) -> Condition:
    """After these failures, each of a request that was sent when the one before had failed."""
    condition = WELL
    for number, setback in enumerate(setbacks):
        condition = after_failure(condition, setback, at_s + number, at_s + number)
    return condition


def test_a_channel_that_is_well_has_no_obstacle() -> None:
    """Nothing held, nothing due."""
    assert (None, False, False) == (obstacle(WELL, "id", T), trial_due(WELL, T), on_trial(WELL, T))


@pytest.mark.parametrize(("fault", "growth"), GROWTH.items())
def test_without_a_hint_the_cool_down_doubles(fault: Fault, growth: Growth) -> None:
    """From its first span up to its longest, with each failure in a row."""
    condition, now_s = WELL, T
    for number in range(1, 40):
        condition = after_failure(condition, Setback(fault, "word", 500), now_s, now_s)
        assert min(growth.most_s, growth.first_s * 2 ** (number - 1)) == condition.until_s - now_s
        assert number == condition.failures_in_a_row
        now_s = condition.until_s


def test_the_providers_own_word_goes_before_the_growth() -> None:
    """Until then, also when it is shorter; and people are told who said so."""
    condition = failed(LIMITED)
    assert Obstacle(29.0, "cools down after 429", True, 429) == obstacle(condition, "id", T + 1)
    assert 0.0 == failed(replace(LIMITED, hint_s=0.0)).until_s - T


def test_a_burst_is_one_failure() -> None:
    """Requests that were under way when the trouble was noted do not make it worse; a longer hint counts."""
    condition = failed(BROKEN)
    assert condition == after_failure(condition, BROKEN, T - 1, T + 0.1)
    longer = after_failure(condition, LIMITED, T - 1, T + 0.1)
    assert (1, T + 30.1, True, "429") == (
        longer.failures_in_a_row,
        longer.until_s,
        longer.hinted,
        longer.cause,
    )
    assert longer == after_failure(longer, replace(LIMITED, hint_s=1.0), T - 1, T + 0.2)


def test_who_is_asked_in_spite_of_a_cool_down_keeps_the_longer_one() -> None:
    """A hint of half a minute is not cut short by a failure that says nothing."""
    condition = after_failure(failed(LIMITED), BROKEN, T + 1, T + 2)
    assert (2, T + 30.0, True, "503") == (
        condition.failures_in_a_row,
        condition.until_s,
        condition.hinted,
        condition.cause,
    )


def test_success_forgets_all_failures() -> None:
    """But only of a request that was sent after the last of them."""
    condition = failed(BROKEN, BROKEN)
    assert condition == after_success(condition, T)
    assert WELL == after_success(condition, T + 5)
    assert WELL == after_success(WELL, T)


def test_one_request_tries_the_channel() -> None:
    """After the cool-down the first that comes gets the trial; for the others the channel is not free yet."""
    condition = failed(BROKEN)
    assert not trial_due(condition, T + 0.5)
    assert condition == begin_trial(condition, "early", T + 0.5)
    assert trial_due(condition, T + 1)
    assert obstacle(condition, "any", T + 1) is None
    tried = begin_trial(condition, "one", T + 1)
    assert tried == begin_trial(tried, "two", T + 1.1), "the first keeps it"
    assert obstacle(tried, "one", T + 2) is None
    assert Obstacle(0.0, "is being tried again after 503", status=503) == obstacle(tried, "two", T + 2)
    assert WELL == after_success(tried, T + 1)
    again = after_failure(tried, BROKEN, T + 1, T + 2)
    assert (2, T + 4, "") == (again.failures_in_a_row, again.until_s, again.trial_of)


def test_a_trial_without_an_outcome_ends() -> None:
    """When its client leaves, or after the lease."""
    tried = begin_trial(failed(BROKEN), "one", T + 1)
    assert tried == abandon_trial(tried, "two")
    assert trial_due(abandon_trial(tried, "one"), T + 1)
    assert trial_due(tried, T + 1 + TRIAL_LEASE_S)
    assert not trial_due(tried, T + TRIAL_LEASE_S)


def test_a_clock_that_was_set_back_blocks_nobody() -> None:
    """A cool-down that begins in the future is none."""
    assert obstacle(failed(replace(LIMITED, hint_s=9e9)), "id", T - 3600) is None


def test_slow_answers_block_after_so_many_within_the_window() -> None:
    """Success does not lift it, for it was success that was slow; after its time the count begins anew."""
    rule = HighLatencyRule(5.0, min_triggers=2, window_s=60.0, block_duration_s=120.0)
    once = after_slow_answer(WELL, rule, T)
    assert obstacle(once, "id", T) is None
    too_late = after_slow_answer(once, rule, T + 61)
    assert obstacle(too_late, "id", T + 61) is None
    twice = after_slow_answer(too_late, rule, T + 70)
    assert Obstacle(119.0, "answered too slowly") == obstacle(twice, "id", T + 71)
    assert twice == after_success(twice, T + 71)
    assert obstacle(twice, "id", T + 190) is None
    assert obstacle(after_slow_answer(twice, rule, T + 200), "id", T + 200) is None
    assert obstacle(after_slow_answer(WELL, HighLatencyRule(5.0), T), "id", T) is not None


def test_slow_and_failing() -> None:
    """The obstacle that lasts longer is told; success lifts the cool-down and leaves the block."""
    rule = HighLatencyRule(5.0, block_duration_s=60.0)
    both = after_slow_answer(failed(BROKEN), rule, T)
    assert Obstacle(60.0, "answered too slowly") == obstacle(both, "id", T)
    limited = after_slow_answer(failed(replace(LIMITED, hint_s=90.0)), rule, T)
    found = obstacle(limited, "id", T)
    assert found is not None
    assert "cools down after 429" == found.why
    assert both.slow_until_s == after_success(both, T + 1).slow_until_s


def test_what_is_long_over_can_be_forgotten() -> None:
    """After the last of its times, and so long more."""
    condition = failed(LIMITED)
    assert (False, True) == (is_over(condition, T + 60, 60.0), is_over(condition, T + 90, 60.0))
    slow = after_slow_answer(WELL, HighLatencyRule(1.0, min_triggers=9, window_s=9.0), T)
    assert (False, True) == (is_over(slow, T + 59, 60.0), is_over(slow, T + 60, 60.0))


def test_a_clock_that_is_corrected_a_little_changes_nothing() -> None:
    """A few seconds back: the cool-down, and the trial after it, still hold; an hour back, neither does."""
    condition = failed(LIMITED)
    assert Obstacle(34.0, "cools down after 429", True, 429) == obstacle(condition, "id", T - 4)
    tried = begin_trial(failed(BROKEN), "one", T + 1)
    assert (True, False) == (on_trial(tried, T - 3), on_trial(tried, T - 3600))


def test_a_request_of_the_same_instant_was_sent_afterwards() -> None:
    """It knew of the cool-down: its failure is another one in a row, its success ends the matter."""
    condition = failed(BROKEN)
    assert 2 == after_failure(condition, BROKEN, T, T + 0.1).failures_in_a_row
    assert WELL == after_success(condition, T)


def test_what_was_a_timeout_is_told() -> None:
    """The policy's rule for timeouts holds for who is passed over as well: in the cool-down and in the trial."""
    late = Setback(Fault.TIMEOUT, "timeout", 504, timeout=True)
    condition = failed(late)
    assert Obstacle(10.0, "cools down after timeout", status=504, timeout=True) == obstacle(condition, "id", T)
    tried = begin_trial(condition, "one", T + 10)
    assert Obstacle(0.0, "is being tried again after timeout", status=504, timeout=True) == obstacle(
        tried, "two", T + 10
    )
    assert not after_failure(condition, LIMITED, T - 1, T + 1).timeout, "the later word is of a rate limit"


def test_success_keeps_the_count_of_slow_answers() -> None:
    """Those that are not yet enough for a block count on."""
    rule = HighLatencyRule(5.0, min_triggers=2, window_s=60.0)
    once = after_slow_answer(failed(BROKEN), rule, T)
    well = after_success(once, T + 1)
    assert ("", (T,)) == (well.cause, well.slow_at_s)
    assert obstacle(after_slow_answer(well, rule, T + 2), "id", T + 2) is not None


def test_the_window_is_open_at_its_beginning() -> None:
    """What is exactly so long ago counts no more; without a window everything counts."""
    windowed = HighLatencyRule(5.0, min_triggers=2, window_s=60.0)
    assert obstacle(after_slow_answer(after_slow_answer(WELL, windowed, T), windowed, T + 60), "id", T + 60) is None
    ever = HighLatencyRule(5.0, min_triggers=2)
    assert obstacle(after_slow_answer(after_slow_answer(WELL, ever, T), ever, T + 9e5), "id", T + 9e5) is not None


def test_blocks_and_trials_are_not_forgotten_too_soon() -> None:
    """What lasts longest counts."""
    slow = after_slow_answer(failed(BROKEN), HighLatencyRule(1.0, block_duration_s=100.0), T)
    assert (False, True) == (is_over(slow, T + 159, 60.0), is_over(slow, T + 160, 60.0))
    tried = begin_trial(failed(BROKEN), "one", T + 50)
    ends_s = T + 50 + TRIAL_LEASE_S
    assert (False, True) == (is_over(tried, ends_s + 59, 60.0), is_over(tried, ends_s + 60, 60.0))


setbacks = st.builds(
    Setback,
    st.sampled_from([Fault.CHANNEL, Fault.RATE, Fault.TIMEOUT, Fault.KEY]),
    st.just("word"),
    st.just(500),
    hint_s=st.none() | st.floats(0, 1000),
)


@given(st.lists(st.tuples(setbacks, st.floats(0, 100), st.floats(0, 100)), max_size=20))
def test_it_always_ends(steps: list[tuple[Setback, float, float]]) -> None:
    """Whatever happened, at some time the channel is tried again, and one success makes it well."""
    condition, now_s = WELL, T
    for setback, took_s, pause_s in steps:
        now_s += took_s + pause_s
        condition = after_failure(condition, setback, now_s - took_s, now_s)
        against = obstacle(condition, "id", now_s)
        assert against is None or 0 <= against.left_s <= 1800
    later_s = now_s + 1801
    assert obstacle(condition, "id", later_s) is None
    assert WELL == after_success(begin_trial(condition, "id", later_s), later_s)


@given(
    st.lists(st.tuples(setbacks, st.floats(0.001, 60), st.floats(0, 60)), min_size=1, max_size=20),
    st.integers(0, 3),
)
def test_those_under_way_never_escalate(burst: list[tuple[Setback, float, float]], before: int) -> None:
    """However many requests meet the same trouble, in whatever order they end: one failure, and never a shorter end."""
    condition = failed(*[BROKEN] * (before + 1), at_s=T - before)
    for setback, sent_s, ended_s in burst:
        after = after_failure(condition, setback, T - sent_s, T + ended_s)
        assert (before + 1, T) == (after.failures_in_a_row, after.since_s)
        assert after.until_s >= condition.until_s
        condition = after


@given(
    st.lists(
        st.tuples(st.sampled_from(["one", "two", "three"]), st.sampled_from(["ask", "leave", "fail", "wait"])),
        max_size=40,
    )
)
def test_never_two_trials_at_once(steps: list[tuple[str, str]]) -> None:
    """Only the request that has the trial finds no obstacle; when it is over the next that asks gets it."""
    condition, now_s = failed(BROKEN), T
    for request_id, step in steps:
        if step == "wait":
            now_s += 7.0
        elif step == "leave":
            condition = abandon_trial(condition, request_id)
        elif step == "fail" and condition.trial_of == request_id and on_trial(condition, now_s):
            condition = after_failure(condition, BROKEN, now_s, now_s)
        elif obstacle(condition, request_id, now_s) is None:
            condition = begin_trial(condition, request_id, now_s)
            assert request_id == condition.trial_of
        free = [each for each in ("one", "two", "three") if obstacle(condition, each, now_s) is None]
        if on_trial(condition, now_s):
            assert [condition.trial_of] == free
        else:
            assert len(free) in (0, 3)
