"""The JSON Schema of config.yaml, for editors and other programs. Made from the models in `schema.py`."""

from typing import Any

from planoai.config.schema import PlanoConfig

#: Where the schema of the main branch can be fetched; editors take it as its name.
SCHEMA_ID = "https://raw.githubusercontent.com/TroyMitchell911/plano/main/docs/config.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"

#: Old spellings that are understood: object of the schema, old key, current key.
_OLD_SPELLINGS = (
    ("PlanoConfig", "llm_providers", "model_providers"),
    ("PlanoConfig", "retry", "retry_policy"),
    ("ModelProvider", "retry", "retry_policy"),
    ("ModelProvider", "provider", "provider_interface"),
)


def json_schema() -> dict[str, Any]:
    """The schema as a JSON Schema of draft 2020-12."""
    schema: dict[str, Any] = _plain(PlanoConfig.model_json_schema(mode="validation"))
    for owner, old, current in _OLD_SPELLINGS:
        properties = schema["properties"] if owner == "PlanoConfig" else schema["$defs"][owner]["properties"]
        same = {key: value for key, value in properties[current].items() if key not in ("title", "examples", "default")}
        properties[old] = same | {"description": f"Other spelling of `{current}`.", "deprecated": True}
    return {"$schema": _DIALECT, "$id": SCHEMA_ID} | schema | {"title": "Plano configuration (config.yaml)"}


def _plain(node: Any) -> Any:
    """`node` as people write YAML: a key is left out instead of being null; defaults of whole objects are left out."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {
        # What stands in these two are names of keys and objects, not words of JSON Schema.
        key: {name: _plain(inner) for name, inner in value.items()} if key in ("properties", "$defs") else _plain(value)
        for key, value in node.items()
    }
    choices = result.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        others = [choice for choice in choices if choice != {"type": "null"}]
        del result["anyOf"]
        result = (others[0] if len(others) == 1 else {"anyOf": others}) | result
    default = result.get("default", 0)
    if default in (None, "") or isinstance(default, dict | list):
        del result["default"]
    return result
