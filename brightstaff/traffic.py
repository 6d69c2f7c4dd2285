"""How many attempts each channel answered, and how fast, minute by minute. Pure.

Times go into buckets, each 19 % above the one before: enough for a median that people read, and counts of several
workers simply add up.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: The bucket of attempts that failed.
FAILED = -1
#: So many buckets from one power of two to the next.
_PER_DOUBLING = 4

#: (channel, minute since the epoch, bucket).
Key = tuple[str, int, int]


def bucket_of(elapsed_ms: float) -> int:
    """The bucket of an answer's time."""
    return max(0, round(math.log2(max(elapsed_ms, 1.0)) * _PER_DOUBLING))


def milliseconds_of(bucket: int) -> float:
    """The time that a bucket stands for."""
    return float(2 ** (bucket / _PER_DOUBLING))


class Traffic:
    """Counts since they were last taken."""

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()

    def note(self, channel: str, at_s: float, elapsed_ms: float | None) -> None:
        """An attempt ended: answered after so many milliseconds, or None: it failed."""
        bucket = FAILED if elapsed_ms is None else bucket_of(elapsed_ms)
        self._counts[channel, int(at_s // 60), bucket] += 1

    def take(self) -> Mapping[Key, int]:
        """The counts, which then begin anew."""
        taken, self._counts = self._counts, Counter()
        return taken


@dataclass(frozen=True)
class Summary:
    """A channel's last minutes."""

    attempts: int
    answered: int
    median_ms: float | None
    """Time to the beginning of an answer; None without one."""

    @property
    def success_rate(self) -> float | None:
        """0 to 1; None without attempts."""
        return self.answered / self.attempts if self.attempts else None


def summarise(counts: Iterable[tuple[int, int]]) -> Summary:
    """The summary of (bucket, how many)."""
    times: Counter[int] = Counter()
    failed = 0
    for bucket, number in counts:
        if bucket == FAILED:
            failed += number
        else:
            times[bucket] += number
    answered = sum(times.values())
    median_ms: float | None = None
    seen = 0
    for bucket in sorted(times):
        seen += times[bucket]
        if 2 * seen >= answered:
            median_ms = milliseconds_of(bucket)
            break
    return Summary(answered + failed, answered, median_ms)
