"""What is computed from samples: percentiles, medians, ratios with their spread. Pure."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(ascending: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of an ascending, non-empty sequence: the smallest sample that `percent` % reach.

    Always a sample that was really seen; with few samples p99 is the largest.
    """
    if not ascending:
        raise ValueError("a percentile needs at least one sample")
    rank = math.ceil(len(ascending) * percent / 100)
    return ascending[min(max(rank, 1), len(ascending)) - 1]


@dataclass(frozen=True)
class Spread:
    """One figure over all rounds."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread | None:
    """Median, smallest and largest value; None when there are none."""
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values))


def ratio(value: float, reference: float) -> float | None:
    """`value / reference`; None where that says nothing."""
    return value / reference if reference > 0 else None


def ratios(values: Sequence[float], references: Sequence[float]) -> list[float]:
    """Round by round, so that noise which hit a whole round cancels out; rounds without a reference are left out."""
    pairs = zip(values, references, strict=True)
    return [found for value, reference in pairs if (found := ratio(value, reference)) is not None]
