"""plano_router.classifier: what the router knows without being told."""

from pathlib import Path

import numpy as np
import pytest

from plano_router.classifier import Classifier, softmax


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """That of the package."""
    return Classifier.load()


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("write a python function that reverses a string", "write_code"),
        ("add unit tests for the parser", "write_tests"),
        ("translate 'good night' to german", "translate"),
        ("写一个单元测试", "write_tests"),
        ("write a haiku about the sea", "poetry_lyrics"),
    ],
)
def test_intents(classifier: Classifier, text: str, intent: str) -> None:
    """Plain requests in English and Chinese."""
    assert intent == classifier.intents[int(classifier.prompts.probabilities(classifier.encode(text)).argmax())]


def test_probabilities(classifier: Classifier) -> None:
    """They add up to 1, also for texts of which nothing is known."""
    for text in ("", "zzzz qqqq", "fix it"):
        assert 1 == pytest.approx(float(classifier.prompts.probabilities(classifier.encode(text)).sum()), abs=1e-4)


def test_softmax_is_stable() -> None:
    """Large logits do not overflow."""
    assert [0.0, 1.0] == softmax(np.array([0.0, 5000.0], np.float32)).tolist()


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """Is an error."""
    path = tmp_path / "x.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"pickled|magic|load"):
        Classifier.load(path)
