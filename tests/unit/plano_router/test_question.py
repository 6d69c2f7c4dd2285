"""plano_router.question: what a router is asked."""

from plano_router.question import Question


def test_defaults() -> None:
    """A bare prompt, for the configured routes."""
    question = Question("hi")
    assert ("", (), (), 2.5) == (question.context, question.turns, question.routes, question.timeout_s)
