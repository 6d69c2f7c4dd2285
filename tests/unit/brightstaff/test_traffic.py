"""brightstaff.traffic: counts and times of answers, minute by minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.traffic import FAILED, Summary, Traffic, bucket_of, milliseconds_of, summarise


@given(st.floats(1, 3_600_000))
def test_a_bucket_is_right_within_a_tenth(elapsed_ms: float) -> None:
    """From a millisecond to an hour."""
    assert elapsed_ms == pytest.approx(milliseconds_of(bucket_of(elapsed_ms)), rel=0.1)


def test_shorter_than_a_millisecond() -> None:
    """The first bucket."""
    assert (0, 0, 1.0) == (bucket_of(0.0), bucket_of(0.4), milliseconds_of(0))


def test_counts_are_taken_once() -> None:
    """By channel, minute and bucket; then they begin anew."""
    traffic = Traffic()
    traffic.note("a/m", 60.0, 8.0)
    traffic.note("a/m", 119.9, 8.0)
    traffic.note("a/m", 120.0, None)
    assert {("a/m", 1, 12): 2, ("a/m", 2, FAILED): 1} == traffic.take()
    assert {} == traffic.take()


@pytest.mark.parametrize(
    ("counts", "expected", "rate"),
    [
        ([], Summary(0, 0, None), None),
        ([(FAILED, 3)], Summary(3, 0, None), 0.0),
        ([(12, 2), (FAILED, 2)], Summary(4, 2, 8.0), 0.5),
        ([(40, 1), (12, 1)], Summary(2, 2, 8.0), 1.0),
        ([(0, 1), (12, 1), (40, 1), (0, 1), (12, 5)], Summary(9, 9, 8.0), 1.0),
    ],
)
def test_a_summary(counts: list[tuple[int, int]], expected: Summary, rate: float | None) -> None:
    """Attempts, answers, and the time that half of the answers stayed below."""
    assert (expected, rate) == (summarise(counts), summarise(counts).success_rate)
