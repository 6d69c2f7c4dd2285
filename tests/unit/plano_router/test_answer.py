"""plano_router.answer: what a router says."""

from plano_router.answer import Answer


def test_ranking() -> None:
    """The best first; equal ones in the order of the configuration."""
    answer = Answer({"a": 0.2, "b": 0.5, "c": 0.2}, 0.1, "builtin")
    assert [("b", 0.5), ("a", 0.2), ("c", 0.2)] == answer.ranked
    assert (0.5, 0.0) == (answer.best, Answer({}, 1.0, "x").best)
