"""The recommended configuration, unchanged but for base_url and the listener: seven channels, four keys, one provider.

The sequences W1 to W11 are worked examples for this configuration: A is custom/claude-opus-4-6, B and C its fallbacks.
"""

import json
import re
from collections.abc import Callable

import httpx
import pytest

from planoai.config import recommended_config_text
from planoai.demo.scenario import demo_config
from planoai.simulator import Behaviour, Match, Rule, ThreadedSimulator
from support import RunningGateway, eventually

#: These tests are about failover: to the model that is named, whatever the routes say.
NAMED = {"x-plano-route": "off"}
KEYS = {
    "CLAUDE_API_KEY": "sk-claude-0001",
    "CLAUDE_AWS_API_KEY": "sk-aws-0002",
    "CLAUDE_OFFCIAL_API_KEY": "sk-official-0003",
    "CODEX_API_KEY": "sk-codex-0004",
}
A, B, C = "custom/claude-opus-4-6", "custom-aws/claude-opus-4-6", "custom-offcial/claude-opus-4-6"
SONNET = "custom/claude-sonnet-4-6"
KEY_OF = {
    A: KEYS["CLAUDE_API_KEY"],
    SONNET: KEYS["CLAUDE_API_KEY"],
    B: KEYS["CLAUDE_AWS_API_KEY"],
    C: KEYS["CLAUDE_OFFCIAL_API_KEY"],
    "custom/gpt-5.4": KEYS["CODEX_API_KEY"],
    "custom/gemini-3-flash-preview": KEYS["CODEX_API_KEY"],
    "custom/gemini-3.1-pro-preview": KEYS["CODEX_API_KEY"],
}


@pytest.fixture(scope="module")
def gateway(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> RunningGateway:
    """The recommended configuration with its four keys in `.env`, in every form that a .env may have."""
    dotenv = f"""# keys of the channels
CLAUDE_API_KEY={KEYS["CLAUDE_API_KEY"]}
export CLAUDE_AWS_API_KEY="{KEYS["CLAUDE_AWS_API_KEY"]}"
CLAUDE_OFFCIAL_API_KEY='{KEYS["CLAUDE_OFFCIAL_API_KEY"]}'   # the official one
CODEX_API_KEY=from-the-file-and-overridden
"""
    config = demo_config(recommended_config_text(), provider.url, 0).replace("port: 0", "port: {port}")
    return start_gateway(config, dotenv, {"CODEX_API_KEY": KEYS["CODEX_API_KEY"]})


@pytest.fixture(scope="module")
def five_attempts(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> RunningGateway:
    """The same, but with five attempts where it allows three."""
    text = recommended_config_text().replace("max_attempts: 3", "max_attempts: 5")
    config = demo_config(text, provider.url, 0).replace("port: 0", "port: {port}")
    return start_gateway(config, "".join(f"{name}={key}\n" for name, key in KEYS.items()))


def ask(gateway: RunningGateway, model: str, *, stream: bool = False) -> httpx.Response:
    """One chat completion."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}], "stream": stream}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=NAMED, timeout=30)


@pytest.mark.parametrize("model", KEY_OF)
def test_each_channel_has_its_own_key_and_the_bare_name(
    gateway: RunningGateway, provider: ThreadedSimulator, model: str
) -> None:
    """The provider sees the channel's own key, the bare model name, and otherwise the client's bytes."""
    body = f'{{"messages": [{{"role":"user","content":"你好 \\u00e9"}}],  "model" :"{model}", "n": 1}}'.encode()
    answer = httpx.post(
        f"{gateway.url}/v1/chat/completions",
        content=body,
        headers={"content-type": "application/json", **NAMED},
        timeout=30,
    )
    received = provider.requests[0]
    assert (answer.status_code, answer.headers["x-plano-model"]) == (200, model)
    assert received.header("authorization") == f"Bearer {KEY_OF[model]}"
    assert received.body == body.replace(model.encode(), model.partition("/")[2].encode())
    assert len(provider.requests) == 1


#: name, model asked, what each channel does (by key), status and body of what the client gets, calls at the provider
SEQUENCES: list[tuple[str, str, dict[str, Behaviour], int, list[str]]] = [
    ("W1", A, {}, 200, [A]),
    ("W2", A, {A: Behaviour(status=429)}, 200, [A, B]),
    ("W3", A, {A: Behaviour(status=401), B: Behaviour(status=503)}, 200, [A, B, C]),
    ("W4", A, {A: Behaviour(status=429), B: Behaviour(status=429), C: Behaviour(status=429)}, 429, [A, B, C]),
    ("W5", A, {A: Behaviour(status=400)}, 400, [A]),
    ("W6", A, {A: Behaviour(status=500)}, 200, [A, B]),
    ("W6-502", A, {A: Behaviour(status=502)}, 200, [A, B]),
    ("W6-504", A, {A: Behaviour(status=504)}, 200, [A, B]),
    ("W7", A, {A: Behaviour(refuse=True)}, 200, [A, B]),
    ("W7-cut", A, {A: Behaviour(cut_after_bytes=0)}, 200, [A, B]),
    ("W9", B, {B: Behaviour(status=429)}, 429, [B]),
    ("W10", SONNET, {SONNET: Behaviour(status=503)}, 503, [SONNET]),
    ("default", "no/such-model", {}, 200, [A]),
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize(("name", "model", "behaviours", "status", "calls"), SEQUENCES, ids=[s[0] for s in SEQUENCES])
def test_sequences(
    gateway: RunningGateway,
    provider: ThreadedSimulator,
    name: str,
    model: str,
    behaviours: dict[str, Behaviour],
    status: int,
    calls: list[str],
    *,
    stream: bool,
) -> None:
    """Which channels are tried, in which order, and what the client gets."""
    provider.set_rules([Rule(Match(key=KEY_OF[channel]), [each]) for channel, each in behaviours.items()])
    answer = ask(gateway, model, stream=stream)
    received = provider.requests
    assert answer.status_code == status
    assert [KEY_OF[channel] for channel in calls] == [each.key for each in received]
    assert [channel.partition("/")[2] for channel in calls] == [each.model for each in received]
    assert answer.headers["x-plano-model"] == calls[-1]
    assert [hop.partition("=")[0] for hop in answer.headers["x-plano-attempts"].split(", ")] == calls
    assert len({each.body for each in received}) == 1, "every attempt carries the same bytes"
    if status == 200 and stream:
        assert answer.text.count("data: [DONE]") == 1
        assert answer.text.count('"role":"assistant"') == 1
    elif status == 200:
        assert json.loads(answer.text)["object"] == "chat.completion"
    else:
        assert "error" in json.loads(answer.text)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_w8_retry_after(gateway: RunningGateway, provider: ThreadedSimulator, *, stream: bool) -> None:
    """A 429 with Retry-After: B answers at once, and the next request goes to B first."""
    provider.set_rules([Rule(Match(key=KEY_OF[A]), [Behaviour(status=429, headers={"retry-after": "30"})])])
    assert [B, B] == [ask(gateway, A, stream=stream).headers["x-plano-model"] for _ in range(2)]
    received = provider.requests
    assert [KEY_OF[A], KEY_OF[B], KEY_OF[B]] == [each.key for each in received]
    assert received[1].time_s - received[0].time_s < 5, "nobody waits for A"


@pytest.mark.parametrize("cut_with", ["close", "reset"])
def test_w12_a_break_after_the_first_chunk(gateway: RunningGateway, provider: ThreadedSimulator, cut_with: str) -> None:
    """No switch and no splice: what came of A's stream, and an error event. B is not asked."""
    cut = Behaviour(chunks=6, delay_between_tokens_s=0.05, cut_after_chunks=2, cut_with=cut_with)
    provider.set_rules([Rule(Match(key=KEY_OF[A]), [cut])])
    body = {"model": A, "messages": [{"role": "user", "content": "Hello!"}], "stream": True}
    with httpx.stream("POST", f"{gateway.url}/v1/chat/completions", json=body, headers=NAMED, timeout=30) as answer:
        text = answer.read().decode()
    assert (200, A) == (answer.status_code, answer.headers["x-plano-model"])
    assert 1 == text.count('"role":"assistant"')
    assert "[DONE]" not in text
    last = json.loads(text.rstrip().rpartition("data: ")[2])
    assert "answer_cut_short" == last["error"]["code"]
    assert [KEY_OF[A]] == [each.key for each in provider.requests]
    # It counts against the channel a moment later, and shall not do so in the next test.
    noted = f"request_id={answer.headers['x-plano-request-id']} {A}"
    eventually(lambda: noted in gateway.brightstaff_log())


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_w13_five_attempts(five_attempts: RunningGateway, provider: ThreadedSimulator, *, stream: bool) -> None:
    """The strategy compares with the channel that failed last: after C come the channels of other prefixes.

    Another model answers then, which the trail and the log say.
    """
    rules = [Rule(Match(key=KEY_OF[channel]), [Behaviour(status=503)]) for channel in (B, C)]
    provider.set_rules([*rules, Rule(Match(key=KEY_OF[A], model="claude-opus-4-6"), [Behaviour(status=503)])])
    answer = ask(five_attempts, A, stream=stream)
    assert (200, SONNET) == (answer.status_code, answer.headers["x-plano-model"])
    trail = answer.headers["x-plano-attempts"]
    assert [A, B, C, SONNET] == [hop.partition("=")[0] for hop in trail.split(", ")]
    assert trail.endswith(";other-model")
    request_id = answer.headers["x-plano-request-id"]
    assert f"request_id={request_id} answered by another model: {A} was asked" in five_attempts.brightstaff_log()


def test_log_lines_of_a_failover(gateway: RunningGateway, provider: ThreadedSimulator) -> None:
    """brightstaff.log says what failed, where it went on, and that it succeeded, with the request's id."""
    provider.set_rules([Rule(Match(key=KEY_OF[A]), [Behaviour(status=429)])])
    request_id = ask(gateway, A).headers["x-plano-request-id"]
    log = [line for line in gateway.brightstaff_log().splitlines() if request_id in line]
    assert [line.partition(f"request_id={request_id} ")[2] for line in log] == [
        f"Retriable error detected: provider={A}, status_code=429",
        f"Retry initiated: target_model={B}",
        f"metric.retry_success: model={B}, total_attempts=2",
    ]


def test_a_channel_that_is_down(gateway: RunningGateway, provider: ThreadedSimulator) -> None:
    """When every channel resets the connection the client gets a 502 that says which provider, and the trail."""
    provider.set_rules([Rule(behaviours=[Behaviour(refuse=True)])])
    answer = ask(gateway, A)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider_reset")
    assert C in answer.json()["error"]["message"]
    assert re.findall(r"=(\w+)/", answer.headers["x-plano-attempts"]) == ["reset"] * 3


def test_no_key_is_ever_written(gateway: RunningGateway, provider: ThreadedSimulator) -> None:
    """Not in a file under the home, not in the access log or any other, not in a process's arguments or environment."""
    import psutil

    for model in KEY_OF:
        ask(gateway, model)
    state = json.loads((gateway.home.root / ".plano" / "run" / "state.json").read_text())
    supervisor = psutil.Process(state["supervisor"]["pid"])
    envoy = [each for each in supervisor.children() if "envoy" in each.name()]
    assert len(envoy) == 1
    written = [path.read_bytes() for path in (gateway.home.root / ".plano").rglob("*") if path.is_file()]
    shown = [" ".join(each.cmdline()).encode() for each in [supervisor, *supervisor.children(recursive=True)]]
    shown += [str(envoy[0].environ()).encode()]
    for key in KEYS.values():
        assert not [text for text in written + shown if key.encode() in text]
    modes = {path: path.stat().st_mode & 0o077 for path in (gateway.home.root / ".plano" / "run").rglob("*")}
    assert not [path for path, open_to_others in modes.items() if open_to_others]
