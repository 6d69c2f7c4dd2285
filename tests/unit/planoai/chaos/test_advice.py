"""planoai.chaos.advice: what to change."""

from collections.abc import Mapping

import pytest

from planoai.chaos.advice import advice
from planoai.chaos.verdicts import Mark
from planoai.config import PlanoConfig, parse_config

TWO = """
model_providers:
  - {model: one/m, base_url: "http://a.example", retry_policy: POLICY}
  - {model: two/m, base_url: "http://b.example"}
"""


def config(policy: str = "", text: str = TWO) -> PlanoConfig:
    """With this policy for the first channel; without one, none."""
    written = text.replace("POLICY", policy) if policy else text.replace(", retry_policy: POLICY", "")
    return parse_config(f"version: v0.4.0\n{written}", "config.yaml", {}, {}).config


def one(text: str, found: PlanoConfig, marks: Mapping[str, Mapping[str, Mark]] | None = None) -> bool:
    """Whether a sentence with this text is among the advice."""
    return any(text in sentence for sentence in advice(found, marks or {}))


def test_without_a_policy() -> None:
    """The channels are named, and what holds for all of them."""
    assert one("one/m and two/m have no retry_policy", config())
    assert one("two/m has no retry_policy", config("{fallback_models: [two/m]}"))
    assert one("A `retry_policy` at the top level", config())


def test_a_single_channel() -> None:
    """No policy helps."""
    alone = 'model_providers:\n  - {model: one/m, base_url: "http://a.example"}\n'
    (sentence,) = advice(config(text=alone), {})
    assert sentence.startswith("There is one channel")


@pytest.mark.parametrize(
    ("policy", "marks", "text"),
    [
        ("{default_max_attempts: 1}", {}, "`default_max_attempts: 1` allows no second attempt"),
        ("{default_strategy: same_model}", {}, "`same_model` asks the same channel again"),
        ("{default_strategy: same_provider}", {"503": "told"}, "nobody follows it"),
        ("{}", {"slow-first-token": "told"}, "is not given up"),
    ],
)
def test_policies_that_leave_a_gap(policy: str, marks: dict[str, Mark], text: str) -> None:
    """Said for the channel, with the key to change."""
    assert one(f"one/m: {text}" if text[0] == "`" else text, config(policy), {"one/m": marks})


def test_nothing_to_say() -> None:
    """Where every channel has somebody who stands in."""
    both = TWO.replace('"http://b.example"}', '"http://b.example", retry_policy: {}}')
    marks: dict[str, dict[str, Mark]] = {"one/m": {"503": "answered"}, "two/m": {"503": "answered"}}
    assert [] == advice(config("{}", both), marks)
