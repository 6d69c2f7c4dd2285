"""brightstaff.speeds: how soon channels answer, and whom to ask for speed's sake."""

import pytest

from brightstaff.speeds import STALE_S, TRIAL_S, Speeds

CHANNELS = ("a", "b", "c")


def order(speeds: Speeds, now_s: float, *, streams: bool = True) -> str:
    """The order in which to ask, as one word."""
    return "".join(speeds.order(CHANNELS, streams=streams, now_s=now_s))


def test_each_is_tried_once_then_the_quickest_leads() -> None:
    """Those without a figure come first, one after the other."""
    speeds = Speeds()
    seen = []
    for now_s, took_s in ((0.0, 0.8), (1.0, 0.2), (2.0, 0.4)):
        seen.append(order(speeds, now_s))
        first = seen[-1][0]
        speeds.note_sent(first, streams=True, now_s=now_s)
        speeds.note_answer(first, took_s, streams=True, now_s=now_s + took_s)
    assert ["abc", "bca", "cba"] == seen
    assert "bca" == order(speeds, 3.0)


def test_a_channel_that_is_being_tried_is_asked_by_nobody_else() -> None:
    """Until it answered, or half a minute is over; where all are being tried, the order is as written."""
    speeds = Speeds()
    speeds.note_sent("a", streams=True, now_s=0.0)
    assert "bca" == order(speeds, 1.0)
    speeds.note_sent("b", streams=True, now_s=1.0)
    speeds.note_sent("c", streams=True, now_s=1.0)
    assert "abc" == order(speeds, 2.0)
    assert "abc" == order(speeds, TRIAL_S)
    speeds.note_answer("c", 0.1, streams=True, now_s=2.0)
    assert "cab" == order(speeds, 3.0)
    assert "acb" == order(speeds, TRIAL_S + 0.5)


def test_about_as_fast_is_no_reason() -> None:
    """Small differences keep the order; more than a fifth does not."""
    speeds = Speeds()
    for channel, took_s in (("a", 1.02), ("b", 1.0), ("c", 0.7)):
        speeds.note_answer(channel, took_s, streams=True, now_s=0.0)
    assert "cab" == order(speeds, 1.0)


def test_the_figure_follows_what_is_measured() -> None:
    """A moving average: one slow answer does not decide, several do."""
    speeds = Speeds()
    for _ in range(3):
        speeds.note_answer("a", 1.0, streams=True, now_s=0.0)
    speeds.note_answer("a", 2.0, streams=True, now_s=1.0)
    assert pytest.approx(1.3) == speeds.seconds("a", streams=True, now_s=1.0)
    for now_s in range(2, 20):
        speeds.note_answer("a", 2.0, streams=True, now_s=float(now_s))
    assert pytest.approx(2.0, abs=0.01) == speeds.seconds("a", streams=True, now_s=20.0)


def test_old_figures_say_nothing() -> None:
    """A channel that was slow long ago is tried again, and its new figure begins anew."""
    speeds = Speeds()
    speeds.note_answer("a", 9.0, streams=True, now_s=0.0)
    for channel in ("b", "c"):
        speeds.note_answer(channel, 0.1, streams=True, now_s=100.0)
    assert "bca" == order(speeds, STALE_S)
    assert "abc" == order(speeds, STALE_S + 1)
    speeds.note_answer("a", 0.01, streams=True, now_s=STALE_S + 2)
    assert 0.01 == speeds.seconds("a", streams=True, now_s=STALE_S + 2)


def test_streams_and_whole_answers_are_two_things() -> None:
    """The first token of the one is the last of the other."""
    speeds = Speeds()
    speeds.note_answer("a", 0.1, streams=True, now_s=0.0)
    assert speeds.seconds("a", streams=False, now_s=0.0) is None
    assert "abc" == order(speeds, 0.0, streams=False)


def test_names_that_clients_think_up_fill_no_memory() -> None:
    """The oldest figure goes first."""
    speeds = Speeds()
    for number in range(1001):
        speeds.note_answer(f"x/{number}", 1.0, streams=True, now_s=0.0)
    assert [None, 1.0] == [speeds.seconds(f"x/{number}", streams=True, now_s=0.0) for number in (0, 1000)]
