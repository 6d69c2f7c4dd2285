"""A value that a JSON Schema allows: what a simulated model fills in as arguments of a tool or structured output."""

from typing import Any

#: Deeper than any schema that a person writes; ends those that refer to themselves.
_DEEPEST = 12


def sample(schema: Any, definitions: Any = None, depth: int = 0) -> Any:
    """The simplest value that fits `schema`, as far as types, enum, const, $ref and required properties say."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    definitions = schema.get("$defs") or schema.get("definitions") or definitions
    if "const" in schema:
        return schema["const"]
    given = _first(schema, ("enum", "examples"))
    if given is not None:
        return given
    if isinstance(schema.get("$ref"), str):
        name = schema["$ref"].rpartition("/")[2]
        target = definitions.get(name) if isinstance(definitions, dict) else None
        return sample(target, definitions, depth + 1)
    alternative = _first(schema, ("anyOf", "oneOf", "allOf"))
    if alternative is not None:
        return sample(alternative, definitions, depth + 1)
    return _of_type(schema, definitions, depth)


def _first(schema: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first item of the first of these lists that is there; None without one."""
    for name in names:
        items = schema.get(name)
        if isinstance(items, list) and items:
            return items[0]
    return None


def _of_type(schema: dict[str, Any], definitions: Any, depth: int) -> Any:
    kind = schema.get("type")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "string":
            return "text"
        case "integer":
            return _bound(schema, 1)
        case "number":
            return _bound(schema, 1.5)
        case "boolean":
            return True
        case "array":
            least = schema.get("minItems", 1)
            return [sample(schema.get("items"), definitions, depth + 1)] * (least if isinstance(least, int) else 1)
        case _:
            return _object(schema, definitions, depth)


def _object(schema: dict[str, Any], definitions: Any, depth: int) -> Any:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {} if schema.get("type") == "object" else None
    required = schema.get("required")
    names = required if isinstance(required, list) else list(properties)
    return {name: sample(properties.get(name), definitions, depth + 1) for name in names if isinstance(name, str)}


def _bound(schema: dict[str, Any], value: float) -> Any:
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float) and value < least:
        return least
    if isinstance(most, int | float) and value > most:
        return most
    return value
