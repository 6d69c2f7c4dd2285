"""The JSON Schema is complete, refers to nothing that is missing, and knows the spellings of YAML."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from planoai.config.introspection import objects
from planoai.config.json_schema import json_schema
from planoai.config.schema import PlanoConfig

SCHEMA = json_schema()


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def test_head() -> None:
    """The schema says which dialect it is and where it comes from."""
    assert "https://json-schema.org/draft/2020-12/schema" == SCHEMA["$schema"]
    assert SCHEMA["$id"].startswith("https://")
    assert SCHEMA["title"]


def test_references_lead_somewhere() -> None:
    """Every $ref names an object of the schema, and every object is used."""
    references = {node["$ref"].removeprefix("#/$defs/") for node in nodes(SCHEMA) if isinstance(node.get("$ref"), str)}
    assert set(SCHEMA["$defs"]) == references


def test_every_object_is_strict_and_complete() -> None:
    """Objects have all keys of their models and no others."""
    for _, model in objects():
        definition = SCHEMA if model is PlanoConfig else SCHEMA["$defs"][model.__name__]
        assert definition["additionalProperties"] is False
        assert set(model.model_fields) <= set(definition["properties"])


def test_nothing_is_null() -> None:
    """A key is left out instead of being null."""
    assert [] == [node for node in nodes(SCHEMA) if node.get("type") == "null"]
    assert [] == [node for node in nodes(SCHEMA) if "default" in node and node["default"] is None]


@pytest.mark.parametrize(
    ("owner", "key"),
    [(None, "llm_providers"), (None, "retry"), ("ModelProvider", "retry"), ("ModelProvider", "provider")],
)
def test_old_spellings(owner: str | None, key: str) -> None:
    """Old spellings are accepted and marked as old."""
    definition = SCHEMA if owner is None else SCHEMA["$defs"][owner]
    assert definition["properties"][key]["deprecated"] is True


def test_spellings_of_values() -> None:
    """Durations, sizes and codes may be numbers or texts."""
    properties = SCHEMA["$defs"]["Timeouts"]["properties"]
    assert ["number", "string"] == [choice["type"] for choice in properties["connect"]["anyOf"]]
    size = SCHEMA["$defs"]["Overrides"]["properties"]["max_request_bytes"]
    assert ["integer", "string"] == [choice["type"] for choice in size["anyOf"]]
    codes = SCHEMA["$defs"]["StatusCodeRule"]["properties"]["codes"]
    assert ("array", ["integer", "string"]) == (codes["type"], [choice["type"] for choice in codes["items"]["anyOf"]])
    assert "all_retries" in SCHEMA["$defs"]["Backoff"]["properties"]["apply_to"]["enum"]


def test_a_key_named_default_stays() -> None:
    """`default` is a key of a provider and a word of JSON Schema; only the word may be left out."""
    assert "boolean" == SCHEMA["$defs"]["ModelProvider"]["properties"]["default"]["type"]


def test_stable() -> None:
    """The same schema is written in the same way every time, as JSON."""
    assert json.dumps(json_schema()) == json.dumps(SCHEMA)
