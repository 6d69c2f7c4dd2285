"""Data against the schema: every mistake in our words, and a configuration of what is left without them.

pydantic reports all mistakes of a file at once, but gives no object as long as there is one. So that the rules between
values (`checks.py`) can be tried in the same run, the mistaken pieces are taken out and the rest is validated again.
"""

import copy
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from planoai.config.introspection import keys_anywhere, model_at, no_effect, schema_path, shape_of
from planoai.config.problems import Finding, Path
from planoai.config.schema import PlanoConfig

#: What people write, coming from other programs, and what it is called here.
_OTHER_WORDS: Mapping[str, str] = {
    "api_key": "access_key",
    "apikey": "access_key",
    "key": "access_key",
    "token": "access_key",
    "api_base": "base_url",
    "url": "base_url",
    "endpoint": "base_url",
    "host": "base_url",
    "interface": "provider_interface",
    "api": "provider_interface",
    "type": "provider_interface",
    "fallbacks": "fallback_models",
    "fallback": "fallback_models",
    "providers": "model_providers",
    "models": "model_providers",
    "model_list": "model_providers",
    "channels": "model_providers",
    "aliases": "model_aliases",
    "routes": "routing_preferences",
    "preferences": "routing_preferences",
    "listener": "listeners",
    "timeout": "timeouts",
    "host_header": "http_host",
    "bind": "address",
    "status_codes": "codes",
    "attempts": "max_attempts",
    "retries": "max_attempts",
    "model_name": "model",
    "id": "model",
}

_LISTED_KEYS = 12

#: Where a key is missing, the object around it is taken out; it takes as many rounds as objects are nested.
_MOST_ROUNDS = 20


@dataclass
class Validation:
    """A configuration without the mistaken pieces, and the findings about them."""

    config: PlanoConfig
    findings: list[Finding] = field(default_factory=list)
    #: `model` and `name` of providers that were taken out: declared, but not to be used.
    broken_names: frozenset[str] = frozenset()
    #: True when providers were taken out.
    lost_providers: bool = False
    _kept: dict[Path, list[int]] = field(default_factory=dict)

    def to_data(self, path: Path) -> Path:
        """The path in the validated data of what is at `path` in `config`: list items may have been taken out."""
        result: Path = ()
        for part in path:
            kept = self._kept.get(result)
            result = (*result, kept[part] if isinstance(part, int) and kept is not None and part < len(kept) else part)
        return result


def validate(data: dict[str, Any]) -> Validation:
    """`data` as a configuration. Findings carry paths of `data`; none of them shows a value of its own."""
    tree: Any = _Tree(copy.deepcopy(data))
    findings = tree.take_out_nulls()
    first = True
    for _ in range(_MOST_ROUNDS):
        try:
            config = PlanoConfig.model_validate(tree.plain())
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=True)
        else:
            return Validation(config, findings, frozenset(tree.broken_names), tree.lost_providers, tree.kept())
        mistakes = tree.mistakes(details)
        if first:
            findings += _findings(mistakes)
            first = False
            tree.lost_providers |= any(
                kind == "extra_forbidden" and len(path) == 1 and _meant(str(path[0]), PlanoConfig) == "model_providers"
                for kind, path, _ in mistakes
            )
        for kind, path, _ in mistakes:
            tree.take_out(path, is_missing=kind == "missing")
    return Validation(PlanoConfig(), findings, frozenset(tree.broken_names), lost_providers=True)


#: pydantic's type of error, the path in the original data, and the rest.
_Mistake = tuple[str, Path, ErrorDetails]


class _Gone:
    """Stands for a list item that was taken out, so that the indexes of the others stay."""


class _Tree:
    """Data from which pieces are taken out by their paths."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._providers = copy.deepcopy(data.get("model_providers"))
        self.broken_names: set[str] = set()
        self.lost_providers = False

    def plain(self) -> Any:
        """The data without the pieces that are gone."""
        return _without_gone(self._data)

    def kept(self) -> dict[Path, list[int]]:
        """For every list that lost items the original indexes of those that are left."""
        result: dict[Path, list[int]] = {}
        _collect_kept(self._data, (), result)
        return result

    def mistakes(self, details: list[ErrorDetails]) -> list["_Mistake"]:
        """Pydantic's errors with the paths of the original data.

        A list whose items are mistaken counts as too short for pydantic; only one that is empty as written does for us.
        """
        places = Validation(PlanoConfig(), _kept=self.kept())
        found = [(detail["type"], places.to_data(tuple(detail["loc"])), detail) for detail in details]
        paths = [path for _, path, _ in found]
        return [
            (kind, path, detail)
            for kind, path, detail in found
            if kind != "too_short" or not any(path == other[: len(path)] and path != other for other in paths)
        ]

    def take_out(self, path: Path, *, is_missing: bool) -> None:
        """Remove what is at `path`; when it is a key that is missing, the object that lacks it."""
        if is_missing:
            path = path[:-1]
        # A list or mapping of the wrong kind may be named by a longer path than the data has.
        holder: Any = self._data
        for depth, part in enumerate(path[:-1]):
            inner = _get(holder, part)
            if not isinstance(inner, dict | list):
                path = path[: depth + 1]
                break
            holder = inner
        if path[0] == "model_providers" and len(path) <= 2:
            self.lost_providers = True
            self._note_broken(path)
        last = path[-1]
        if isinstance(holder, dict):
            holder.pop(last, None)
        elif isinstance(last, int) and last < len(holder):
            holder[last] = _Gone()

    def _note_broken(self, path: Path) -> None:
        """Remember the names of the providers at `path`, as they were before anything was taken out."""
        lost = self._providers if len(path) == 1 else [_get(self._providers, path[1])]
        for provider in lost if isinstance(lost, list) else ():
            if isinstance(provider, dict):
                names = (provider.get("model"), provider.get("name"))
                self.broken_names.update(name for name in names if isinstance(name, str))

    def take_out_nulls(self) -> list[Finding]:
        """Keys without a value: whole sections may be commented out, anything else is a mistake."""
        findings: list[Finding] = []
        for key in [key for key, value in self._data.items() if value is None and key in PlanoConfig.model_fields]:
            del self._data[key]
        self._take_out_nulls(self._data, (), findings)
        return findings

    def _take_out_nulls(self, holder: Any, path: Path, findings: list[Finding]) -> None:
        model = model_at(path)
        for key, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            here = (*path, key)
            known = model.model_fields.get(str(key)) if model is not None else None
            if known is not None and no_effect(known) is not None:
                continue
            if isinstance(value, dict | list):
                # What stands in place of a plain value is a mistake as a whole, and may be a key in braces.
                if model_at(here) is not None or (known is not None and shape_of(known.annotation).container != "none"):
                    self._take_out_nulls(value, here, findings)
            elif value is None and (model is None or known is not None):
                findings.append(
                    Finding(
                        "error",
                        here,
                        "is empty",
                        "Write a value after it, indented deeper if it is an object, or remove the line.",
                        show_value=False,
                    )
                )
                self.take_out(here, is_missing=False)


def _get(holder: Any, part: str | int) -> Any:
    if isinstance(holder, dict):
        return holder.get(part)
    return holder[part] if isinstance(holder, list) and isinstance(part, int) and part < len(holder) else None


def _without_gone(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_gone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_gone(item) for item in value if not isinstance(item, _Gone)]
    return value


def _collect_kept(value: Any, path: Path, result: dict[Path, list[int]]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _collect_kept(item, (*path, key), result)
    elif isinstance(value, list):
        kept = [index for index, item in enumerate(value) if not isinstance(item, _Gone)]
        if len(kept) < len(value):
            result[path] = kept
        for index in kept:
            _collect_kept(value[index], (*path, index), result)


# --- pydantic's errors in our words ----------------------------------------------------------------------------------


def _findings(mistakes: list[_Mistake]) -> list[Finding]:
    """One finding for each mistake; a key that is missing because it is misspelt is told once, as misspelt."""
    meant = {
        (path[:-1], _meant(str(path[-1]), model_at(path[:-1])))
        for kind, path, _ in mistakes
        if kind == "extra_forbidden"
    }
    return [
        _finding(kind, path, detail)
        for kind, path, detail in mistakes
        if kind != "missing" or (path[:-1], path[-1]) not in meant
    ]


def _finding(kind: str, path: Path, detail: ErrorDetails) -> Finding:
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return Finding(
            "error",
            path[:-1],
            f"`{path[-1]}` is missing",
            _missing_remedy(path),
            show_value=False,
            at_key=True,
        )
    if kind == "config_value":
        return Finding("error", path, context["text"], context["remedy"])
    if kind == "literal_error":
        return _wrong_choice(path, detail["input"], re.findall(r"'([^']*)'", context["expected"]))
    message, remedy, show_value = _MESSAGES.get(kind, ("is not a valid value", "See docs/config.md.", True))
    if kind == "string_type":
        remedy = _text_remedy(detail["input"])
        show_value = not isinstance(detail["input"], dict | list)
    bounds = {key: f"{bound:g}" for key, bound in context.items() if isinstance(bound, int | float)}
    return Finding("error", path, message.format(**bounds), remedy.format(**bounds), show_value=show_value)


#: By pydantic's type of error: our words, the remedy, and whether to show the value.
_MESSAGES: Mapping[str, tuple[str, str, bool]] = {
    "string_type": ("must be a text", "", True),
    "int_type": ("must be a whole number", "Write digits without quotes.", True),
    "int_from_float": ("must be a whole number", "Write digits without a decimal point.", True),
    "float_type": ("must be a number", "Write digits without quotes.", True),
    "bool_type": ("must be true or false", "Write true or false, without quotes.", True),
    "greater_than_equal": ("is below {ge}", "Write {ge} or more.", True),
    "less_than_equal": ("is above {le}", "Write {le} or less.", True),
    "tuple_type": ("must be a list", "Write it as a list: `[a, b]`, or one item per line after a dash.", False),
    "too_short": ("is an empty list", "Give at least one item, or remove the key.", False),
    "dict_type": ("must be an object", "Write `key: value` lines under it, indented deeper.", False),
    "model_type": ("must be an object", "Write `key: value` lines under it, indented deeper.", False),
    "model_attributes_type": ("must be an object", "Write `key: value` lines under it, indented deeper.", False),
}


def _text_remedy(value: object) -> str:
    if isinstance(value, bool):
        return "YAML reads this as true or false; put it in quotes."
    if isinstance(value, int | float):
        return "YAML reads this as a number; put it in quotes."
    return "Write one text, without a dash, brackets or braces."


def _missing_remedy(path: Path) -> str:
    if path[-1] == "model":
        return "Add `model: prefix/model`, for example `model: openai/gpt-5.4`."
    return f"Add `{path[-1]}: …` here."


def _wrong_choice(path: Path, value: object, choices: list[str]) -> Finding:
    if len(choices) == 1:
        return Finding("error", path, "has only one possible value", f"Write `{choices[0]}`.")
    remedy = f"Write one of: {', '.join(choices)}."
    if isinstance(value, str):
        near = difflib.get_close_matches(_snake_case(value), choices, n=1)
        if near:
            remedy = f"Did you mean `{near[0]}`? Possible are: {', '.join(choices)}."
    return Finding("error", path, "is not one of the possible values", remedy)


def _unknown_key(path: Path) -> Finding:
    key = str(path[-1])
    return Finding(
        "error",
        path,
        f"unknown key `{key[:60]}`",
        _unknown_key_remedy(key, path[:-1]),
        show_value=False,
        at_key=True,
    )


def _meant(key: str, holder: type[BaseModel] | None, cutoff: float = 0.75) -> str | None:
    """The key of `holder` that `key` probably stands for."""
    known = list(holder.model_fields) if holder is not None else []
    plain = _snake_case(key)
    near = difflib.get_close_matches(plain, known, n=1, cutoff=cutoff)
    if near:
        return near[0]
    other = _OTHER_WORDS.get(plain)
    return other if other in known else None


def _unknown_key_remedy(key: str, holder_path: Path) -> str:
    holder = model_at(holder_path)
    meant = _meant(key, holder)
    if meant is None:
        word = key if key in keys_anywhere() else _OTHER_WORDS.get(_snake_case(key), "")
        places = keys_anywhere().get(word, [])
        # Rather inside this object than anywhere else.
        here = schema_path(holder_path)
        inside = [place for place in places if here and place.startswith(here)]
        if places:
            where = " or ".join(f"`{place}`" if place else "the top level" for place in (inside or places)[:2])
            return f"`{word}` belongs in {where}."
        meant = _meant(key, holder, cutoff=0.6)
    if meant is not None:
        return f"Did you mean `{meant}`?"
    known = list(holder.model_fields) if holder is not None else []
    return f"Remove it. Known keys here: {', '.join(known[:_LISTED_KEYS])}{', …' if len(known) > _LISTED_KEYS else ''}."


def _snake_case(text: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[-\s]+", "_", text.strip()).lower()
