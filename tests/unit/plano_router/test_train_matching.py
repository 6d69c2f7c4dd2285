"""plano_router.train_matching: what evidence counts, learned from configurations."""

from pathlib import Path

import numpy as np
import pytest

from plano_router.classifier import Classifier
from plano_router.library import Configuration, read_configurations
from plano_router.train import arrays_without_matching
from plano_router.train_matching import Observations, _cross_entropy, learn
from small_library import some_words, write_library


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A small library."""
    return write_library(tmp_path)


@pytest.fixture
def classifier(library: Path) -> Classifier:
    """Trained on it, without the matching."""
    nothing = {f"matching.{name}": np.zeros(0) for name in ("route", "none", "affinity")}
    return Classifier.from_arrays(arrays_without_matching(some_words(), library) | nothing, some_words())


def test_what_is_seen(classifier: Classifier, library: Path) -> None:
    """Evidence for each prompt and route; where another configuration has more routes, places that are not there."""
    (mine,) = read_configurations(library)
    smaller = Configuration("small", mine.routes[:1], (("boil eggs", "", "kitchen"), ("hi", "", None)))
    empty = Configuration("empty", mine.routes, ())
    seen = Observations.gather(classifier, [mine, smaller, empty])
    assert (7, 2) == seen.evidence.shape[:2]
    assert [0, 0, 1, 1, 2, 0, 2] == seen.right.tolist()
    assert [[True] * 3, [True, False, True]] == [seen.there[0].tolist(), seen.there[6].tolist()]
    assert not seen.evidence[6, 1].any()


def test_the_gradient_is_that_of_the_loss(classifier: Classifier, library: Path) -> None:
    """Measured by small steps."""
    seen = Observations.gather(classifier, read_configurations(library))
    logits = np.random.default_rng(0).normal(size=seen.there.shape)
    value, gradient = _cross_entropy(seen, logits)
    for place in ((0, 0), (2, 1), (4, 2)):
        moved = logits.copy()
        moved[place] += 1e-6
        assert (_cross_entropy(seen, moved)[0] - value) / 1e-6 == pytest.approx(gradient[place], abs=1e-4)


def test_what_is_learned(classifier: Classifier, library: Path) -> None:
    """Weights for each kind of evidence, none of them endless; the seen prompts get their routes."""
    (mine,) = read_configurations(library)
    seen = Observations.gather(classifier, [mine, Configuration("again", mine.routes, mine.prompts)])
    weights = learn(seen)
    assert {"matching.route", "matching.none", "matching.affinity"} == set(weights)
    assert all(np.isfinite(array).all() for array in weights.values())
    assert (seen.evidence.shape[2], seen.none.shape[1]) == (
        len(weights["matching.route"]),
        len(weights["matching.none"]),
    )
