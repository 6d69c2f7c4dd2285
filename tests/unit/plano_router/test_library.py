"""plano_router.library: prompts, phrases and configurations, as they are written."""

from pathlib import Path

import pytest

from plano_router.answer import Route
from plano_router.library import read_configurations, read_examples, read_intents, read_phrases, taxonomy
from small_library import write_library


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A small library in both formats."""
    return write_library(tmp_path)


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


def test_configurations(library: Path) -> None:
    """Routes with their descriptions on one line, prompts with their routes."""
    (mine,) = read_configurations(library)
    assert (Route("kitchen", "food and recipes"), Route("trips", "hotels, flights")) == mine.routes
    assert {("a hotel in rome", "", "trips"), ("fix the bug in go", "", None)} <= set(mine.prompts)


def test_the_taxonomy(library: Path) -> None:
    """Groups, and who is near to whom."""
    found = taxonomy(library)
    assert [0, 0, 1] == found["groups"].tolist()
    assert 0.8 == pytest.approx(float(found["kin"][0, 1]), abs=1e-4)  # type: ignore[arg-type]


def test_the_library_of_the_package() -> None:
    """Every example has an intent that there is, and every intent has many examples and phrases."""
    intents = read_intents()
    counts = dict.fromkeys(intents, 0)
    for each in read_examples():
        counts[each.intent] += 1
    assert set(intents) == set(counts)
    assert min(counts.values()) >= 30
    assert set(intents) == {each.intent for each in read_phrases()}
    assert len(taxonomy()["groups"]) == len(intents)


def test_the_configurations_of_the_package() -> None:
    """Every prompt has a route of its configuration, or none; no configuration comes twice."""
    configurations = read_configurations()
    assert len({each.name for each in configurations}) == len(configurations) > 100
    for each in configurations:
        names = {route.name for route in each.routes}
        assert len(names) == len(each.routes), each.name
        assert {name for *_, name in each.prompts} <= {*names, None}, each.name
