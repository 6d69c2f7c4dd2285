"""`$NAME` references in config.yaml: which values may hold them, and what stands behind them.

Forms: `$NAME`, `${NAME}`, `${NAME:-default}`. NAME is made of ASCII letters, digits and `_`, and begins with no digit.
They are expanded in keys, URLs, hosts, header values, proxies and the CA path, never in prose. `$NAME` counts at the
beginning of a word only, and in an `access_key` only as the whole value, so that a literal key with a `$` in it
survives; `${NAME}` works anywhere. There is no escape: a value that must contain such a text literally belongs in
`.env`, whose values are taken as they are.

The process environment wins over `.env`. A variable that is set to nothing counts as missing.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from planoai.config.problems import Finding, Path

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_BRACED = rf"\$\{{(?P<braced>{_NAME})(?::-(?P<default>[^}}]*))?\}}"
_ANYWHERE = re.compile(rf"{_BRACED}|(?<![A-Za-z0-9_$])\$(?P<bare>{_NAME})")
_BRACED_ONLY = re.compile(_BRACED)
_LOOKS_LIKE_A_NAME = re.compile(r"[A-Z][A-Z0-9_]+")
#: How other programs write "from the environment".
_FOREIGN_FORM = re.compile(rf"(?:os\.environ/|env[:.]|%|\{{\{{\s*)(?P<name>{_NAME})(?:%|\s*\}}\}})?")

#: Keys of a provider whose values are expanded, besides `headers`.
_EXPANDED_KEYS = ("access_key", "base_url", "http_host", "proxy")
_EXPANDED_IN_ROUTING = {"session_cache": ("url",), "remote": ("base_url", "access_key")}


_REDIS_URL = ("routing", "session_cache", "url")


@dataclass(frozen=True)
class Expansion:
    """A text with its references replaced; those that are missing are left as they stand."""

    text: str
    #: Variables used, in order, without a leading `$`.
    names: tuple[str, ...] = ()
    #: Those of them that have no value.
    missing: tuple[str, ...] = ()
    #: The values that were put in.
    values: tuple[str, ...] = ()
    #: A `${` that is the beginning of no known form.
    malformed: bool = False


def expand(text: str, variables: Mapping[str, str], *, bare_inside: bool = True) -> Expansion:
    """Replace the references in `text`; `bare_inside=False` takes `$NAME` only as the whole text."""
    pattern = _ANYWHERE if bare_inside or _ANYWHERE.fullmatch(text) else _BRACED_ONLY
    names: list[str] = []
    missing: list[str] = []
    values: list[str] = []

    def replacement(match: re.Match[str]) -> str:
        groups = match.groupdict()
        name = groups["braced"] or groups.get("bare") or ""
        names.append(name)
        value = variables.get(name) or groups["default"]
        if value is None:
            missing.append(name)
            return match[0]
        values.append(value)
        return value

    expanded = pattern.sub(replacement, text)
    left_over = pattern.sub("", text)
    malformed = left_over.startswith("${") or (bare_inside and "${" in left_over)
    return Expansion(expanded, tuple(names), tuple(missing), tuple(values), malformed)


def is_reference(text: str) -> bool:
    """True when `text` is the name of a variable and nothing else, so that it may be shown."""
    return (match := _ANYWHERE.fullmatch(text)) is not None and not match["default"]


def combined(environ: Mapping[str, str], dotenv: Mapping[str, str]) -> dict[str, str]:
    """The variables that references see: `.env`, overridden by the non-empty ones of the process environment."""
    return {**dotenv, **{name: value for name, value in environ.items() if value}}


@dataclass
class Resolution:
    """The data with references replaced, and what was learnt on the way."""

    data: dict[str, Any] = field(repr=False)
    #: Where each missing variable is used.
    missing: dict[str, list[Path]] = field(default_factory=dict)
    #: Paths whose values are not what they should be, because a variable is missing: no further remarks about these.
    unresolved: set[Path] = field(default_factory=set)
    #: What must never be shown.
    secrets: set[str] = field(default_factory=set, repr=False)
    #: How the key of each provider is called in logs, by its index in `model_providers`.
    key_names: dict[int, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def resolve(data: dict[str, Any], environ: Mapping[str, str], dotenv: Mapping[str, str]) -> Resolution:
    """Replace all references of a (migrated) configuration. Values of a wrong type are left to the validation."""
    variables = combined(environ, dotenv)
    resolution = Resolution(data=copy.deepcopy(data))
    for path, holder, key in _places(resolution.data):
        text = holder[key]
        if not isinstance(text, str):
            if _is_secret(path) and isinstance(text, int | float) and not isinstance(text, bool):
                resolution.secrets.add(str(text))
            continue
        is_key = path[-1] == "access_key"
        expansion = expand(text, variables, bare_inside=not is_key)
        holder[key] = expansion.text
        for name in dict.fromkeys(expansion.missing):
            resolution.missing.setdefault(name, []).append(path)
        if expansion.missing or expansion.malformed:
            resolution.unresolved.add(path)
        if expansion.malformed:
            resolution.findings.append(
                Finding(
                    "error",
                    path,
                    "holds a `${` that is the beginning of no known form",
                    "Write $NAME, ${NAME} or ${NAME:-default}.",
                )
            )
        if _is_secret(path):
            resolution.secrets.update(expansion.values)
            if not expansion.names:
                resolution.secrets.add(text)
        if is_key:
            _note_key(resolution, path, text, expansion, variables)
    return resolution


def _note_key(
    resolution: Resolution, path: Path, text: str, expansion: Expansion, variables: Mapping[str, str]
) -> None:
    """Name the key at `path` for logs, and warn when it looks like a variable without its `$`."""
    index = path[1]
    if isinstance(index, int):  # of a channel
        names = ", ".join(f"${name}" for name in dict.fromkeys(expansion.names))
        resolution.key_names[index] = names or ("literal key" if text else "no key")
    if expansion.names:
        return
    if _LOOKS_LIKE_A_NAME.fullmatch(text) and text in variables:
        resolution.secrets.discard(text)
        resolution.findings.append(
            Finding(
                "warning",
                path,
                f"is the bare name of a variable that is set, and will be sent as the key: `{text}`",
                f"Did you mean `access_key: ${text}`?",
                show_value=False,
            )
        )
    elif (match := _FOREIGN_FORM.fullmatch(text)) is not None:
        resolution.findings.append(
            Finding(
                "warning",
                path,
                "looks like a reference to a variable in the form of another program, and will be sent as the key",
                f"Did you mean `access_key: ${match['name']}`?",
                show_value=False,
            )
        )
        resolution.secrets.discard(text)


def _is_secret(path: Path) -> bool:
    return "access_key" in path or "headers" in path or path == _REDIS_URL


def _places(data: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Every value that may hold references: its path, and where to replace it."""
    providers = data.get("model_providers")
    for index, provider in enumerate(providers if isinstance(providers, list) else ()):
        if not isinstance(provider, dict):
            continue
        for key in _EXPANDED_KEYS:
            if key in provider:
                yield ("model_providers", index, key), provider, key
        headers = provider.get("headers")
        if isinstance(headers, dict):
            for name in headers:
                yield ("model_providers", index, "headers", name), headers, name
    routing = data.get("routing")
    for section, keys in _EXPANDED_IN_ROUTING.items():
        values = routing.get(section) if isinstance(routing, dict) else None
        if isinstance(values, dict):
            yield from ((("routing", section, key), values, key) for key in keys if key in values)
    overrides = data.get("overrides")
    if isinstance(overrides, dict) and "upstream_tls_ca_path" in overrides:
        yield ("overrides", "upstream_tls_ca_path"), overrides, "upstream_tls_ca_path"
