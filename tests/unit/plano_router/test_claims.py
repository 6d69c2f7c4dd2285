"""plano_router.claims: whose an intent is."""

from pathlib import Path

import numpy as np
import pytest

from plano_router.claims import claim, prior_of, shares_of
from plano_router.classifier import Classifier
from plano_router.train import build
from small_library import some_words, write_library


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    """Of three intents: cook and travel in one group and kin, code in another."""
    build(tmp_path / "model", write_library(tmp_path), some_words())
    return Classifier.load(tmp_path / "model", some_words())


def only(intent: int) -> np.ndarray:
    """A phrase that means one intent."""
    found = np.full(3, 0.02, np.float32)
    found[intent] = 0.96
    return found


def test_the_more_phrases_mean_it_the_firmer_the_claim(classifier: Classifier) -> None:
    """And what a phrase hardly means it does not claim."""
    once, twice = claim(classifier, [only(0)]), claim(classifier, [only(0), only(0)])
    assert 0 < once[0] < twice[0] < 1
    assert 0 == once[2]


def test_an_intent_is_shared_by_those_who_claim_it(classifier: Classifier) -> None:
    """What nobody claims belongs to none, or to those who claim its kin."""
    claims = np.array([[0.9, 0.0, 0.0], [0.3, 0.0, 0.0]], np.float32)
    shares = shares_of(classifier, claims)
    assert [1, 1, 1] == pytest.approx(shares.sum(axis=1).tolist())
    assert shares[0, 0] > shares[0, 1] > shares[0, 2]
    assert shares[2, 2] > 0.99
    of_kin = shares_of(classifier, np.array([[0.0, 0.9, 0.0]], np.float32))
    assert of_kin[0, 0] > of_kin[0, 1]


def test_what_is_claimed_is_asked_for_more_often() -> None:
    """Who writes routes has them for most of what is asked; where all or nothing is claimed, nothing is known."""
    shares = np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]], np.float32)
    prior = prior_of(shares)
    assert prior[0] > prior[1] == prior[2]
    assert [1.0, 1.0] == prior_of(np.array([[1, 0], [1, 0]], np.float32)).tolist()
