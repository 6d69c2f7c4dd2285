"""Problems are shown with place, value and remedy, and never with a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planoai.config.problems import ConfigError, Problem, render_problems, scrub, shorten, sorted_by_line


def problem(line: int | None = 3, severity: str = "error", **texts: str | None) -> Problem:
    values = {"path": "a.b", "value": "x", "message": "is wrong", "remedy": "Write y."} | texts
    return Problem(severity, "config.yaml", line, **values)  # type: ignore[arg-type]


def test_rendering() -> None:
    """File, line, severity, message, place and value stand on the first line, the remedy below."""
    assert "config.yaml:3: error: is wrong (a.b) — got: x\n    Write y." == problem().render()


def test_rendering_of_a_whole_file() -> None:
    """What is not known is left out."""
    assert "config.yaml: error: is wrong\n    Write y." == problem(None, path="", value=None).render()


def test_config_error_tells_everything() -> None:
    """The text of the exception holds every problem; `errors` only those that stop the gateway."""
    problems = [problem(1), problem(2, "warning")]
    error = ConfigError(problems)
    assert render_problems(problems) == str(error)
    assert (problems[0],) == error.errors


def test_order_of_the_file() -> None:
    """Problems of the whole file come first, then line by line."""
    problems = [problem(7), problem(None), problem(2)]
    assert [None, 2, 7] == [entry.line for entry in sorted_by_line(problems)]


@pytest.mark.parametrize(("text", "expected"), [("a\n b", "a b"), ("x" * 90, "x" * 79 + "…"), ("", "")])
def test_shorten(text: str, expected: str) -> None:
    """A value is shown on one line and not longer than 80 characters."""
    assert expected == shorten(text)


@given(st.text(min_size=6).filter(lambda secret: secret not in "***"), st.text(), st.text())
def test_scrub_removes_a_secret_from_every_part(secret: str, before: str, after: str) -> None:
    """Wherever a secret of six or more characters stands, it is masked."""
    text = before + secret + after
    scrubbed = scrub(problem(path=text, value=text, message=text, remedy=text), [secret, ""])
    for part in (scrubbed.path, scrubbed.value, scrubbed.message, scrubbed.remedy):
        assert part is not None
        assert part == text.replace(secret, "***")


def test_scrub_leaves_short_texts() -> None:
    """A key of one letter does not garble the message."""
    assert problem() == scrub(problem(), ["i"])


def test_scrub_keeps_a_missing_value() -> None:
    """No value stays no value."""
    assert scrub(problem(value=None), ["secret"]).value is None
