"""plano_router.features: from a text to hashed features."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_router.features import BUCKETS, features


@given(st.text(), st.text(max_size=20))
def test_a_vector_of_length_one(text: str, context: str) -> None:
    """Whatever comes: buckets in range, none twice, length 1."""
    buckets, values = features(text, context)
    assert len(buckets) == len(set(buckets.tolist())) == len(values)
    assert all(0 <= bucket < BUCKETS for bucket in buckets)
    assert 1 == pytest.approx(float(np.linalg.norm(values)), abs=1e-4)


def likeness(one: str, two: str) -> float:
    """The cosine of two texts."""
    first = dict(zip(*(each.tolist() for each in features(one)), strict=True))
    second = dict(zip(*(each.tolist() for each in features(two)), strict=True))
    return sum(value * second.get(bucket, 0.0) for bucket, value in first.items())


def test_typos_and_case_change_little() -> None:
    """Letters in common count."""
    assert likeness("Implement pagination", "implment paginaton") > likeness("Implement pagination", "cook a soup")
    assert 1 == pytest.approx(likeness("Fix It", "fix it"), abs=1e-4)


def test_context_counts_less_than_the_turn() -> None:
    """What was said before is heard, and not as loud."""
    plain, with_context = (
        dict(zip(*(e.tolist() for e in f), strict=True)) for f in (features("go"), features("go", "cook soup"))
    )
    assert set(plain) < set(with_context)
