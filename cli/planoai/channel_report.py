"""How each channel fares, as `planoai status` shows it: from what brightstaff's ledger says to rows. Pure.

What is held against a channel may be held against itself, against its key or against its prefix; the ledger has a
subject for each. A wildcard channel serves models that only requests name: those that the ledger knows stand under it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from brightstaff.conditions import Condition, obstacle, trial_due
from brightstaff.health import channel_subject, prefix_subject
from brightstaff.ledger import LastError, Reading
from brightstaff.traffic import Summary
from planoai.supervisor.spec import ChannelLike
from planoai.wording import ago, left, span

#: What the counts cover.
MINUTES = 5


class State(StrEnum):
    """Whether a channel is asked."""

    WELL = "well"
    COOLS_DOWN = "cools_down"
    TOO_SLOW = "too_slow"
    ON_TRIAL = "on_trial"
    """A request tries it now; others go elsewhere."""
    TRIAL_DUE = "trial_due"
    """The cool-down is over, and the next request tries it."""


#: What keeps requests away comes first.
_WORST_FIRST = (State.COOLS_DOWN, State.TOO_SLOW, State.ON_TRIAL, State.TRIAL_DUE, State.WELL)


@dataclass(frozen=True)
class Held:
    """Something that is held against a channel, its key or its prefix."""

    subject: str
    """As the ledger names it: `channel custom/m`, `key $KEY`, `prefix custom`."""
    state: State
    left_s: float
    """Until it is gone; 0 for trials."""
    cause: str
    """The trail's word; empty for slowness."""
    hinted: bool
    """Whether the provider itself said until when."""

    @property
    def reason(self) -> str:
        """`after 429 (says the provider)`, `key $KEY: quota`, `too slow`."""
        told = " (says the provider)" if self.hinted else ""
        if self.state is State.TOO_SLOW:
            return "too slow"
        if _is_channel(self.subject):
            return f"after {self.cause}{told}"
        return f"{self.subject}: {self.cause}{told}"


@dataclass(frozen=True)
class Row:
    """A channel, or a model of a wildcard channel."""

    name: str
    held: tuple[Held, ...] = ()
    """The most serious first."""
    last_error: LastError | None = None
    traffic: Summary | None = None
    """Of the last minutes; None without attempts."""
    expansions: tuple["Row", ...] = ()
    """Of a wildcard channel: the models of it that were asked for."""

    @property
    def state(self) -> State:
        """The most serious."""
        return self.held[0].state if self.held else State.WELL


def channel_rows(reading: Reading, channels: Sequence[ChannelLike], now_s: float) -> list[Row]:
    """One row for each channel. `now_s`: seconds since the epoch."""
    exact = {each.name for each in channels if not each.wildcard}
    rows: list[Row] = []
    for channel in channels:
        prefix = prefix_of(channel.name)
        names = expansions(reading, prefix) if channel.wildcard else []
        under = tuple(_row(reading, channel, name, now_s) for name in names if name not in exact)
        rows.append(_row(reading, channel, channel.name, now_s, under))
    return rows


def prefix_of(name: str) -> str:
    """What stands before the first slash of a channel's name."""
    return name.partition("/")[0]


def expansions(reading: Reading, prefix: str) -> list[str]:
    """The names below `prefix/` that the ledger knows, in alphabetical order."""
    known = {subject.removeprefix(channel_subject("")) for subject in reading.conditions if _is_channel(subject)}
    known |= reading.errors.keys() | reading.traffic.keys()
    return sorted(name for name in known if name.startswith(f"{prefix}/") and not name.endswith("/*"))


def subjects_of(channel: ChannelLike, name: str) -> tuple[str, ...]:
    """Under which the ledger keeps what concerns this channel, or this model of a wildcard channel."""
    own, prefix = channel_subject(name), prefix_subject(prefix_of(channel.name))
    return (own, prefix) if channel.key_subject is None else (own, channel.key_subject, prefix)


def read_held(subject: str, condition: Condition, now_s: float) -> Held | None:
    """What a condition means now; None when requests need not mind it."""
    against = obstacle(condition, "", now_s)
    if against is None:
        if trial_due(condition, now_s):
            return Held(subject, State.TRIAL_DUE, 0.0, condition.cause, False)
        return None
    if against.left_s <= 0:
        return Held(subject, State.ON_TRIAL, 0.0, condition.cause, False)
    if against.status == 0:
        return Held(subject, State.TOO_SLOW, against.left_s, "", False)
    return Held(subject, State.COOLS_DOWN, against.left_s, condition.cause, against.hinted)


def _is_channel(subject: str) -> bool:
    return subject.startswith(channel_subject(""))


def _row(reading: Reading, channel: ChannelLike, name: str, now_s: float, expansions: tuple[Row, ...] = ()) -> Row:
    conditions = reading.conditions
    subjects = (subject for subject in subjects_of(channel, name) if subject in conditions)
    found = (read_held(subject, conditions[subject], now_s) for subject in subjects)
    held = sorted(
        (each for each in found if each is not None), key=lambda each: (-each.left_s, _WORST_FIRST.index(each.state))
    )
    return Row(name, tuple(held), reading.errors.get(name), reading.traffic.get(name), expansions)


# ---------------------------------------------------------------- in words


def state_words(row: Row) -> str:
    """In a word or two, for a column: `cools down, 28 s left`."""
    if not row.held:
        return "well"
    worst = row.held[0]
    match worst.state:
        case State.COOLS_DOWN:
            return f"cools down, {left(worst.left_s)} left"
        case State.TOO_SLOW:
            return f"left out, {left(worst.left_s)} left"
        case State.ON_TRIAL:
            return "on trial"
        case _:
            return "to be tried again"


def reason_words(row: Row) -> str:
    """Why it is not well; empty when it is."""
    if not row.held:
        return ""
    worst = row.held[0]
    if worst.state is State.TRIAL_DUE:
        # Of the channel itself, the last error says it.
        whose = "" if _is_channel(worst.subject) else f" ({worst.reason})"
        return f"cool-down over{whose}, next request is its trial"
    return worst.reason


def traffic_words(row: Row) -> str:
    """`12 attempts, 92 % ok, 0.8 s`; attempts of the last minutes, how many were answered, median time to answer."""
    traffic = row.traffic
    if traffic is None or traffic.success_rate is None:
        return "no requests"
    attempts = f"{traffic.attempts} attempt{'' if traffic.attempts == 1 else 's'}"
    words = f"{attempts}, {percent(traffic.answered, traffic.attempts)} ok"
    return words if traffic.median_ms is None else f"{words}, {span(traffic.median_ms / 1000)}"


def percent(part: int, whole: int) -> str:
    """100 % only where all were, 0 % only where none was."""
    rounded = round(100 * part / whole)
    if part < whole:
        rounded = min(rounded, 99)
    if part > 0:
        rounded = max(rounded, 1)
    return f"{rounded} %"


def error_words(row: Row, now_s: float) -> str:
    """`429, 2 s ago`; empty without one."""
    error = row.last_error
    return "" if error is None else f"{error.cause}, {ago(now_s - error.at_s)}"


def lifted_words(subject: str, condition: Condition, now_s: float) -> str:
    """What is held no more: `cools down, 28 s left, after 429`."""
    held = read_held(subject, condition, now_s)
    if held is None:
        return "slow answers were counted" if condition.slow_at_s else "an old failure"
    cause = f", after {held.cause}" if held.cause else ", too slow"
    return f"{state_words(Row(subject, (held,)))}{cause}"


# ---------------------------------------------------------------- for scripts


def as_json(row: Row, now_s: float) -> dict[str, Any]:
    """All of it. Times: `*_at_s` in seconds since the epoch, `*_s` spans in seconds, `*_ms` in milliseconds."""
    reason = reason_words(row)
    error, traffic = row.last_error, row.traffic
    return {
        "state": str(row.state),
        "state_words": f"{state_words(row)}, {reason}" if reason else state_words(row),
        "left_s": round(row.held[0].left_s, 1) if row.held else 0.0,
        "held_against": [
            {
                "subject": each.subject,
                "state": str(each.state),
                "left_s": round(each.left_s, 1),
                "cause": each.cause,
                "provider_said": each.hinted,
            }
            for each in row.held
        ],
        "last_error": None
        if error is None
        else {
            "cause": error.cause,
            "at_s": error.at_s,
            "ago_s": round(max(0.0, now_s - error.at_s), 1),
            "request_id": error.request_id,
        },
        "traffic": {
            "minutes": MINUTES,
            "attempts": 0 if traffic is None else traffic.attempts,
            "answered": 0 if traffic is None else traffic.answered,
            "success_rate": None if traffic is None or traffic.success_rate is None else round(traffic.success_rate, 4),
            "median_ms": None if traffic is None or traffic.median_ms is None else round(traffic.median_ms, 1),
        },
        "expansions": [{"name": each.name, **as_json(each, now_s)} for each in row.expansions],
    }
