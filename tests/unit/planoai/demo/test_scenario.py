"""What the demo is about to show."""

import json

import pytest
import yaml

from planoai.config import parse_config, recommended_config_text
from planoai.demo.scenario import DEMO_KEYS, STEPS, Step, curl_line, demo_config, text_of

URL = "http://127.0.0.1:4567"


def test_the_recommended_configuration_is_changed_in_two_places_only() -> None:
    """The provider's URL and the listener; everything else stays, comments included."""
    recommended = recommended_config_text()
    changed = demo_config(recommended, URL, 12345)
    pairs = list(zip(recommended.splitlines(), changed.splitlines(), strict=True))

    assert {"base_url", "address", "port"} == {
        new.strip().removeprefix("- ").partition(":")[0] for old, new in pairs if old != new
    }
    config = yaml.safe_load(changed)
    assert [("127.0.0.1", 12345)] == [(each["address"], each["port"]) for each in config["listeners"]]
    assert {URL} == {each["base_url"] for each in config["model_providers"]}


def test_it_is_valid_with_the_demos_keys() -> None:
    """No variable is missing, nothing is to be remarked upon."""
    loaded = parse_config(demo_config(recommended_config_text(), URL, 12345), "config.yaml", DEMO_KEYS, {})

    assert {f"${name}" for name in DEMO_KEYS} == set(loaded.key_names.values())
    assert [] == [problem for problem in loaded.notices if problem.severity == "error"]


def test_every_step_asks_for_a_channel_that_there_is() -> None:
    """Two that are routed by intent, a plain request, a stream, and one with a failover."""
    config = yaml.safe_load(recommended_config_text())
    models = {each["model"] for each in config["model_providers"]}

    assert models >= {step.model for step in STEPS if not step.by_intent}
    assert [False, False, False, True, False, False] == [step.stream for step in STEPS]
    assert [{}] * 2 + [{"x-plano-route": "off"}] * 4 == [step.headers for step in STEPS]


def test_the_rate_limited_channel_has_a_fallback() -> None:
    """The key that is refused is that of the asked channel, whose policy knows 429."""
    (provider,) = [
        each for each in yaml.safe_load(recommended_config_text())["model_providers"] if each["model"] == STEPS[4].model
    ][:1]
    (rule,) = STEPS[4].rules

    assert DEMO_KEYS[provider["access_key"].removeprefix("$")] == rule.match.key
    assert 429 == rule.behaviours[0].status
    assert provider["retry_policy"]["fallback_models"]


@pytest.mark.parametrize("stream", [True, False])
def test_the_body_of_a_request(stream: bool) -> None:
    """As any OpenAI client sends it."""
    body = Step("title", "a/b", "Hello!", stream=stream).body

    assert {"model": "a/b", "messages": [{"role": "user", "content": "Hello!"}]} == {
        name: value for name, value in body.items() if name != "stream"
    }
    assert stream == body.get("stream", False)


def test_the_curl_line() -> None:
    """Its body is JSON, for the port of the demo."""
    line = curl_line(12345)

    assert "http://localhost:12345/v1/chat/completions" in line
    assert "custom/claude-opus-4-6" == json.loads(line.split("'")[-2])["model"]


def chunk(delta: dict[str, object]) -> bytes:
    """A line of a stream."""
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (chunk({"content": "Hello"}), "Hello"),
        (chunk({"role": "assistant", "content": " a, b"}), " a, b"),
        (chunk({"content": 'say "hi" \\ {x}\n'}), 'say "hi" \\ {x}\n'),
        (chunk({"content": "模型 😀"}), "模型 😀"),
        (b'data: {"choices":[{"delta":{"content":"\xe6\xa8\xa1"}}]}', "模"),
        (chunk({"role": "assistant"}), ""),
        (chunk({"content": ""}), ""),
        (chunk({"content": None}), ""),
        (b'data: {"choices":[],"usage":{"total_tokens":3}}\n', ""),
        (b"data: [DONE]\n", ""),
        (b": a comment\n", ""),
        (b"\n", ""),
    ],
)
def test_the_text_of_a_line(line: bytes, text: str) -> None:
    """The words of the delta as they are meant, and nothing for all other lines."""
    assert text == text_of(line)
