"""plano_router.evidence: what speaks for each route."""

from pathlib import Path

import numpy as np
import pytest

from plano_router.answer import Route
from plano_router.classifier import Classifier
from plano_router.evidence import Described, Postings
from plano_router.features import features
from plano_router.train import build
from small_library import some_words, write_library

ROUTES = (Route("kitchen", "food, recipes, baking bread"), Route("trips", "hotels"))


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    """A small one."""
    build(tmp_path / "model", write_library(tmp_path), some_words())
    return Classifier.load(tmp_path / "model", some_words())


def cosine(one: str, other: str) -> float:
    """Of the features of two texts."""
    first, second = (dict(zip(*(each.tolist() for each in features(text)), strict=True)) for text in (one, other))
    return sum(value * second.get(bucket, 0.0) for bucket, value in first.items())


def test_common_words(classifier: Classifier) -> None:
    """The same as comparing text by text."""
    texts = ["bake bread", "hotels in rome", "面包怎么烤"]
    postings = Postings.of([classifier.encode(text) for text in texts])
    for question in ("how do I bake bread", "rome", "烤面包", ""):
        found = postings.cosines(classifier.encode(question))
        assert [cosine(text, question) for text in texts] == pytest.approx(found.tolist(), abs=1e-5)
    assert [] == Postings.of([]).cosines(classifier.encode("x")).tolist()


def test_each_kind_of_evidence(classifier: Classifier) -> None:
    """Speaks for the kitchen where bread is baked."""
    described = Described.read(classifier, ROUTES)
    evidence = described.about(classifier.encode("bake bread"))
    kinds = evidence.route.shape[1] // 3
    assert (evidence.route[0, :kinds] > evidence.route[1, :kinds]).all()
    assert (2, len(evidence.none)) == (len(evidence.route), 3 * 8)


def test_the_nearest_phrases(classifier: Classifier) -> None:
    """The nearest, the mean of two, the mean of all; routes may have different numbers of phrases, or one."""
    words = classifier.words
    described = Described.read(classifier, ROUTES)
    meaning = words.meaning("bake")
    phrases = [["food", "recipes", "baking bread", "kitchen"], ["hotels", "trips"]]
    for number, of_route in enumerate(phrases):
        cosines = sorted((float(words.meaning(phrase) @ meaning) for phrase in of_route), reverse=True)
        expected = [cosines[0], np.mean(cosines[:2]), np.mean(cosines)]
        assert expected == pytest.approx(described._nearest(meaning)[number].tolist(), abs=1e-5)
    alone = Described.read(classifier, (Route("food", ""),))
    assert 1 == len(set(alone._nearest(meaning)[0].round(5).tolist()))


def test_a_single_route_is_distinct(classifier: Classifier) -> None:
    """There is none that it could be taken for; two of the same are not told apart."""
    assert 1 == pytest.approx(Described.read(classifier, ROUTES[:1]).distinctness)
    twins = Described.read(classifier, (Route("a", "food, recipes"), Route("a ", "food, recipes")))
    assert 0 == pytest.approx(twins.distinctness, abs=1e-3)


def test_nothing_is_endless(classifier: Classifier) -> None:
    """Whatever is written: no words, no description."""
    described = Described.read(classifier, (Route("x", ""), Route("??", "…")))
    for text in ("", "zzz", "bake"):
        evidence = described.about(classifier.encode(text))
        assert all(np.isfinite(part).all() for part in (evidence.route, evidence.none, evidence.profile))
