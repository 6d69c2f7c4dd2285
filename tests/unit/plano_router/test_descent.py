"""plano_router.descent: a logistic regression."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from plano_router.descent import Recipe, regress

RECIPE = Recipe(epochs=200, least=1, decay=0.0, smoothing=0.0)


def test_what_can_be_told_apart_is() -> None:
    """Each class by its column; columns with too few examples have no weights."""
    data = csr_matrix(np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], np.float32))
    labels = np.array([0, 0, 1, 1, 2])
    found = regress(data, labels, 3, Recipe(200, 2, 0.0, 0.0))
    assert [0, 1] == found.columns.tolist()
    assert labels.tolist() == (data[:, found.columns] @ found.weights + found.bias).argmax(axis=1).tolist()


def test_the_same_each_time() -> None:
    """Bit by bit."""
    data = csr_matrix(np.random.default_rng(3).random((600, 20)).astype(np.float32))
    labels = np.arange(600) % 4
    one, other = (regress(data, labels, 4, RECIPE) for _ in range(2))
    assert one.weights.tobytes() == other.weights.tobytes()


@pytest.mark.parametrize("change", [{"decay": 0.1}, {"smoothing": 0.3}])
def test_restraint(change: dict[str, float]) -> None:
    """Decay and smoothing keep weights small."""
    data = csr_matrix(np.array([[1, 0], [0, 1]], np.float32))
    labels = np.array([0, 1])
    free = regress(data, labels, 2, RECIPE)
    held = regress(data, labels, 2, Recipe(200, 1, change.get("decay", 0.0), change.get("smoothing", 0.0)))
    assert np.abs(held.weights).max() < np.abs(free.weights).max() / 1.3


def test_rare_classes_count() -> None:
    """More than their share of the examples, less than as much as each other class."""
    data = csr_matrix(np.ones((100, 1), np.float32))
    labels = np.array([0] * 99 + [1])
    found = regress(data, labels, 2, RECIPE)
    logits = found.weights[0] + found.bias
    assert 5 < float(np.exp(logits[0] - logits[1])) < 20
