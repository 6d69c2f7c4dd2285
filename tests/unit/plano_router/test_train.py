"""plano_router.train: the same library gives the same classifier."""

from pathlib import Path

import numpy as np
import pytest

from plano_router.classifier import Classifier
from plano_router.features import BUCKETS
from plano_router.library import read_configurations, read_examples
from plano_router.matching import Matcher
from plano_router.train import arrays_without_matching, build, matrix
from small_library import some_words, write_library


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A small library."""
    return write_library(tmp_path)


def test_the_same_bytes_each_time(library: Path) -> None:
    """And what was trained recognises what it has seen, prompts and routes."""
    for name in ("x", "y"):
        build(library / name, library, some_words())
    assert (library / "x").read_bytes() == (library / "y").read_bytes()
    classifier = Classifier.load(library / "x", some_words())
    found = classifier.prompts.probabilities(classifier.encode("book a hotel"))
    assert "travel" == classifier.intents[int(found.argmax())]
    (configuration,) = read_configurations(library)
    matcher = Matcher.build(classifier, configuration.routes)
    assert ["kitchen", "trips"] == [matcher.ask(text).ranked[0][0] for text in ("bake a pie", "fly to paris")]


def test_the_rows_of_the_data(library: Path) -> None:
    """An example each: its features, and behind them its meaning."""
    examples, words = read_examples(library), some_words()
    data = matrix(examples, words)
    assert (len(examples), BUCKETS + 4) == data.shape
    number = [each.text for each in examples].index("bake bread")
    assert words.meaning("bake bread") == pytest.approx(data[number, BUCKETS:].toarray()[0])
    assert 1 == pytest.approx(float(np.linalg.norm(data[number, :BUCKETS].toarray())))


def test_learning_from_a_part(library: Path) -> None:
    """For learning curves: fewer prompts, the same intents."""
    whole = arrays_without_matching(some_words(), library)
    half = arrays_without_matching(some_words(), library, share=0.5)
    assert len(half["prompts.buckets"]) < len(whole["prompts.buckets"])
    assert whole["intents"].tolist() == half["intents"].tolist()
    assert whole["phrases.buckets"].tolist() == half["phrases.buckets"].tolist()
