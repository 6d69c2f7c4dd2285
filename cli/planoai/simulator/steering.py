"""Steering by the request itself: its `x-sim-…` headers say what happens to it.

`x-sim-behaviour: {"status": 429}` (or a list, one for each request), `x-sim-status: 429` and so on for every field of a
behaviour, `x-sim-script: [rule, …]`. Counts (a list's next behaviour, `nth`, `times`) belong to the content of these
headers, so a request that a gateway sends again gets the next behaviour; `x-sim-id` keeps equal scripts apart.
"""

from collections import OrderedDict
from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec

from planoai.simulator.behaviour import Behaviour, ScriptError, behaviour_from, decode_json, kind_of
from planoai.simulator.matching import Choice, RuleBook
from planoai.simulator.request_facts import RequestFacts
from planoai.simulator.rules import Rule, rules_from

PREFIX = "x-sim-"
_SCRIPT = "x-sim-script"
_BEHAVIOUR = "x-sim-behaviour"
_ID = "x-sim-id"

#: Never read as JSON in short form: a content of `1` is text.
_TEXT_FIELDS = {"content", "reasoning", "finish_reason"}


class Steering:
    """The scripts that requests brought along, and their counts; of more than `most_scripts` the oldest goes."""

    def __init__(self, most_scripts: int = 10_000) -> None:
        self._most_scripts = most_scripts
        self._books: OrderedDict[tuple[tuple[str, str], ...], RuleBook] = OrderedDict()

    def choose(self, facts: RequestFacts, chance: Random) -> Choice | None:
        """What the request asks for; None when it asks for nothing. Raises ScriptError."""
        headers = tuple((name, value) for name, value in facts.headers.items() if name.startswith(PREFIX))
        if not headers:
            return None
        book = self._books.get(headers)
        if book is None:
            book = RuleBook(rules_in_headers(dict(headers)), label="request's rule")
            self._books[headers] = book
            if len(self._books) > self._most_scripts:
                self._books.popitem(last=False)
        else:
            self._books.move_to_end(headers)
        return book.choose(facts, chance)

    def forget(self) -> None:
        """Begin to count anew."""
        self._books.clear()


def rules_in_headers(headers: Mapping[str, str]) -> list[Rule]:
    """The rules that `x-sim-…` headers (names in lower case) stand for: the script first. Raises ScriptError."""
    rules: list[Rule] = []
    headers = {name: _utf8(value) for name, value in headers.items()}
    if _SCRIPT in headers:
        rules += _in_header(_SCRIPT, headers[_SCRIPT])
    single: dict[str, Any] = {}
    for name, value in headers.items():
        if name not in {_SCRIPT, _BEHAVIOUR, _ID}:
            field = name.removeprefix(PREFIX).replace("-", "_")
            single[field] = value if field in _TEXT_FIELDS else _plain(value)
    if _BEHAVIOUR in headers:
        rules += _in_header(_BEHAVIOUR, headers[_BEHAVIOUR], single)
    elif single:
        rules.append(Rule(behaviours=(_short_forms(single),)))
    return rules


def _in_header(name: str, text: str, fields: Mapping[str, Any] | None = None) -> list[Rule]:
    """The rules in the JSON of a header; `fields` are further fields of each behaviour."""
    try:
        value = decode_json(text)
    except ScriptError as error:
        raise ScriptError((), f"header {name}: {error.message}") from None
    if name == _SCRIPT:
        try:
            return rules_from(value)
        except ScriptError as error:
            raise ScriptError((), f"header {name}: {error}") from None
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise ScriptError((), f"header {name}: the list is empty; write {{}} for a healthy answer")
    if fields and any(not isinstance(each, dict) for each in listed):
        raise ScriptError((), f"header {name}: beside other x-sim-… headers it is an object, not {kind_of(listed[0])}")
    return [Rule(behaviours=tuple(_behaviour({**each, **fields} if fields else each, name) for each in listed))]


def _behaviour(value: Any, header: str) -> Behaviour:
    try:
        return behaviour_from(value)
    except ScriptError as error:
        raise ScriptError((), f"header {header}: {error}") from None


def _short_forms(fields: Mapping[str, Any]) -> Behaviour:
    """A behaviour from headers such as `x-sim-status`; a mistake is placed at its header."""
    try:
        return behaviour_from(fields)
    except ScriptError as error:
        place = PREFIX + str(error.path[0]).replace("_", "-") if error.path else PREFIX + "…"
        raise ScriptError((), f"header {place}: {error.message}") from None


def _utf8(value: str) -> str:
    """A header's value, which was read as latin-1, as the UTF-8 that it is if somebody wrote more than ASCII."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _plain(value: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value
