"""Which channels are fit to be asked: conditions of channels, of keys and of prefixes, put together.

Pure but for the ledger and the clock, which are passed in.

A key that is refused or empty is held against the key, and so against every channel that has it; a Retry-After with
`scope: provider` against the prefix; everything else against the channel alone.
"""

from collections.abc import Callable, Iterable
from functools import partial

from brightstaff.catalog import Target
from brightstaff.conditions import (
    WELL,
    Obstacle,
    Setback,
    abandon_trial,
    after_failure,
    after_slow_answer,
    after_success,
    begin_trial,
    obstacle,
    on_trial,
    trial_due,
)
from brightstaff.ledger import LastError, Ledger
from brightstaff.retry import Obstacles
from brightstaff.settings import Channel, HighLatencyRule, RetryAfterHandling
from brightstaff.traffic import Traffic
from brightstaff.verdict import Fault


def channel_subject(name: str) -> str:
    """What is held against a channel alone is kept under this."""
    return f"channel {name}"


def key_subjects(channels: Iterable[Channel]) -> dict[str, str]:
    """Channel name → what is held against its key is kept under this; equal keys have one subject.

    It is named after the key's variable, or after the first channel that has it.
    """
    subjects: dict[str, str] = {}
    found: dict[str, str] = {}
    for channel in channels:
        if channel.key is not None and not channel.passthrough_auth:
            variable = channel.key_name if channel.key_name.startswith("$") else f"of {channel.name}"
            found[channel.name] = subjects.setdefault(channel.key, f"key {variable}")
    return found


def prefix_subject(prefix: str) -> str:
    """What is held against all channels of a prefix is kept under this."""
    return f"prefix {prefix}"


class Health:
    """What earlier requests found out about the channels."""

    def __init__(self, channels: Iterable[Channel], ledger: Ledger, wall_clock: Callable[[], float]) -> None:
        self._key_subjects = key_subjects(channels)
        self._ledger = ledger
        self._wall_clock = wall_clock
        self._traffic = Traffic()

    def obstacles(self, targets: Iterable[Target], request_id: str) -> Obstacles:
        """What speaks against each of these for this request, by name."""
        conditions = self._ledger.conditions()
        if not conditions:
            return {}
        now_s = self._wall_clock()
        found: dict[str, Obstacle] = {}
        for target in targets:
            for subject in self._subjects(target):
                condition = conditions.get(subject)
                against = None if condition is None else obstacle(condition, request_id, now_s)
                known = found.get(target.name)
                if against is not None and (known is None or known.left_s < against.left_s):
                    found[target.name] = against
        return found

    def claim(self, target: Target, request_id: str) -> bool:
        """A request is about to be sent. Where it is a trial, only one request gets it: False for all others."""
        conditions = self._ledger.conditions()
        if not conditions:
            return True
        now_s = self._wall_clock()
        subjects = self._subjects(target)
        due = [each for each in subjects if trial_due(conditions.get(each, WELL), now_s)]
        if due:
            self._ledger.change(dict.fromkeys(due, partial(begin_trial, request_id=request_id, now_s=now_s)))
            conditions = self._ledger.conditions()
        held = [conditions[each] for each in subjects if each in conditions]
        return all(each.trial_of == request_id for each in held if on_trial(each, now_s))

    def note_failure(
        self, target: Target, setback: Setback, handling: RetryAfterHandling, request_id: str, elapsed_s: float
    ) -> float:
        """An attempt failed through the channel's fault `elapsed_s` after it was sent.

        Returns for how many seconds that is held against the channel.
        """
        now_s = self._wall_clock()
        self._traffic.note(target.name, now_s, None)
        self._ledger.note_error(LastError(target.name, now_s, setback.cause, request_id))
        if setback.hint_s is not None and handling.apply_to == "request":
            self.abandon(target, request_id)
            return 0.0
        subject = channel_subject(target.name)
        if setback.fault is Fault.KEY:
            subject = self._key_subjects.get(target.channel.name, subject)
        elif setback.hint_s is not None and handling.scope == "provider":
            subject = prefix_subject(target.channel.prefix)
        transition = partial(after_failure, setback=setback, started_s=now_s - elapsed_s, now_s=now_s)
        self._ledger.change({subject: transition})
        # A trial of something else that this attempt was, too, has had no outcome.
        self.abandon(target, request_id)
        return max(0.0, self._ledger.conditions().get(subject, WELL).until_s - now_s)

    def note_answer(self, target: Target, elapsed_s: float, first_byte_s: float, slow: HighLatencyRule | None) -> None:
        """An attempt began to be answered `elapsed_s` after it was sent; `first_byte_s` is what `ttfb` measures."""
        now_s = self._wall_clock()
        self._traffic.note(target.name, now_s, elapsed_s * 1000)
        conditions = self._ledger.conditions()
        if conditions:
            doubted = [subject for subject in self._subjects(target) if subject in conditions]
            if doubted:
                self._ledger.change(dict.fromkeys(doubted, partial(after_success, started_s=now_s - elapsed_s)))
        if slow is not None and slow.measure == "ttfb":
            self._note_time(target, first_byte_s, slow)

    def note_end(self, target: Target, elapsed_s: float, slow: HighLatencyRule | None) -> None:
        """An answer is complete `elapsed_s` after the request was sent."""
        if slow is not None and slow.measure == "total":
            self._note_time(target, elapsed_s, slow)

    def _note_time(self, target: Target, elapsed_s: float, rule: HighLatencyRule) -> None:
        if elapsed_s > rule.threshold_s:
            transition = partial(after_slow_answer, rule=rule, now_s=self._wall_clock())
            self._ledger.change({channel_subject(target.name): transition})

    def abandon(self, target: Target, request_id: str) -> None:
        """An attempt ended and said nothing about the channel: its client left, or the request was wrong."""
        conditions = self._ledger.conditions()
        if not conditions:
            return
        tried = [
            subject
            for subject in self._subjects(target)
            if subject in conditions and conditions[subject].trial_of == request_id
        ]
        if tried:
            self._ledger.change(dict.fromkeys(tried, partial(abandon_trial, request_id=request_id)))

    def flush(self) -> None:
        """Hand the counts to the ledger; due every second or so."""
        counts = self._traffic.take()
        if counts:
            self._ledger.add_traffic(counts, self._wall_clock())

    def _subjects(self, target: Target) -> tuple[str, ...]:
        own, prefix = channel_subject(target.name), prefix_subject(target.channel.prefix)
        key = self._key_subjects.get(target.channel.name)
        return (own, prefix) if key is None else (own, key, prefix)
