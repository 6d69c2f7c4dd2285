"""docs/simulator.md: every field is in it with its default, and its examples work."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from planoai.simulator.behaviour import BEHAVIOUR_FIELDS, Behaviour, behaviour_from
from planoai.simulator.replies import make_reply
from planoai.simulator.request_facts import read_request
from planoai.simulator.rules import Match, Rule, parse_rules

TEXT = (Path(__file__).parents[4] / "docs" / "simulator.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
FAILURES: dict[str, Any] = next(yaml.safe_load(each) for each in EXAMPLES if "seconds:" in each)


def test_every_field_with_its_default() -> None:
    """The tables list exactly the fields that there are, in their order, with what they are by default."""
    rows = re.findall(r"^\| `(\w+)` \| (?:`(.+?)`|none) \|", TEXT, re.MULTILINE)
    assert list(BEHAVIOUR_FIELDS) == [name for name, _ in rows]
    for field in msgspec.structs.fields(Behaviour):
        shown = dict(rows)[field.name]
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        text = "" if default is msgspec.UNSET else default if isinstance(default, str) else json.dumps(default)
        assert text == shown, field.name


def test_fields_of_rules_and_matches() -> None:
    """Every field of a rule and every condition has its row."""
    rows = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    assert {*Rule.__struct_fields__, *Match.__struct_fields__} <= rows


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.startswith("rules:")])
def test_examples_of_rules(example: str) -> None:
    """Each file of rules can be read."""
    assert parse_rules(example, "docs/simulator.md")


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("stream", [False, True])
def test_examples_of_failures(name: str, stream: bool) -> None:
    """Each failure is made of behaviours that can be carried out, for JSON and for streams."""
    facts = read_request("POST", "/v1/chat/completions", [], json.dumps({"model": "m", "stream": stream}).encode())
    for each in FAILURES[name]:
        reply = make_reply(facts, behaviour_from(each), "sim-1", now_s=lambda: 0, models=[])
        assert reply.refuse or reply.body is not None or next(reply.steps or iter([]), None) is not None or stream
