"""What is remembered of a channel between requests: its cool-down, and the trial that ends it. Pure.

A failure cools a channel down: until the provider says that it may come back, otherwise for a span that doubles with
each failure in a row. When the cool-down is over one request tries the channel; its success ends the matter, its
failure begins a longer cool-down. Slow answers can block a channel, too (`on_high_latency`).

Times are wall-clock seconds since the epoch, because they outlive the process that notes them.
"""

from dataclasses import dataclass

import msgspec

from brightstaff.settings import HighLatencyRule
from brightstaff.verdict import Fault

#: A trial whose outcome nobody reports (its worker died) is over after this time; then another request may try.
TRIAL_LEASE_S = 30.0

#: A clock that was set back by more than this makes what lies in the future meaningless.
_CLOCK_TOLERANCE_S = 5.0

#: The span doubles so many times at most; `most_s` is reached before.
_MOST_DOUBLINGS = 20


@dataclass(frozen=True)
class Growth:
    """How long a channel is left alone when nobody says how long: `first_s`, doubled with each failure in a row."""

    first_s: float
    most_s: float

    def span_s(self, failures_in_a_row: int) -> float:
        """The cool-down after so many failures; at least one."""
        return min(self.most_s, self.first_s * 2.0 ** min(failures_in_a_row - 1, _MOST_DOUBLINGS))


#: A broken channel may be well again in a second. A channel that lets requests wait costs a deadline for each trial. A
#: key that is refused or empty is repaired by a person.
GROWTH = {
    Fault.CHANNEL: Growth(1.0, 120.0),
    Fault.RATE: Growth(2.0, 300.0),
    Fault.TIMEOUT: Growth(10.0, 300.0),
    Fault.KEY: Growth(30.0, 1800.0),
}


class Condition(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is held against a channel, a key or a prefix; nothing, with every field at its default."""

    failures_in_a_row: int = 0
    since_s: float = 0.0
    """When the cool-down began."""
    until_s: float = 0.0
    cause: str = ""
    """The trail's word for the last failure; empty when the channel is trusted."""
    status: int = 0
    timeout: bool = False
    hinted: bool = False
    """Whether the provider itself said until when."""
    trial_of: str = ""
    """Id of the request that tries the channel now."""
    trial_until_s: float = 0.0
    slow_at_s: tuple[float, ...] = ()
    """When it answered slowly; fewer than it takes for a block."""
    slow_since_s: float = 0.0
    slow_until_s: float = 0.0


WELL = Condition()


@dataclass(frozen=True)
class Setback:
    """A failure that is held against a channel."""

    fault: Fault
    cause: str
    status: int
    timeout: bool = False
    hint_s: float | None = None
    """In so many seconds, says the provider, it may be asked again."""


@dataclass(frozen=True)
class Obstacle:
    """Why a request had better go elsewhere."""

    left_s: float
    """Seconds until it is gone; 0 while another request tries the channel."""
    why: str
    """For people: `cools down after 429`."""
    hinted: bool = False
    status: int = 0
    """Of the failure behind it; 0 for slowness."""
    timeout: bool = False


def obstacle(condition: Condition, request_id: str, now_s: float) -> Obstacle | None:
    """What speaks against sending this request there now; None if nothing does."""
    found: Obstacle | None = None
    if _covers(condition.since_s, condition.until_s, now_s):
        found = Obstacle(
            condition.until_s - now_s,
            f"cools down after {condition.cause}",
            condition.hinted,
            condition.status,
            condition.timeout,
        )
    elif on_trial(condition, now_s) and condition.trial_of != request_id:
        found = Obstacle(
            0.0,
            f"is being tried again after {condition.cause}",
            status=condition.status,
            timeout=condition.timeout,
        )
    if _covers(condition.slow_since_s, condition.slow_until_s, now_s):
        left_s = condition.slow_until_s - now_s
        if found is None or found.left_s < left_s:
            found = Obstacle(left_s, "answered too slowly")
    return found


def _covers(since_s: float, until_s: float, now_s: float) -> bool:
    return since_s - _CLOCK_TOLERANCE_S <= now_s < until_s


def on_trial(condition: Condition, now_s: float) -> bool:
    """Whether a request is trying the channel."""
    return bool(condition.trial_of) and condition.trial_until_s - TRIAL_LEASE_S - _CLOCK_TOLERANCE_S <= now_s < (
        condition.trial_until_s
    )


def trial_due(condition: Condition, now_s: float) -> bool:
    """Whether the next request to this channel is its trial."""
    cools = _covers(condition.since_s, condition.until_s, now_s)
    return bool(condition.cause) and not cools and not on_trial(condition, now_s)


def begin_trial(condition: Condition, request_id: str, now_s: float) -> Condition:
    """This request tries the channel, unless another one was quicker."""
    if not trial_due(condition, now_s):
        return condition
    return msgspec.structs.replace(condition, trial_of=request_id, trial_until_s=now_s + TRIAL_LEASE_S)


def abandon_trial(condition: Condition, request_id: str) -> Condition:
    """The request ended without an outcome, its client left: the next one tries."""
    if condition.trial_of != request_id:
        return condition
    return msgspec.structs.replace(condition, trial_of="", trial_until_s=0.0)


def after_failure(condition: Condition, setback: Setback, started_s: float, now_s: float) -> Condition:
    """A request that was sent at `started_s` failed."""
    if condition.cause and started_s < condition.since_s:
        # It was under way when the trouble was noted: the same trouble, however many requests meet it.
        if setback.hint_s is None or now_s + setback.hint_s <= condition.until_s:
            return condition
        return msgspec.structs.replace(
            condition,
            until_s=now_s + setback.hint_s,
            hinted=True,
            cause=setback.cause,
            status=setback.status,
            timeout=setback.timeout,
        )
    in_a_row = condition.failures_in_a_row + 1
    span_s = GROWTH[setback.fault].span_s(in_a_row) if setback.hint_s is None else setback.hint_s
    # Asked in spite of its cool-down, because there was nobody else: what was said before still stands.
    longer = _covers(condition.since_s, condition.until_s, now_s) and condition.until_s > now_s + span_s
    return msgspec.structs.replace(
        condition,
        failures_in_a_row=in_a_row,
        since_s=now_s,
        until_s=condition.until_s if longer else now_s + span_s,
        hinted=condition.hinted if longer else setback.hint_s is not None,
        cause=setback.cause,
        status=setback.status,
        timeout=setback.timeout,
        trial_of="",
        trial_until_s=0.0,
    )


def after_success(condition: Condition, started_s: float) -> Condition:
    """A request that was sent at `started_s` was answered: failures before that are forgotten."""
    if not condition.cause or started_s < condition.since_s:
        return condition
    return Condition(
        slow_at_s=condition.slow_at_s, slow_since_s=condition.slow_since_s, slow_until_s=condition.slow_until_s
    )


def after_slow_answer(condition: Condition, rule: HighLatencyRule, now_s: float) -> Condition:
    """An answer took longer than the rule allows."""
    window_s = rule.window_s
    counted = [at_s for at_s in condition.slow_at_s if window_s is None or at_s > now_s - window_s]
    if len(counted) + 1 < rule.min_triggers:
        return msgspec.structs.replace(condition, slow_at_s=(*counted, now_s))
    return msgspec.structs.replace(
        condition, slow_at_s=(), slow_since_s=now_s, slow_until_s=now_s + rule.block_duration_s
    )


def is_over(condition: Condition, now_s: float, forget_after_s: float) -> bool:
    """Whether nothing of it has mattered for so long that it can be forgotten."""
    last_s = max(condition.until_s, condition.slow_until_s, *condition.slow_at_s, condition.trial_until_s, 0.0)
    return last_s + forget_after_s <= now_s
