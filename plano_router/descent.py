"""A multinomial logistic regression, trained by gradient descent with a rate for each weight (AdaGrad).

Deterministic: the order of the examples is a fixed one. Needs SciPy, which only building does.
J. Duchi, E. Hazan, Y. Singer: Adaptive Subgradient Methods for Online Learning, JMLR 12 (2011).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from plano_router.words import Vector

_RATE, _BATCH, _SEED = 0.1, 256, 1
_TINY = 1e-6


@dataclass(frozen=True)
class Regression:
    """What was learned."""

    columns: NDArray[np.int64]
    """Of the data, those that have weights."""
    weights: Vector
    """A row for each column, a column for each class."""
    bias: Vector


@dataclass(frozen=True)
class Recipe:
    """How it is learned."""

    epochs: int
    least: int
    """Columns that fewer examples have say more about the example than about its class."""
    decay: float
    """How strongly weights are drawn to zero."""
    smoothing: float
    """How much of each example's certainty is given to the other classes."""


def regress(data: csr_matrix, labels: NDArray[np.int64], classes: int, recipe: Recipe) -> Regression:
    """Learn the class of each row. Half way between "each example counts alike" and "each class counts alike"."""
    number = data.shape[0]
    seen = np.bincount(data.indices, minlength=data.shape[1])
    columns = np.flatnonzero(seen >= recipe.least)
    rows = csr_matrix(data[:, columns])
    counts = np.bincount(labels, minlength=classes)
    share = np.sqrt(number / classes / np.maximum(counts, 1))[labels].astype(np.float32)
    weights = np.zeros((len(columns), classes), np.float32)
    squares = np.full_like(weights, _TINY)
    bias = np.zeros(classes, np.float32)
    bias_squares = np.full_like(bias, _TINY)
    random = np.random.default_rng(_SEED)
    for _ in range(recipe.epochs):
        order = random.permutation(number)
        for start in range(0, number, _BATCH):
            chosen = order[start : start + _BATCH]
            batch = rows[chosen]
            # Only what the batch touches: most columns are rare.
            touched, places = np.unique(batch.indices, return_inverse=True)
            part = csr_matrix((batch.data, places, batch.indptr), shape=(len(chosen), len(touched)))
            current = weights[touched]
            errors = _softmax(part @ current + bias)
            errors[np.arange(len(chosen)), labels[chosen]] -= 1 - recipe.smoothing
            errors -= recipe.smoothing / classes
            errors *= share[chosen][:, None]
            gradient = csr_matrix(part.T) @ errors + recipe.decay * current
            squared = squares[touched] + gradient * gradient
            squares[touched] = squared
            weights[touched] = current - _RATE * gradient / np.sqrt(squared)
            gradient = errors.sum(axis=0)
            bias_squares += gradient * gradient
            bias -= _RATE * gradient / np.sqrt(bias_squares)
    return Regression(columns, weights, bias)


def _softmax(logits: Vector) -> Vector:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)
