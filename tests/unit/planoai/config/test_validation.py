"""Mistakes are taken out so that the rest can be looked at; places are kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planoai.config.validation import validate


def test_valid() -> None:
    """What is right gives a configuration and no finding."""
    validation = validate({"model_providers": [{"model": "a/b"}]})
    assert [] == validation.findings
    assert ["a/b"] == [provider.model for provider in validation.config.model_providers]
    assert not validation.lost_providers


def test_mistakes_in_several_places() -> None:
    """All mistakes are told at once, and what is left is a configuration with its places."""
    validation = validate(
        {
            "model_providers": [
                {"model": "bad"},
                {"model": "a/1", "default": "yes"},
                "text",
                {"model": "a/2", "retry_policy": {"on_status_codes": [{"strategy": "x"}, {"codes": [429, 999]}]}},
            ],
            "listeners": [{"port": 0}],
            "unknown": 1,
        }
    )
    providers = validation.config.model_providers
    assert ["a/1", "a/2"] == [provider.model for provider in providers]
    policy = providers[1].retry_policy
    assert policy is not None
    assert [((429, 429),)] == [rule.codes for rule in policy.on_status_codes]
    place = validation.to_data(("model_providers", 1, "retry_policy", "on_status_codes", 0, "codes", 0))
    assert ("model_providers", 3, "retry_policy", "on_status_codes", 1, "codes", 0) == place
    status_codes = ("model_providers", 3, "retry_policy", "on_status_codes")
    assert {
        ("model_providers", 0, "model"),
        ("model_providers", 1, "default"),
        ("model_providers", 2),
        (*status_codes, 0),
        (*status_codes, 0, "strategy"),
        (*status_codes, 1, "codes", 1),
        ("listeners", 0, "port"),
        ("unknown",),
    } == {finding.path for finding in validation.findings}
    assert validation.lost_providers
    assert frozenset({"bad"}) <= validation.broken_names


def test_broken_names() -> None:
    """Providers that cannot be used are still declared, so that nothing else is said about their names."""
    validation = validate({"model_providers": [{"model": "bad", "name": "main"}]})
    assert frozenset({"main"}) <= validation.broken_names


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        ({"model_providers": None, "retry_policy": None}, []),
        ({"unknown": None}, [("unknown",)]),
        ({"model_providers": [{"model": "a/b", "name": None}]}, [("model_providers", 0, "name")]),
        ({"model_providers": [{"model": "a/b", "nmae": None}]}, [("model_providers", 0, "nmae")]),
        ({"model_aliases": {"x": None}}, [("model_aliases", "x")]),
        ({"listeners": [{"address": None}]}, [("listeners", 0, "address")]),
        ({"routing": {"routing_budget": {"x": None}}, "tracing": {"x": None}}, []),
        ({"model_providers": [{"model": None}]}, [("model_providers", 0, "model")]),
    ],
)
def test_nulls(data: dict[str, Any], paths: list[tuple[str | int, ...]]) -> None:
    """A section may be commented out; any other key of ours without a value is a mistake, told once."""
    found = [finding.path for finding in validate(data).findings]
    assert paths == [path for path in found if path not in (("model_providers", 0),)]


def test_data_is_not_changed() -> None:
    """The caller's data stay as they are."""
    data = {"model_providers": [{"model": "bad", "x": None}]}
    validate(data)
    assert {"model_providers": [{"model": "bad", "x": None}]} == data


KEYS = st.sampled_from(
    [
        "version",
        "listeners",
        "model_providers",
        "model_aliases",
        "retry_policy",
        "routing_preferences",
        "routing",
        "overrides",
        "tracing",
        "type",
        "name",
        "address",
        "port",
        "model",
        "access_key",
        "headers",
        "default",
        "timeouts",
        "connect",
        "codes",
        "on_status_codes",
        "backoff",
        "base_ms",
        "strategy",
        "x",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["a/b", "a/*", "5s"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_data_end_in_a_configuration(data: dict[str, Any]) -> None:
    """Whatever the data, the rest without the mistakes is a configuration, and findings point into the data."""
    validation = validate(data)
    for index, _ in enumerate(validation.config.model_providers):
        assert len(data["model_providers"]) > validation.to_data(("model_providers", index))[1]  # type: ignore[operator]
    for finding in validation.findings:
        assert finding.message
        assert finding.remedy
        assert finding.path[0] in data
