"""docs/config.md, the reference of config.yaml, made from the schema. The same schema gives the same bytes."""

import json
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel

from planoai.config.introspection import no_effect, objects
from planoai.config.json_schema import json_schema
from planoai.config.providers import BUILTIN_PROVIDERS, BuiltinProvider
from planoai.config.recommended import recommended_config_text
from planoai.config.schema import PlanoConfig

_INTRODUCTION = """\
# config.yaml

<!-- Generated from the schema. Do not edit; run `make docs`. -->

Plano reads one file, `config.yaml`, and the `.env` beside it.
Every mistake is reported with its line before anything starts; unknown keys are mistakes.
Editors show this reference while you type when the first line of the file is
`# yaml-language-server: $schema=config.schema.json` (`planoai schema > config.schema.json`).

## Values

- **duration**: a number of seconds, or a number with a unit: `500ms`, `30s`, `2m`, `1h`, `1d`.
- **size**: a number of bytes, or a number with a unit: `64MiB` (1024-based), `64MB` (1000-based).
- **status code or range**: `429`, `"500-504"`.

## Variables

`$NAME`, `${NAME}` and `${NAME:-default}` are replaced by variables of the environment or of `.env`.
The environment wins.
A variable that is set to nothing counts as missing, and a missing one without a default stops `planoai up`.
They are replaced in `access_key`, `base_url`, `http_host`, `proxy`, values of `headers`,
`routing.session_cache.url` and `overrides.upstream_tls_ca_path`, and nowhere else: a `$` in a description is a dollar.

`$NAME` counts at the beginning of a word, and in `access_key` only as the whole value; `${NAME}` works anywhere.
So a literal key may contain a `$`.
There is no escape: a value that looks like a reference and is none belongs in `.env`, whose values are taken as they
are.

`.env` has one `NAME=value` per line; quotes, `#` comments and `export` are understood.
Keep it readable for yourself only: `chmod 600 .env`.
"""

_OLDER_FORMS = """\
## Older forms

These are understood and reported with a notice: `version` before `v0.4.0`; `llm_providers` for `model_providers`;
`provider` for `provider_interface`; `listeners` as an object with `egress_traffic`; `routing_preferences` under a
model.
`retry` is another spelling of `retry_policy`.
"""


def reference_markdown() -> str:
    """The reference as Markdown."""
    schema = json_schema()
    blocks = [_INTRODUCTION, *(_section(path, model, schema) for path, model in _objects())]
    blocks += [
        _builtin_providers(),
        _OLDER_FORMS,
        f"## Example\n\n```yaml\n{recommended_config_text().rstrip()}\n```\n",
    ]
    return "\n".join(blocks)


def _objects() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every object of the schema with the first place it stands in, in the order of the file."""
    seen: set[type[BaseModel]] = set()
    for path, model in objects():
        if model not in seen:
            seen.add(model)
            yield path, model


def _section(path: str, model: type[BaseModel], schema: dict[str, Any]) -> str:
    definition = schema if model is PlanoConfig else schema["$defs"][model.__name__]
    required = definition.get("required", [])
    rows = []
    unused = []
    examples: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if no_effect(field) is not None:
            unused.append(f"`{name}`")
            continue
        entry = definition["properties"][name]
        default = "**required**" if name in required else _default(entry)
        note = " *Older form.*" if entry.get("deprecated") else ""
        rows.append(f"| `{name}` | {_type(entry)} | {default} | {_cell(field.description or '')}{note} |")
        if "examples" in entry and path:
            examples[name] = entry["examples"][0]
    lines = [
        f"## {f'`{path}`' if path else 'Top level'}",
        "",
        (model.__doc__ or "").strip(),
        "",
        "| key | type | default | meaning |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
    ]
    if unused:
        lines += [f"Accepted for the sake of existing files, without effect: {', '.join(unused)}.", ""]
    if examples:
        example = yaml.safe_dump(examples, sort_keys=False, width=100, allow_unicode=True).rstrip()
        lines += ["```yaml", example, "```", ""]
    return "\n".join(lines)


def _type(entry: dict[str, Any]) -> str:
    if "$comment" in entry:
        return str(entry["$comment"])
    if "enum" in entry:
        return ", ".join(f"`{choice}`" for choice in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    if "$ref" in entry:
        return "object"
    kind = entry.get("type")
    if kind == "array":
        return f"list of {_plural(_type(entry['items']))}"
    if kind == "object":
        return f"NAME → {_type(entry['additionalProperties'])}"
    if kind in ("integer", "number"):
        low, high = entry.get("minimum"), entry.get("maximum")
        bounds = f" {low}–{high}" if high is not None else f" ≥ {low}" if low is not None else ""
        return f"{kind}{bounds}"
    return {"string": "text", "boolean": "true, false"}.get(str(kind), "anything")


def _plural(word: str) -> str:
    return {
        "object": "objects",
        "text": "texts",
        "status code or range": "status codes and ranges",
    }.get(word, word)


def _default(entry: dict[str, Any]) -> str:
    value = entry.get("default")
    if value is None or isinstance(value, dict | list):
        return ""
    if entry.get("$comment") == "duration":
        return f"`{value:g}s`"
    if entry.get("$comment") == "size" and value % (1024 * 1024) == 0:
        return f"`{value // (1024 * 1024)}MiB`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _builtin_providers() -> str:
    rows = [_provider_row(provider) for provider in BUILTIN_PROVIDERS.values()]
    return "\n".join(
        [
            "## Built-in providers",
            "",
            "These prefixes need no `base_url` where the table has one; the names also serve as `provider_interface`.",
            "A `base_url` without a path gets the path of this table, one with a path keeps its own.",
            "",
            "| prefix | base URL | path | API | key |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _provider_row(provider: BuiltinProvider) -> str:
    auth = {"bearer": "`Authorization: Bearer`"}.get(provider.auth, f"`{provider.auth}`")
    key = auth if provider.needs_key else f"{auth}, may be absent"
    base_url = f"`{provider.base_url}`" if provider.base_url else "your own"
    path = f"`{provider.path_prefix}`" if provider.path_prefix else "none"
    return f"| `{provider.prefix}` | {base_url} | {path} | `{provider.interface}` | {key} |"
