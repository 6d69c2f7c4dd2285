"""plano_router.prompts: what a language model is asked, and how its answer is read."""

import pytest

from plano_router.answer import Route
from plano_router.prompts import chat_messages, read_answer, within_budget
from plano_router.question import Question
from plano_router.reading import Turn

ROUTES = (Route("code generation", "writing\n code"), Route("quick tasks", "small things"))


@pytest.mark.parametrize(
    "content",
    [
        '{"route": "code generation"}',
        '{"route": ["code generation", "quick tasks"]}',
        '```json\n{"route": "code generation"}\n```',
        "{'route': 'code generation'}",
        '{{"route": "code generation"}}',
        'Sure! {"route": "Code-Generation"} fits best.',
        '{"route": "code_generation"}',
        "code generation",
        "`Code Generation`",
        "The route is code generation.",
        '<think>maybe quick tasks</think>{"route": "code generation"}',
    ],
)
def test_lenient_reading(content: str) -> None:
    """One name or a list, fences, quotes, words around it, spelling."""
    answer = read_answer(content, ROUTES, "remote")
    assert answer is not None
    assert ("code generation", 0.9, content) == (*answer.ranked[0], answer.content)
    assert 1 == pytest.approx(sum(answer.probabilities.values()) + answer.none)


@pytest.mark.parametrize(
    "content", ['{"route": "none"}', '{"route": []}', '{"route": null}', "other", '{"route": "other"}']
)
def test_no_route_fits(content: str) -> None:
    """A model may say so."""
    answer = read_answer(content, ROUTES, "remote")
    assert answer is not None
    assert answer.none > 0.8


@pytest.mark.parametrize("content", ["I cannot help with that.", '{"route": "poems"}', "{not json}", '{"x": 1'])
def test_nonsense(content: str) -> None:
    """Nothing in it is a route."""
    assert read_answer(content, ROUTES, "remote") is None


def test_the_constant_part_comes_first() -> None:
    """Instructions and routes do not depend on the question, so that providers can cache them."""
    one, two = (chat_messages(Question(text), ROUTES, 100) for text in ("a", "b"))
    assert one[0] == two[0]
    assert "- code generation: writing code" in one[0]["content"]
    assert "user: a" in one[1]["content"]


def test_the_budget() -> None:
    """The newest turn always, of a long one head and tail; then as many as fit."""
    turns = (Turn("user", "old " * 50), Turn("assistant", "x" * 30), Turn("user", "begin" + "y" * 500 + "end"))
    assert [turns[2]] == within_budget(Question("", turns=turns), 130)
    (cut,) = within_budget(Question("", turns=turns), 20)
    assert cut.text.startswith("begin")
    assert cut.text.endswith("end")
    assert len(cut.text) <= 81
    assert list(turns) == within_budget(Question("", turns=turns), 8192)
