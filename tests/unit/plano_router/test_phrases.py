"""plano_router.phrases: a description in pieces."""

from plano_router.answer import Route
from plano_router.phrases import phrases_of


def test_a_description_is_read_phrase_by_phrase() -> None:
    """Separators and fillers of English and Chinese descriptions; the name comes last."""
    route = Route("code_review", "reviewing pull requests, e.g. finding bugs and bad style; 代码评审、代码检查")
    assert ["reviewing pull", "finding bugs", "bad style", "代码评审", "代码检查", "code review"] == [
        " ".join(phrase.split()) for phrase in phrases_of(route)
    ]


def test_there_is_always_a_phrase() -> None:
    """The name at least."""
    assert ["a"] == phrases_of(Route("a", ""))
