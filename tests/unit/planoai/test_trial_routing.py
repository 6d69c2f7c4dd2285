"""planoai.trial_routing: routing without a gateway."""

import json
from pathlib import Path

import pytest

from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.trial_routing import endpoint_of_body, open_trial

CONFIG = """
version: v0.4.0
model_providers:
  - {model: a/opus, base_url: "http://127.0.0.1:9/v1", provider_interface: openai, access_key: $K, default: true}
  - {model: a/flash, base_url: "http://127.0.0.1:9/v1", provider_interface: openai, access_key: $K}
overrides: {llm_routing_model: a/flash}
routing: {backend: builtin, timeout_ms: 300}
"""
ROUTES = """
routing_preferences:
  - {name: code, description: "writing code, implementing features", models: [a/opus]}
  - {name: chat, description: "casual conversation, simple questions", models: [a/flash]}
"""


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("hello", "/chat/completions"),
        ("[1]", "/chat/completions"),
        ('{"a": 1}', "/chat/completions"),
        ('{"messages": []}', "/chat/completions"),
        ('{"messages": [], "system": "s"}', "/messages"),
        ('{"input": "x"}', "/responses"),
        ('{"prompt": "x"}', "/completions"),
    ],
)
def test_what_a_text_is(text: str, suffix: str) -> None:
    """A request's JSON, or a prompt."""
    found, body = endpoint_of_body(text)
    assert suffix == found
    if "{" not in text:
        assert [{"role": "user", "content": text}] == body["messages"]
    assert json.dumps(body)


async def test_a_decision(tmp_path: Path) -> None:
    """The same rules as in a gateway; titles go to the cheapest."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG + ROUTES)
    router = open_trial(path, PlanoHome(tmp_path), {"K": "sk"}, None)
    reading, routed = await router.route(*endpoint_of_body("write a function that parses dates in go"))
    assert ("code", ("a/opus",), "a/opus (the default)") == (routed.route, routed.models, router.fallback)
    assert "parses dates" in reading.text
    assert [3.0, 1.0, 2.0, 2.0] == [router.strength_of_route(each) for each in ("code", "chat", None, "gone")]
    title = await router.route(*endpoint_of_body("Generate a title for this conversation:\nUser: hi"))
    nothing = await router.route("/chat/completions", {})
    assert ("chat", None) == (title[1].route, nothing[1].route)


async def test_a_router_that_fails(tmp_path: Path) -> None:
    """Nobody listens there: an error for the user of the command."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG + ROUTES)
    router = open_trial(path, PlanoHome(tmp_path), {"K": "sk"}, "remote")
    with pytest.raises(PlanoError, match="a/flash cannot be reached"):
        await router.route(*endpoint_of_body("hi"))


def test_nothing_is_routed(tmp_path: Path) -> None:
    """The command says what to add."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    with pytest.raises(PlanoError, match="nothing is routed"):
        open_trial(path, PlanoHome(tmp_path), {"K": "sk"}, None)
