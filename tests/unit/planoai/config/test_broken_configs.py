"""Every broken configuration in broken_configs.yaml is told as such, with its line, its reason and its remedy."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from planoai.config import ConfigError, Problem, parse_config

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "broken_configs.yaml").read_text(encoding="utf-8")
)
ENVIRON = {"SET_KEY": "sk-value-of-set-key"}


def problems_of(text: str) -> tuple[Problem, ...]:
    try:
        return parse_config(text, "config.yaml", ENVIRON, {}).notices
    except ConfigError as error:
        return error.problems


def test_there_are_enough_cases() -> None:
    """At least 60 different mistakes are in the table, under different names."""
    assert len(CASES) >= 60
    assert len(CASES) == len({case["name"] for case in CASES})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_broken_config(case: dict[str, Any]) -> None:
    """The problem is found at its line, says what is wrong and what to do; nothing worse is found; no key is shown."""
    problems = problems_of(case["config"])
    severity = case.get("severity", "error")
    rendered = "\n".join(problem.render() for problem in problems)
    matching = [
        problem
        for problem in problems
        if (case["line"], severity) == (problem.line, problem.severity)
        and case["message"] in problem.message
        and case["remedy"] in problem.remedy
    ]
    assert 1 == len(matching), rendered
    order = ("error", "warning", "notice")
    assert [] == [problem for problem in problems if order.index(problem.severity) < order.index(severity)], rendered
    if severity == "error":
        # One mistake, one message: nothing follows from it.
        assert 1 == len([problem for problem in problems if problem.severity == "error"]), rendered
    assert "sk-secret" not in rendered
    assert "123456789" not in rendered
    assert "sk-value-of-set-key" not in rendered
