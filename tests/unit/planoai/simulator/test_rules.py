"""planoai.simulator.rules: rules from files, each mistake with its line."""

from pathlib import Path

import pytest

from planoai.config.problems import ConfigError
from planoai.simulator import rules as rules_module
from planoai.simulator.behaviour import Behaviour, ScriptError
from planoai.simulator.rules import Match, Rule, checked_rules, parse_rules, read_rules, rules_as_data, rules_from


def test_documented_file_is_valid() -> None:
    """The file in the documentation of the module can be read."""
    assert rules_module.__doc__ is not None
    text = rules_module.__doc__[rules_module.__doc__.index("rules:") :]
    first, second = parse_rules("\n".join(line.removeprefix("    ") for line in text.splitlines()), "rules.yaml")
    assert first.match == Match(
        "sk-first", ["gpt-5.4", "claude-*"], "/chat/completions", {"x-tenant": "blue"}, True, [1, 2], 3
    )
    assert first.behaviours == (Behaviour(status=429, headers={"retry-after": 2}), Behaviour(status=503), Behaviour())
    assert (second.probability, second.choose) == (0.3, "random")


def test_json_file(tmp_path: Path) -> None:
    """JSON is read like YAML, also with a byte order mark."""
    file = tmp_path / "rules.json"
    file.write_text('\ufeff{"rules": [{"behaviours": [429]}]}')
    assert read_rules(file) == [Rule(behaviours=(Behaviour(status=429),))]


def test_every_wrong_rule_is_reported_with_its_line() -> None:
    """One run shows the mistakes of all rules, where they are; what stands for a key is not shown."""
    text = """rules:
  - match: {kye: a}
  - behaviours:
      - status: 999
  - match:
      key: 123456
  - behaviours: {status: 1}
"""
    with pytest.raises(ConfigError) as caught:
        parse_rules(text, "r.yaml")
    lines = str(caught.value).splitlines()[::2]
    assert lines == [
        "r.yaml:2: error: unknown field `kye`; did you mean `key`? (rules[0].match.kye)",
        "r.yaml:4: error: expected int <= 599 (rules[1].behaviours[0].status) — got: 999",
        "r.yaml:6: error: expected str | array | null, got int; put text in quotes (rules[2].match.key)",
        "r.yaml:7: error: expected a list, found an object; begin each with a dash (rules[3].behaviours)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file holds no rules; write `rules:` and a list"),
        ("# nothing\n", "the file holds no rules"),
        ("- match: {}\n", "the file holds a list; write `rules:` in front of it"),
        ("rules: {}\n", "expected a list of rules, found an object"),
        ("rule: []\n", "unknown field `rule`; the only one is `rules`"),
        ("rules: [\n", "r.yaml"),
        ("rules:\n  - 429\n", "a rule is an object with `match` and `behaviours`, not a number"),
        ("rules:\n  - behaviours: []\n", "the list is empty; write {} for a healthy answer"),
        ("rules:\n  - match: [a]\n", "expected an object such as {key: sk-1}, found a list"),
        ("rules:\n  - chose: random\n", "did you mean `choose`?"),
        ("rules:\n  - probability: 2\n", "expected float <= 1.0"),
    ],
)
def test_wrong_files(text: str, message: str) -> None:
    """A file that holds no rules is told what it should hold."""
    with pytest.raises(ConfigError) as caught:
        parse_rules(text, "r.yaml")
    assert message in str(caught.value)


def test_file_in_another_encoding(tmp_path: Path) -> None:
    """A file that is no UTF-8 is a mistake, not a crash."""
    file = tmp_path / "rules.yaml"
    file.write_bytes(b"rules: \xff\xfe")
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        read_rules(file)


def test_rules_survive_data() -> None:
    """Rules written in Python are the same after a trip through plain data."""
    rules = [Rule(Match(key="a"), [Behaviour(status=500, times=2)], "first"), Rule()]
    assert rules_from({"rules": rules_as_data(rules)}) == [
        Rule(Match(key="a"), (Behaviour(status=500, times=2),), "first"),
        Rule(),
    ]


def test_rules_written_in_python_are_checked() -> None:
    """A value out of range is found although nothing was parsed."""
    with pytest.raises(ScriptError, match=r"\[0\].behaviours\[0\].status"):
        checked_rules([Rule(behaviours=[Behaviour(status=42)])])


def test_neither_list_nor_object() -> None:
    """Rules that are neither are refused."""
    with pytest.raises(ScriptError, match="expected an object with `rules`, found text"):
        rules_from("429")
