"""Which requests get which behaviour: `Match` and `Rule`, written in Python, JSON or YAML.

A file of rules, for `planoai simulate --rules FILE`:

    # The first rule that matches a request answers it; a request that no rule matches gets a healthy answer.
    rules:
      - name: rate-limited          # shown in the log; optional
        match:
          key: sk-first             # the bearer token, x-api-key or api-key; `*` stands for anything
          model: [gpt-5.4, "claude-*"]
          path: /chat/completions   # the end of the path
          headers: {x-tenant: blue}
          stream: true
          nth: [1, 2]               # of the requests that match the rest: the first and the second …
          every: 3                  # … or every third
        behaviours:                 # one for each request, the last for all further ones
          - {status: 429, headers: {retry-after: 2}}
          - 503                     # short for {status: 503}
          - {}                      # healthy
      - match: {key: sk-flaky}
        probability: 0.3            # else the next rule is asked
        choose: random              # one of the behaviours, instead of one after the other
        behaviours: [429, {refuse: true}, {error_event: true}]
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from planoai.config.problems import ConfigError, Problem, shorten
from planoai.config.source import read_document
from planoai.simulator.behaviour import (
    AtLeastOne,
    Behaviour,
    Probability,
    ScriptError,
    behaviour_from,
    convert_strictly,
    kind_of,
    path_text,
)

Patterns = str | list[str] | None


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Conditions on a request; all that are given must hold. In patterns `*` stands for any text, also none."""

    #: The credential that the request carries.
    key: Patterns = None
    #: `model` of the body.
    model: Patterns = None
    #: The end of the path, without the query.
    path: Patterns = None
    #: Names (any case) and patterns of request headers.
    headers: dict[str, str] = {}
    stream: bool | None = None
    #: 1 is the first request that fulfils all other conditions.
    nth: Annotated[int, Meta(ge=1)] | list[Annotated[int, Meta(ge=1)]] | None = None
    every: AtLeastOne | None = None


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to the requests that match.

    Behaviours serve in turn: each as many requests as its `times` says, by default one; the last one without end
    unless it has `times` too. A rule whose behaviours are used up matches no more.
    """

    match: Match = Match()
    behaviours: Sequence[Behaviour] = (Behaviour(),)
    name: str = ""
    #: Otherwise the next rule is asked.
    probability: Probability = 1
    choose: Literal["in_order", "random"] = "in_order"


_MATCH_FIELDS = Match.__struct_fields__
_RULE_FIELDS = Rule.__struct_fields__


def rule_from(value: Any, path: Sequence[str | int] = ()) -> Rule:
    """A rule from plain data. Raises ScriptError."""
    if not isinstance(value, Mapping):
        raise ScriptError(path, f"a rule is an object with `match` and `behaviours`, not {kind_of(value)}")
    written = value.get("behaviours", [{}])
    if not isinstance(written, list):
        raise ScriptError((*path, "behaviours"), f"expected a list, found {kind_of(written)}; begin each with a dash")
    if not written:
        raise ScriptError((*path, "behaviours"), "the list is empty; write {} for a healthy answer")
    behaviours = tuple(behaviour_from(each, (*path, "behaviours", index)) for index, each in enumerate(written))
    match = value.get("match", {})
    if not isinstance(match, Mapping):
        raise ScriptError((*path, "match"), f"expected an object such as {{key: sk-1}}, found {kind_of(match)}")
    conditions = convert_strictly(match, Match, _MATCH_FIELDS, (*path, "match"))
    rest = {name: each for name, each in value.items() if name not in {"behaviours", "match"}}
    rule = convert_strictly(rest, Rule, _RULE_FIELDS, path)
    return msgspec.structs.replace(rule, match=conditions, behaviours=behaviours)


def rules_from(value: Any) -> list[Rule]:
    """Rules from plain data: a list, or an object whose only key is `rules`. Raises ScriptError, for the first one."""
    items, base = _rule_list(value)
    return [rule_from(each, (*base, index)) for index, each in enumerate(items)]


def checked_rules(rules: Sequence[Rule]) -> list[Rule]:
    """The rules, with every value checked as if it came from a file. Raises ScriptError."""
    return rules_from(rules_as_data(rules))


def rules_as_data(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Rules as plain data, ready for JSON."""
    data: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(list(rules)))
    return data


def read_rules(path: Path) -> list[Rule]:
    """The rules in a YAML or JSON file. Raises ConfigError with every rule that is wrong; OSError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError([_problem(str(path), 1, "", "the file is no text in UTF-8")]) from None
    return parse_rules(text, str(path))


def parse_rules(text: str, file: str) -> list[Rule]:
    """The rules in the text of a file, whose name is for messages. Raises ConfigError."""
    written = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not written:
        raise ConfigError([_problem(file, 1, "", "the file holds no rules; write `rules:` and a list")])
    if written[0].lstrip().startswith(("[", "- ")):
        raise ConfigError([_problem(file, 1, "", "the file holds a list; write `rules:` in front of it")])
    document = read_document(text, file)
    problems = list(document.problems)
    rules: list[Rule] = []

    def note(mistake: ScriptError) -> None:
        line = document.line_of(mistake.path, at_key=mistake.at_key)
        hidden = mistake.at_key or "key" in mistake.path
        value = None if hidden else document.texts.get(mistake.path)
        problems.append(_problem(file, line, path_text(mistake.path), mistake.message, value))

    try:
        items, base = _rule_list(document.data)
    except ScriptError as error:
        note(error)
        raise ConfigError(problems) from None
    for index, item in enumerate(items):
        try:
            rules.append(rule_from(item, (*base, index)))
        except ScriptError as error:
            note(error)
    if problems:
        raise ConfigError(problems)
    return rules


def _rule_list(value: Any) -> tuple[list[Any], tuple[str | int, ...]]:
    if isinstance(value, list):
        return value, ()
    if not isinstance(value, Mapping):
        raise ScriptError((), f"expected an object with `rules`, found {kind_of(value)}")
    for name in value:
        if name != "rules":
            raise ScriptError((name,), f"unknown field `{name}`; the only one is `rules`", at_key=True)
    items = value.get("rules", [])
    if not isinstance(items, list):
        raise ScriptError(("rules",), f"expected a list of rules, found {kind_of(items)}; begin each with a dash")
    return items, ("rules",)


def _problem(file: str, line: int, path: str, message: str, value: str | None = None) -> Problem:
    shown = None if value is None else shorten(value)
    return Problem("error", file, line, path, shown, message, "docs/simulator.md lists every field; {} is healthy.")
