"""The schema can be asked what stands where."""

import pytest
from pydantic import BaseModel

from planoai.config.introspection import (
    FieldShape,
    keys_anywhere,
    model_at,
    objects,
    schema_path,
    set_without_effect,
    shape_of,
)
from planoai.config.schema import (
    Backoff,
    Listener,
    ModelAlias,
    ModelProvider,
    PlanoConfig,
    RetryPolicy,
    StatusCodeRule,
)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ((), PlanoConfig),
        (("model_providers", 0), ModelProvider),
        (("model_providers",), None),
        (("model_providers", 3, "retry_policy"), RetryPolicy),
        (("model_providers", 3, "retry_policy", "on_status_codes", 1), StatusCodeRule),
        (("retry_policy", "backoff"), Backoff),
        (("model_aliases", "fast"), ModelAlias),
        (("model_providers", 0, "headers", "X"), None),
        (("model_providers", 0, "model", "x"), None),
        (("nothing",), None),
        ((0,), None),
    ],
)
def test_model_at(path: tuple[str | int, ...], model: type[BaseModel] | None) -> None:
    """Objects are found through lists and mappings."""
    assert model is model_at(path)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, FieldShape(None, "none")),
        (Backoff | None, FieldShape(Backoff, "none")),
        (tuple[Listener, ...], FieldShape(Listener, "list")),
        (dict[str, ModelAlias], FieldShape(ModelAlias, "mapping")),
    ],
)
def test_shape_of(annotation: object, expected: FieldShape) -> None:
    """Optional, list and mapping types are seen through."""
    assert expected == shape_of(annotation)


def test_set_without_effect() -> None:
    """Keys without effect are found at any depth, and only when they were given."""
    config = PlanoConfig.model_validate(
        {"tracing": {}, "listeners": [{"name": "a"}, {"router": "x"}], "routing": {"routing_budget": None}}
    )
    assert {("tracing",), ("listeners", 1, "router"), ("routing", "routing_budget")} == {
        path for path, _ in set_without_effect(config)
    }


def test_keys_and_objects() -> None:
    """Every place of a key is known; what is inside an object follows it."""
    assert ["retry_policy", "model_providers[].retry_policy"] == sorted(keys_anywhere()["fallback_models"], key=len)
    places = [where for where, _ in objects()]
    assert "" == places[0]
    assert places.index("model_providers[]") < places.index("model_providers[].timeouts") < places.index("routing")


def test_schema_path() -> None:
    """Indexes become brackets."""
    assert "model_providers[].timeouts" == schema_path(("model_providers", 3, "timeouts"))
