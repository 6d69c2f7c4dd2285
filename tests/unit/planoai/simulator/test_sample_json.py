"""planoai.simulator.sample_json: values that a schema allows."""

import pytest

from planoai.simulator.sample_json import sample


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "text"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "number", "maximum": 0}, 0),
        ({"type": "boolean"}, True),
        ({"type": ["string", "null"]}, "text"),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "minItems": 2, "items": {"const": "a"}}, ["a", "a"]),
        ({"enum": ["b", "c"]}, "b"),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ({"type": "object"}, {}),
        ({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["b"]}, {"b": "text"}),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "integer"}}}, {"a": 1}),
        ({"$ref": "#/$defs/nowhere"}, None),
        ({}, None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_samples(schema: object, value: object) -> None:
    """Types, bounds, choices, references and required properties are respected."""
    assert value == sample(schema)


def test_schema_that_refers_to_itself() -> None:
    """Recursion ends."""
    schema = {"$ref": "#/$defs/x", "$defs": {"x": {"type": "object", "properties": {"x": {"$ref": "#/$defs/x"}}}}}
    assert isinstance(sample(schema), dict)
