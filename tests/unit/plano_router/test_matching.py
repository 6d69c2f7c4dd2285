"""plano_router.matching: a probability for each route of any configuration."""

import pytest

from plano_router.answer import Route
from plano_router.classifier import Classifier
from plano_router.matching import Matcher


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """That of the package."""
    return Classifier.load()


@pytest.mark.parametrize(
    ("routes", "prompt", "expected"),
    [
        ({"t": "translating text", "s": "stories, poems and lyrics"}, "write me a love poem", "s"),
        ({"t": "translating text", "s": "stories, poems and lyrics"}, "how do you say hello in french", "t"),
        ({"翻译": "中英互译", "画图": "生成图片"}, "画一只猫", "画图"),
        ({"tests": "writing unit tests", "ui": "frontend, CSS, components"}, "make the navbar responsive", "ui"),
    ],
)
def test_any_configuration(classifier: Classifier, routes: dict[str, str], prompt: str, expected: str) -> None:
    """Routes of other fields than ours."""
    matcher = Matcher.build(classifier, tuple(Route(name, text) for name, text in routes.items()))
    assert expected == matcher.ask(prompt).ranked[0][0]


def test_what_nobody_claims_belongs_to_none(classifier: Classifier) -> None:
    """A poem is neither code nor documentation."""
    routes = (Route("code", "writing code, fixing bugs"), Route("docs", "README files, API docs"))
    answer = Matcher.build(classifier, routes).ask("write me a love poem about autumn")
    assert answer.none > answer.best


def test_examples_make_a_route_likelier(classifier: Classifier) -> None:
    """What an author gives as an example belongs to the route."""
    prompt = "the frobnicator needs recalibration"
    plain = (Route("a", "writing code"), Route("b", "cooking"))
    taught = (Route("a", "writing code"), Route("b", "cooking", (prompt,)))
    before, after = (Matcher.build(classifier, routes).ask(prompt).probabilities["b"] for routes in (plain, taught))
    assert after > before + 0.2


def test_no_routes(classifier: Classifier) -> None:
    """Then none fits."""
    assert 1 == pytest.approx(Matcher.build(classifier, ()).ask("hi").none)
