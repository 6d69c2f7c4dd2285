"""When a process that died is started again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planoai.supervisor.backoff import BackoffPolicy, RestartDecision, next_restart


@pytest.mark.parametrize(
    ("failures", "expected_s"), [(0, 0.2), (1, 0.4), (2, 0.8), (4, 3.2), (5, 6.4), (6, 10.0), (7, 10.0), (10_000, 10.0)]
)
def test_the_delay_doubles_up_to_the_maximum(failures: int, expected_s: float) -> None:
    """0.2 s, 0.4 s, ... 10 s for one death after the other."""
    decision = next_restart(BackoffPolicy(), failures, ready_for_s=0)

    assert pytest.approx(expected_s) == decision.delay_s
    assert failures + 1 == decision.failures_in_a_row


def test_thirty_seconds_of_health_forget_the_past() -> None:
    """A process that was ready for 30 s starts again after the first delay."""
    assert RestartDecision(delay_s=0.2, failures_in_a_row=1) == next_restart(BackoffPolicy(), 6, ready_for_s=30)


def test_shortly_below_thirty_seconds_is_not_health() -> None:
    """A process that dies every 29 s is in trouble."""
    assert 7 == next_restart(BackoffPolicy(), 6, ready_for_s=29.9).failures_in_a_row


@given(failures=st.integers(0, 10**9), ready_for_s=st.floats(0, 10**9))
def test_the_delay_is_always_within_its_bounds(failures: int, ready_for_s: float) -> None:
    """Whatever happened before, a restart comes, neither at once nor late."""
    policy = BackoffPolicy()

    assert policy.initial_s <= next_restart(policy, failures, ready_for_s).delay_s <= policy.max_s
