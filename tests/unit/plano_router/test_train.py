"""plano_router.train: the same library gives the same classifier."""

import json
from pathlib import Path

import pytest

from plano_router.classifier import Classifier
from plano_router.train import build, read_examples, read_intents, read_phrases, taxonomy

INTENTS = "one:\n  cook: recipes; food — not travel\n  travel: trips, hotels\ntwo:\n  code: programs\n"
BEFORE = "write a program that sorts numbers, in go"
PROMPTS = "## cook en\nbake a cake\\nwith sugar\nboil eggs\nbake bread\n## travel en\nbook a hotel\nfly to rome\n"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A small library in both formats."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "phrases").mkdir()
    (tmp_path / "intents.yaml").write_text(INTENTS)
    (tmp_path / "kin.yaml").write_text("cook: [travel]\n")
    (tmp_path / "examples" / "a.txt").write_text(PROMPTS)
    messages = [
        {"role": "user", "content": "write a program that sorts numbers, in go"},
        {"role": "user", "content": "and in c?"},
    ]
    lines = [
        {"intent": "code", "lang": "en", "messages": messages},
        {"intent": "code", "lang": "en", "text": "fix the bug"},
    ]
    (tmp_path / "examples" / "b.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "phrases" / "a.txt").write_text("## code en\nprogramming\n")
    return tmp_path


def test_what_is_read(library: Path) -> None:
    """Prompts as the router reads them, phrases with the definitions."""
    examples = read_examples(library)
    assert {"cook", "travel", "code"} == set(read_intents(library))
    assert "bake a cake\nwith sugar" in [each.text for each in examples]
    assert ("and in c?", "write a program that sorts numbers, in go") in [
        (each.text, each.context) for each in examples
    ]
    phrases = {(each.intent, each.text) for each in read_phrases(library)}
    assert {("code", "programming"), ("travel", "hotels"), ("cook", "recipes"), ("cook", "boil eggs")} <= phrases


def test_the_taxonomy(library: Path) -> None:
    """Groups, and who is near to whom."""
    found = taxonomy(library)
    assert [0, 0, 1] == found["groups"].tolist()
    assert 0.8 == pytest.approx(float(found["kin"][0, 1]), abs=1e-4)  # type: ignore[arg-type]


def test_the_same_bytes_each_time(library: Path) -> None:
    """And what was trained recognises what it has seen."""
    for name in ("x", "y"):
        build(library / name, library)
    assert (library / "x").read_bytes() == (library / "y").read_bytes()
    classifier = Classifier.load(library / "x")
    assert "travel" == classifier.intents[int(classifier.prompts.probabilities("book a hotel").argmax())]


def test_the_library_of_the_package() -> None:
    """Every example has an intent that there is, and every intent has examples and phrases."""
    intents = read_intents()
    examples = {each.intent for each in read_examples()}
    assert set(intents) == examples
    assert {each.intent for each in read_phrases()} == examples
    assert len(taxonomy()["groups"]) == len(intents)
