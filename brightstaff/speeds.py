"""How soon each channel answers, and which one to ask for speed's sake. Pure; times are monotonic seconds.

A figure is a moving average of the time to the first content. Streams and whole answers have figures of their own: what
is the first token of the one is the last of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from brightstaff.traffic import bucket_of

#: The share of the newest answer in the average.
_NEWEST = 0.3
#: An older figure says nothing any more: the channel is tried again.
STALE_S = 600.0
#: So long nobody else is sent to a channel to find out how fast it is.
TRIAL_S = 30.0

#: Clients may think up names of models where there is a wildcard.
_MOST_CHANNELS = 1000

_Key = tuple[str, bool]


@dataclass(frozen=True)
class _Figure:
    seconds: float
    at_s: float


_Value = TypeVar("_Value")


def _put(values: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """The newest value comes last; the oldest ones go where there are too many."""
    values.pop(key, None)
    values[key] = value
    if len(values) > _MOST_CHANNELS:
        del values[next(iter(values))]


class Speeds:
    """What is known of the channels' speed."""

    def __init__(self) -> None:
        self._figures: dict[_Key, _Figure] = {}
        self._sent_s: dict[_Key, float] = {}

    def note_sent(self, channel: str, *, streams: bool, now_s: float) -> None:
        """A request went out."""
        _put(self._sent_s, (channel, streams), now_s)

    def note_answer(self, channel: str, elapsed_s: float, *, streams: bool, now_s: float) -> None:
        """Its first content came after so many seconds."""
        key = channel, streams
        before = self._fresh(key, now_s)
        seconds = elapsed_s if before is None else before + _NEWEST * (elapsed_s - before)
        _put(self._figures, key, _Figure(seconds, now_s))

    def seconds(self, channel: str, *, streams: bool, now_s: float) -> float | None:
        """The figure of a channel; None without one that is fresh."""
        return self._fresh((channel, streams), now_s)

    def order(self, channels: Sequence[str], *, streams: bool, now_s: float) -> tuple[str, ...]:
        """The channels in the order in which to ask them.

        First one without a figure, unless it is being tried: that is how it gets one. Then the others by speed; those
        that are about as fast (within a fifth) keep their order. Last those that are being tried.
        """

        def rank(channel: str) -> tuple[int, int]:
            figure = self._fresh((channel, streams), now_s)
            if figure is not None:
                return 1, bucket_of(figure * 1000)
            sent_s = self._sent_s.get((channel, streams))
            return (2, 0) if sent_s is not None and now_s - sent_s < TRIAL_S else (0, 0)

        return tuple(sorted(channels, key=rank))

    def _fresh(self, key: _Key, now_s: float) -> float | None:
        figure = self._figures.get(key)
        return None if figure is None or now_s - figure.at_s > STALE_S else figure.seconds
