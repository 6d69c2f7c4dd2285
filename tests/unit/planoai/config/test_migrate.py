"""Older forms are rewritten, and their places in the file are not lost."""

import copy
from typing import Any

import pytest

from planoai.config.migrate import lift_inline_preferences, migrate
from planoai.config.schema import ACCEPTED_VERSIONS, PlanoConfig


def test_current_form_is_untouched() -> None:
    """What is up to date gives no notice."""
    data = {"version": "v0.4.0", "listeners": [{"type": "model"}], "model_providers": [{"model": "a/b"}]}
    migration = migrate(data)
    assert data == migration.data
    assert [] == migration.findings


@pytest.mark.parametrize("version", ACCEPTED_VERSIONS)
def test_accepted_versions(version: str) -> None:
    """Every version that was ever written is read as the current one; the older ones with a notice."""
    migration = migrate({"version": version})
    assert {"version": "v0.4.0"} == migration.data
    assert ([] if version == "v0.4.0" else ["notice"]) == [finding.severity for finding in migration.findings]


@pytest.mark.parametrize("version", [0.4, 4, "0.4.0", "v0.4", "v1", None, [], True])
def test_other_versions(version: object) -> None:
    """Anything else is a mistake, and the rest of the file is still looked at."""
    migration = migrate({"version": version})
    assert {"version": "v0.4.0"} == migration.data
    assert [("error", ("version",))] == [(finding.severity, finding.path) for finding in migration.findings]


def test_old_names() -> None:
    """Old names become the current ones; what is under them keeps its place."""
    data: dict[str, Any] = {
        "llm_providers": [{"model": "a/b", "provider": "openai", "retry": {"default_max_attempts": 2}}],
        "retry": {},
    }
    before = copy.deepcopy(data)
    migration = migrate(data)
    assert before == data
    assert {
        "model_providers": [
            {"model": "a/b", "provider_interface": "openai", "retry_policy": {"default_max_attempts": 2}}
        ],
        "retry_policy": {},
    } == migration.data
    old = ("llm_providers", 0)
    new = ("model_providers", 0)
    assert (*old, "retry", "default_max_attempts") == migration.to_file((*new, "retry_policy", "default_max_attempts"))
    assert (*old, "provider") == migration.to_file((*new, "provider_interface"))
    assert (*old, "model") == migration.to_file((*new, "model"))
    assert ("retry",) == migration.to_file(("retry_policy",))
    assert ("overrides", "x") == migration.to_file(("overrides", "x"))
    assert [("llm_providers",), (*old, "provider")] == [finding.path for finding in migration.findings]


def test_old_listeners() -> None:
    """The object form becomes a list; the listener for prompts has no effect."""
    migration = migrate(
        {"listeners": {"ingress_traffic": {"port": 1}, "egress_traffic": {"port": 2, "message_format": "openai"}}}
    )
    assert [{"type": "model", "name": "egress_traffic", "port": 2}] == migration.data["listeners"]
    assert ("listeners", "egress_traffic", "port") == migration.to_file(("listeners", 0, "port"))
    assert ["notice", "notice"] == [finding.severity for finding in migration.findings]


@pytest.mark.parametrize(
    ("listeners", "expected"),
    [
        ({"ingress_traffic": {}}, None),
        ({"egress_traffic": None}, [{"type": "model", "name": "egress_traffic"}]),
        ({"egress_traffic": 5}, [5]),
        ({"type": "model"}, {"type": "model"}),
        ({}, {}),
    ],
)
def test_odd_listeners(listeners: object, expected: object) -> None:
    """Without an old listener for models the default one holds; what is no old form is left to the validation."""
    assert expected == migrate({"listeners": listeners}).data.get("listeners")


@pytest.mark.parametrize("providers", [None, "x", {"a": 1}, ["x", None]])
def test_odd_providers(providers: object) -> None:
    """What is no list of objects is left to the validation."""
    assert providers == migrate({"model_providers": providers}).data["model_providers"]


def config_of(*providers: dict[str, Any], **sections: Any) -> PlanoConfig:
    return PlanoConfig.model_validate({"model_providers": list(providers), **sections})


def test_inline_routes_are_lifted() -> None:
    """One route per name, models in the order of the file, first description."""
    config, findings = lift_inline_preferences(
        config_of(
            {"model": "a/1", "routing_preferences": [{"name": "code", "description": "writing"}]},
            {"model": "a/2"},
            {
                "model": "a/3",
                "routing_preferences": [
                    {"name": "chat", "description": "talking"},
                    {"name": "code", "description": "reading"},
                ],
            },
        )
    )
    assert [
        ("code", "writing", ("a/1", "a/3")),
        ("chat", "talking", ("a/3",)),
    ] == [(route.name, route.description, route.models) for route in config.routing_preferences]
    assert [(), (), ()] == [provider.routing_preferences for provider in config.model_providers]
    assert ["notice", "notice", "warning"] == [finding.severity for finding in findings]


def test_top_level_routes_win() -> None:
    """A route of the same name at the top level is kept as it is."""
    route = {"name": "code", "description": "top", "models": ["a/1"]}
    config, _ = lift_inline_preferences(
        config_of(
            {"model": "a/2", "routing_preferences": [{"name": "code", "description": "inline"}]},
            routing_preferences=[route],
        )
    )
    assert [("top", ("a/1",))] == [(entry.description, entry.models) for entry in config.routing_preferences]


def test_nothing_to_lift() -> None:
    """Without inline routes the configuration is the same object."""
    config = config_of({"model": "a/1"})
    assert lift_inline_preferences(config) == (config, [])
