"""bench.stats: percentiles, medians, ratios."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats import Spread, percentile, ratio, ratios, spread

samples = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1).map(sorted)


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (50.1, 51), (99, 99), (99.5, 100), (100, 100)]
)
def test_percentile_is_the_nearest_rank(percent: float, expected: int) -> None:
    """Of 1 to 100 the nearest rank is the number itself."""
    assert expected == percentile(range(1, 101), percent)


def test_percentile_of_one_sample() -> None:
    """With a single sample every percentile is that sample."""
    assert [7.0, 7.0] == [percentile([7.0], 50), percentile([7.0], 99)]


def test_percentile_of_nothing() -> None:
    """There is no percentile of no samples, and no invented one either."""
    with pytest.raises(ValueError, match="at least one sample"):
        percentile([], 50)


@given(samples, st.floats(min_value=0, max_value=100))
def test_percentile_is_a_sample_that_enough_others_reach(ascending: list[float], percent: float) -> None:
    """The result was really seen, and `percent` % of the samples are not above it."""
    found = percentile(ascending, percent)
    assert found in ascending
    assert sum(each <= found for each in ascending) >= len(ascending) * percent / 100 - 1e-9


def test_spread() -> None:
    """The median with the two ends; nothing of nothing."""
    assert Spread(2.0, 1.0, 9.0) == spread([9.0, 1.0, 2.0])
    assert Spread(1.5, 1.0, 2.0) == spread([2.0, 1.0])
    assert spread([]) is None


def test_ratio() -> None:
    """A reference of nothing, or of noise below nothing, gives no ratio."""
    assert 0.5 == ratio(1.0, 2.0)
    assert ratio(1.0, 0.0) is None
    assert ratio(1.0, -0.1) is None


def test_ratios_go_round_by_round() -> None:
    """Each value is set against the reference of its own round; rounds without one are left out."""
    assert [2.0, 3.0] == ratios([2.0, 5.0, 12.0], [1.0, 0.0, 4.0])
