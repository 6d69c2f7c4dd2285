"""bench.summary: from measurements to ratios and added latency."""

import pytest

from bench.load import LoadResult
from bench.measure import Measurement
from bench.stats import Spread
from bench.summary import compare, row


def measured(contender: str, round_: int, rate: float, p50_ms: float, *, cpu_us: float = 0.0) -> Measurement:
    """One measurement; p99 is twice p50. A rate of 0: nothing was answered."""
    load = LoadResult(
        answers=int(rate),
        counted=int(rate),
        errors=0 if rate else 3,
        first_error="",
        rate=rate,
        p50_ms=p50_ms,
        p99_ms=2 * p50_ms,
        mean_ms=p50_ms,
        first_p50_ms=p50_ms / 2,
        wall_s=1.0,
        cpu_s=0.1,
        machine_s=1.0,
    )
    cpu = {"upstream": 1.0, "clients": 1.0, **({} if contender == "direct" else {contender: cpu_us})}
    return Measurement(contender, "json-1k", 16, round_, load, cpu, others_cores=0.5)


#: The second round ran on a busy machine: everything took twice as long.
ROUNDS = [
    measured("direct", 0, 1000, 1.0),
    measured("envoy", 0, 500, 2.0, cpu_us=100),
    measured("plano", 0, 100, 5.0, cpu_us=500),
    measured("litellm", 0, 10, 21.0, cpu_us=9000),
    measured("direct", 1, 500, 2.0),
    measured("envoy", 1, 250, 4.0, cpu_us=200),
    measured("plano", 1, 50, 10.0, cpu_us=1000),
    measured("litellm", 1, 5, 42.0, cpu_us=18000),
]


def test_a_row() -> None:
    """Noise of a whole round does not touch the ratios; added latency is over the upstream of the same round."""
    found = row(ROUNDS, "plano", "direct", "envoy")
    assert found is not None
    assert (75.0, Spread(0.2, 0.2, 0.2)) == (found.rate.spread.median, found.rate_ratio)
    assert (7.5, 2.5) == (found.p50_ms.spread.median, found.p50_ms.ratio)
    assert (15.0, 2.5) == (found.p99_ms.spread.median, found.p99_ms.ratio)
    assert found.added_p50_ms is not None
    assert (Spread(6.0, 4.0, 8.0), 4.0) == (found.added_p50_ms.spread, found.added_p50_ms.ratio)
    assert ({"plano": 750.0}, 5.0) == (found.cpu_us, found.cpu_ratio)


def test_the_reference_is_one() -> None:
    """Envoy alone is exactly once itself."""
    found = row(ROUNDS, "envoy", "direct", "envoy")
    assert found is not None
    assert (Spread(1.0, 1.0, 1.0), 1.0) == (found.rate_ratio, found.cpu_ratio)


def test_the_upstream_adds_nothing() -> None:
    """For the upstream itself there is no added latency, and no CPU time of a gateway."""
    found = row(ROUNDS, "direct", "direct", "envoy")
    assert found is not None
    assert (None, None, {}, None) == (found.added_p50_ms, found.added_p99_ms, found.cpu_us, found.cpu_ratio)


def test_rounds_without_answers_are_left_out() -> None:
    """A contender that failed in one round is judged by the others, and its errors are counted."""
    found = row([*ROUNDS, measured("plano", 2, 0, 0.0, cpu_us=500)], "plano", "direct", "envoy")
    assert found is not None
    assert (Spread(75.0, 50.0, 100.0), 3) == (found.rate.spread, found.errors)


def test_a_contender_that_never_answered() -> None:
    """There is nothing to say about it."""
    assert row([measured("plano", 0, 0, 0.0)], "plano", "direct", "envoy") is None


def test_compare() -> None:
    """Requests/s and added latency of one in those of the other."""
    found = compare(ROUNDS, "plano", "litellm", "direct")
    assert found is not None
    assert Spread(10.0, 10.0, 10.0) == found.rate_ratio
    assert pytest.approx((0.2, 0.2)) == (found.added_p50_ratio, found.added_p99_ratio)


def test_compare_with_what_is_missing() -> None:
    """Without the other there is no comparison."""
    assert compare(ROUNDS[:3], "plano", "litellm", "direct") is None
