"""planoai.routing: what brightstaff and the router process are told."""

from pathlib import Path
from typing import Any

import pytest

from brightstaff.settings import RedisSettings
from planoai.config import PlanoConfig, parse_config
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.routing import compile_router, compile_routing

HOME = PlanoHome(Path("/h"))
CONFIG = """
version: v0.4.0
model_providers:
  - {model: custom/claude-opus-4-6, base_url: "https://a.example/v1", provider_interface: openai, access_key: $K}
  - {model: custom/flash, base_url: "http://b.example:81", provider_interface: openai, access_key: $K}
routing_preferences:
  - {name: code, description: writing code, models: [custom/claude-opus-4-6, custom/flash], examples: [write it]}
"""


def config(more: str = "", text: str = CONFIG) -> PlanoConfig:
    """The configuration with more lines."""
    return parse_config(text + more, "config.yaml", {"K": "sk-1"}, {}).config


def test_without_routes_there_is_nothing() -> None:
    """No router process, no cost."""
    plain = config(text=CONFIG.partition("routing_preferences")[0])
    assert (None, None) == (compile_routing(plain, HOME), compile_router(plain, HOME))


def test_defaults() -> None:
    """Both know the socket; the strengths come from the names."""
    routing, router = compile_routing(config(), HOME), compile_router(config(), HOME)
    assert routing is not None
    assert router is not None
    assert routing.socket == router.socket
    assert ("all", 2.5, "") == (routing.apply_to, routing.timeout_s, routing.session_file)
    assert {"custom/claude-opus-4-6": 3.0, "custom/flash": 1.0} == routing.strengths
    assert ("auto", None, ("write it",)) == (router.backend, router.remote, router.routes[0].examples)


def test_models_by_any_name() -> None:
    """A route's models are channels, however they are named: by these conversations are remembered."""
    text = CONFIG.replace(
        "models: [custom/claude-opus-4-6, custom/flash]", "models: [claude-opus-4-6, any/thing, main]"
    )
    text = text.replace("{model: custom/flash,", "{model: custom/flash, name: main,")
    text = text.replace("routing_preferences", "  - {model: any/*, base_url: 'http://b.example'}\nrouting_preferences")
    routing = compile_routing(config(text=text), HOME)
    assert routing is not None
    assert ("custom/claude-opus-4-6", "any/thing", "custom/flash") == routing.routes[0].models
    assert 3.0 == routing.strength_of("custom/claude-opus-4-6")


def test_off() -> None:
    """No process, and brightstaff knows that there is none."""
    off = config("routing: {backend: off}\n".replace("off", '"off"'))
    routing = compile_routing(off, HOME)
    assert routing is not None
    assert not routing.backend_is_on
    assert compile_router(off, HOME) is None


def test_settings_arrive() -> None:
    """What config.yaml says."""
    more = (
        "workers: 2\nrouting: {apply_to: auto, min_confidence: 0.5, timeout_ms: 900, switch_margin: 0.1,"
        " downgrade_limit: 0.2,"
        " session_ttl_seconds: 60, session_max_entries: 5}\n"
    )
    routing = compile_routing(config(more), HOME)
    assert routing is not None
    assert ("auto", 0.5, 0.9, 0.1, 0.2, 60.0, 5) == (
        routing.apply_to,
        routing.min_confidence,
        routing.timeout_s,
        routing.switch_margin,
        routing.downgrade_limit,
        routing.session_ttl_s,
        routing.session_max_entries,
    )
    assert routing.session_file == str(HOME.conversations)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ({"custom/claude-opus-4-6": 30.0, "flash": 1.0}, ("custom/flash", "custom/claude-opus-4-6")),
        ({"flash": 1.0}, ("custom/flash", "custom/claude-opus-4-6")),
        ({}, ("custom/claude-opus-4-6", "custom/flash")),
    ],
)
def test_cheapest(prices: dict[str, float], expected: tuple[str, ...]) -> None:
    """By price, those without one last; without prices, as written."""
    text = CONFIG.replace("examples: [write it]", "selection_policy: {prefer: cheapest}")
    routing = compile_routing(config(text=text), HOME, prices)
    assert routing is not None
    assert expected == routing.routes[0].models


def test_fastest() -> None:
    """Is for brightstaff, which measures; the order stays as written."""
    routing = compile_routing(
        config(text=CONFIG.replace("examples:", "selection_policy: {prefer: fastest}, examples:")), HOME
    )
    assert routing is not None
    assert (True, ("custom/claude-opus-4-6", "custom/flash")) == (routing.routes[0].fastest, routing.routes[0].models)


def test_conversations_in_redis() -> None:
    """Where it is, with which certificates it is checked; its password is in no text."""
    more = "routing:\n  session_cache: {type: redis, url: 'redis://:$K@h', timeout_ms: 20, tenant_header: X-Tenant}\n"
    routing = compile_routing(config(more.replace("$K", "${K}")), HOME, ca_file="/ca")
    assert routing is not None
    assert RedisSettings("redis://:sk-1@h", "plano:affinity:", 0.02, "/ca") == routing.session_redis
    assert "x-tenant" == routing.tenant_header
    assert "sk-1" not in repr(routing)


@pytest.mark.parametrize("base_url", ["http://h:1", "http://h:1/", "http://h:1/v1/", "http://h:1/v1"])
def test_an_endpoint_that_decides(base_url: str) -> None:
    """One that is no channel, with a key of its own; it comes before a channel that is named."""
    more = (
        f"overrides: {{llm_routing_model: flash}}\n"
        f"routing: {{remote: {{base_url: '{base_url}', model: 'qwen3:4b', access_key: $K}}}}\n"
    )
    router = compile_router(config(more), HOME)
    assert router is not None
    assert router.remote is not None
    assert ("http://h:1/v1/chat/completions", "qwen3:4b", "sk-1", "routing.remote (qwen3:4b)") == (
        router.remote.url,
        router.remote.model,
        router.remote.key,
        router.remote.name,
    )
    assert "sk-1" not in repr(router)


@pytest.mark.parametrize("named", ["custom/flash", "flash"])
def test_a_channel_that_decides(named: str) -> None:
    """By its full or its bare name: where it is, and its own key, which no text shows."""
    router = compile_router(config(f"overrides: {{llm_routing_model: {named}}}\n"), HOME)
    assert router is not None
    assert router.remote is not None
    assert ("http://b.example:81/v1/chat/completions", "flash", "sk-1") == (
        router.remote.url,
        router.remote.model,
        router.remote.key,
    )
    assert "sk-1" not in repr(router)


def test_remote_without_a_model() -> None:
    """Refused, for configurations that were not checked before, too."""
    unchecked: Any = config()
    unchecked = unchecked.model_copy(update={"routing": unchecked.routing.model_copy(update={"backend": "remote"})})
    with pytest.raises(PlanoError, match="remote"):
        compile_router(unchecked, HOME)
