"""What the measurements say: medians, ratios to Envoy alone in the same round, added latency. Pure."""

import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from .measure import OUR_OWN, Measurement
from .stats import Spread, ratio, ratios, spread


@dataclass(frozen=True)
class Figure:
    """One figure of a contender over all rounds, and the same of Envoy alone."""

    spread: Spread
    ratio: float | None
    """To Envoy alone; None where that says nothing."""


@dataclass(frozen=True)
class Row:
    """One contender in one cell."""

    contender: str
    rate: Figure
    """Answers per second."""
    rate_ratio: Spread | None
    """To Envoy alone, round by round."""
    p50_ms: Figure
    p99_ms: Figure
    first_p50_ms: Figure
    """To the first byte of the body."""
    added_p50_ms: Figure | None
    """Over the upstream without anything in between, round by round; None for the upstream itself."""
    added_p99_ms: Figure | None
    cpu_us: dict[str, float]
    """CPU time per answer of each of the contender's processes."""
    cpu_ratio: float | None
    """Of their sum."""
    others_cores: float
    """What was busy besides."""
    errors: int


@dataclass(frozen=True)
class Comparison:
    """Two contenders in one cell, round by round."""

    rate_ratio: Spread
    """Requests/s of the first, in those of the second."""
    added_p50_ratio: float | None
    """Added latency of the first, in that of the second; of the medians, for a difference near 0 has no ratio."""
    added_p99_ratio: float | None


def figures(
    measurements: Sequence[Measurement], contender: str, figure: Callable[[Measurement], float]
) -> dict[int, float]:
    """A figure of one contender by round."""
    return {each.round: figure(each) for each in measurements if each.contender == contender}


def _against(ours: dict[int, float], theirs: dict[int, float]) -> tuple[list[float], list[float]]:
    """Of the rounds that both have."""
    both = sorted(ours.keys() & theirs.keys())
    return [ours[each] for each in both], [theirs[each] for each in both]


def added_ms(
    measurements: Sequence[Measurement], contender: str, direct: str, figure: Callable[[Measurement], float]
) -> Spread | None:
    """How much longer a contender takes than the upstream itself in the same round."""
    ours, theirs = _against(figures(measurements, contender, figure), figures(measurements, direct, figure))
    return spread([mine - other for mine, other in zip(ours, theirs, strict=True)])


def row(measurements: Sequence[Measurement], contender: str, direct: str, reference: str) -> Row | None:
    """One line of the table from the measurements of one cell; None when the contender never answered."""
    own = [each for each in measurements if each.contender == contender]
    good = [each for each in measurements if each.load.counted]
    rates = figures(good, contender, _rate)
    if not rates:
        return None

    def figure(of: Callable[[Measurement], float]) -> Figure:
        ours, theirs = figures(good, contender, of), figures(good, reference, of)
        found = spread(ratios(*_against(ours, theirs)))
        return Figure(_spread(ours.values()), None if found is None else found.median)

    def added(of: Callable[[Measurement], float]) -> Figure | None:
        ours, theirs = added_ms(good, contender, direct, of), added_ms(good, reference, direct, of)
        if contender == direct or ours is None:
            return None
        return Figure(ours, None if theirs is None else ratio(ours.median, theirs.median))

    processes = dict.fromkeys(name for each in own for name in each.cpu_us if name not in OUR_OWN)
    return Row(
        contender=contender,
        rate=figure(_rate),
        rate_ratio=spread(ratios(*_against(rates, figures(good, reference, _rate)))),
        p50_ms=figure(_p50),
        p99_ms=figure(_p99),
        first_p50_ms=figure(_first),
        added_p50_ms=added(_p50),
        added_p99_ms=added(_p99),
        cpu_us={name: statistics.median(each.cpu_us[name] for each in own) for name in processes},
        cpu_ratio=None if not processes else figure(cpu_of_contender_us).ratio,
        others_cores=statistics.median(each.others_cores for each in own),
        errors=sum(each.load.errors for each in own),
    )


def compare(measurements: Sequence[Measurement], ours: str, theirs: str, direct: str) -> Comparison | None:
    """One contender against another in one cell; None when one of them is missing."""
    good = [each for each in measurements if each.load.counted]
    rate_ratio = spread(ratios(*_against(figures(good, ours, _rate), figures(good, theirs, _rate))))
    if rate_ratio is None:
        return None

    def added_ratio(figure: Callable[[Measurement], float]) -> float | None:
        mine, other = added_ms(good, ours, direct, figure), added_ms(good, theirs, direct, figure)
        return None if mine is None or other is None else ratio(mine.median, other.median)

    return Comparison(rate_ratio, added_ratio(_p50), added_ratio(_p99))


def cpu_of_contender_us(each: Measurement) -> float:
    """CPU time per answer of all of the contender's processes."""
    return sum(value for name, value in each.cpu_us.items() if name not in OUR_OWN)


def _spread(values: Collection[float]) -> Spread:
    found = spread([*values])
    assert found is not None, "only called with values"
    return found


def _rate(each: Measurement) -> float:
    return each.load.rate


def _p50(each: Measurement) -> float:
    return each.load.p50_ms


def _p99(each: Measurement) -> float:
    return each.load.p99_ms


def _first(each: Measurement) -> float:
    return each.load.first_p50_ms
