"""When a process that died is started again. Pure: times come in as parameters."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BackoffPolicy:
    """Exponential back-off between restarts, forgotten after a while of health."""

    initial_s: float = 0.2
    factor: float = 2.0
    max_s: float = 10.0
    #: A process that was ready for this long starts again from `initial_s` when it dies.
    healthy_after_s: float = 30.0


@dataclass(frozen=True)
class RestartDecision:
    """Start again after `delay_s`; `failures_in_a_row` is to be handed in at the next death."""

    delay_s: float
    failures_in_a_row: int


def next_restart(policy: BackoffPolicy, failures_in_a_row: int, ready_for_s: float) -> RestartDecision:
    """The decision for a process that died after having been ready for `ready_for_s` seconds (0: never was)."""
    failures = 1 if ready_for_s >= policy.healthy_after_s else failures_in_a_row + 1
    # The exponent is bounded first: a process may die for months, and 2.0 ** 1024 overflows.
    delay_s = policy.initial_s * policy.factor ** min(failures - 1, 64)
    return RestartDecision(delay_s=min(delay_s, policy.max_s), failures_in_a_row=failures)
