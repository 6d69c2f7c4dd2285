"""Routing by intent with a Redis that two gateways share, by speed, and with an endpoint that decides."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from planoai.config import recommended_config_text
from planoai.demo.scenario import demo_config
from planoai.simulator import Behaviour, Match, Rule, ThreadedSimulator
from redis_server import RedisServer
from support import Home, RunningGateway, eventually

KEYS = "CLAUDE_API_KEY=k1\nCLAUDE_AWS_API_KEY=k2\nCLAUDE_OFFCIAL_API_KEY=k3\nCODEX_API_KEY=k4\n"
SONNET, GPT = "custom/claude-sonnet-4-6", "custom/gpt-5.4"
ANALYSIS = "Compare Kafka and RabbitMQ for our use case and evaluate the tradeoffs."


def chat(gateway: RunningGateway, prompt: str, session: str, *, stream: bool = False) -> httpx.Response:
    """One turn of a conversation."""
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}], "stream": stream}
    headers = {"session-id": session}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers, timeout=30)


def routed(gateway: RunningGateway) -> bool:
    """Whether the router answers; `planoai up` does not wait for it."""
    return "x-plano-route-confidence" in chat(gateway, ANALYSIS, "is it there").headers


def files_with(home: Home, secret: str) -> list[str]:
    """What we wrote that holds a secret; `.env` and config.yaml are the user's."""
    found = [path for path in (home.root / ".plano").rglob("*") if path.is_file()]
    return [str(path) for path in found if secret.encode() in path.read_bytes()]


# ---------------------------------------------------------------------- Redis


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """With a password."""
    server = RedisServer(password="pw-of-redis")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def pair(
    start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator, redis: RedisServer
) -> tuple[RunningGateway, RunningGateway]:
    """Two gateways with the recommended configuration, each with its own home, as on two machines."""
    config = demo_config(recommended_config_text(), provider.url, 0).replace("port: 0", "port: {port}")
    # More patient than the default: the machine that runs tests is busy.
    config += "\nrouting:\n  session_cache: {type: redis, url: $REDIS_URL, timeout_ms: 500}\n"
    one, two = (start_gateway(config, f"{KEYS}REDIS_URL={redis.url}\n") for _ in range(2))
    eventually(lambda: routed(one) and routed(two))
    eventually(lambda: all("shared through Redis" in each.brightstaff_log() for each in (one, two)))
    return one, two


def move_to_sonnet(gateway: RunningGateway, provider: ThreadedSimulator, session: str) -> None:
    """A conversation whose first model fails, so that it stays with the second one."""
    provider.set_rules([Rule(Match(model="gpt-5.4"), [Behaviour(status=503)])])
    assert SONNET == chat(gateway, ANALYSIS, session).headers["x-plano-model"]
    provider.set_rules([])
    gateway.forget_failures()


def test_two_gateways_know_of_each_others_conversations(
    pair: tuple[RunningGateway, RunningGateway], provider: ThreadedSimulator, redis: RedisServer
) -> None:
    """Where the one left it the other finds it; Redis forgets it in time; no file holds the password."""
    one, two = pair
    move_to_sonnet(one, provider, "shared")
    assert SONNET == eventually(lambda: chat(two, ANALYSIS, "shared").headers["x-plano-model"] == SONNET and SONNET)
    assert GPT == chat(two, ANALYSIS, "another").headers["x-plano-model"]
    keys = redis.command("KEYS", "plano:affinity:*")
    assert b"shared" not in keys
    name = next(line for line in keys.decode().split("\r\n") if line.startswith("plano:affinity:"))
    assert 0 < int(redis.command("TTL", name).removeprefix(b":")) <= 3600
    assert [] == files_with(one.home, "pw-of-redis") + files_with(two.home, "pw-of-redis")


def test_a_redis_that_hangs_or_dies_fails_no_request(
    pair: tuple[RunningGateway, RunningGateway], provider: ThreadedSimulator, redis: RedisServer
) -> None:
    """Frozen: a request waits half a second at most, and soon none does. Killed: each goes by what it knows itself."""
    one, two = pair
    move_to_sonnet(one, provider, "before")
    redis.freeze()
    try:
        frozen = [chat(one, ANALYSIS, "before") for _ in range(8)]
    finally:
        redis.thaw()
    assert {(200, SONNET)} == {(each.status_code, each.headers["x-plano-model"]) for each in frozen}
    assert max(each.elapsed.total_seconds() for each in frozen) < 3
    assert sorted(each.elapsed.total_seconds() for each in frozen)[3] < 0.4
    redis.kill()
    dead = [chat(each, ANALYSIS, "before") for each in (one, two) for _ in range(3)]
    assert {200} == {each.status_code for each in dead}
    assert {SONNET} == {each.headers["x-plano-model"] for each in dead[:3]}
    connected = [each.brightstaff_log().count("shared through Redis") for each in pair]
    redis.start()
    eventually(
        lambda: all(g.brightstaff_log().count("shared through Redis") > n for g, n in zip(pair, connected, strict=True))
    )
    move_to_sonnet(two, provider, "after")
    eventually(lambda: chat(one, ANALYSIS, "after").headers["x-plano-model"] == SONNET)


# ---------------------------------------------------------------------- speed

FASTEST = """\
version: v0.4.0
listeners:
  - {{type: model, name: main, port: {{port}}}}
model_providers:
  - {{model: custom/slow, base_url: "{url}", provider_interface: openai, default: true}}
  - {{model: custom/quick, base_url: "{url}", provider_interface: openai}}
routing_preferences:
  - name: everything
    description: writing code, questions, analysis, documentation, small talk
    models: [custom/slow, custom/quick]
    selection_policy: {{prefer: fastest}}
"""


def test_the_quicker_channel_gets_the_requests(
    start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator
) -> None:
    """After each has had one; a conversation stays where it began, and a channel that fails is left alone."""
    gateway = start_gateway(FASTEST.format(url=provider.url))
    # Whole answers, which are measured apart from streams.
    eventually(lambda: routed(gateway))
    provider.set_rules([Rule(Match(model="slow"), [Behaviour(delay_before_first_token_s=0.5)])])
    headers = {"x-plano-route": "everything"}
    body = {"model": "auto", "messages": [{"role": "user", "content": "write code"}], "stream": True}

    def ask() -> str:
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers, timeout=30)
        return str(answer.headers["x-plano-model"])

    assert ["custom/slow", *["custom/quick"] * 5] == [ask() for _ in range(6)]
    decided = httpx.post(f"{gateway.url}/routing/v1/chat/completions", json=body, headers=headers, timeout=30).json()
    assert ["custom/quick", "custom/slow"] == decided["models"]
    provider.set_rules([Rule(Match(model="quick"), [Behaviour(status=503)])])
    assert ["custom/slow", "custom/slow"] == [ask(), ask()]


# ----------------------------------------------------------- an endpoint of its own

REMOTE = """\
version: v0.4.0
listeners:
  - {{type: model, name: main, port: {{port}}}}
model_providers:
  - {{model: custom/big, base_url: "{url}", provider_interface: openai, access_key: $CHANNEL_KEY, default: true}}
  - {{model: custom/small, base_url: "{url}", provider_interface: openai, access_key: $CHANNEL_KEY}}
routing_preferences:
  - {{name: alpha, description: the first kind, models: [custom/small]}}
  - {{name: beta, description: the second kind, models: [custom/big]}}
routing:
  backend: remote
  remote: {{base_url: "{url}", model: the-judge, access_key: $ROUTER_KEY}}
"""


def test_an_endpoint_that_is_no_channel_decides(
    start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator
) -> None:
    """It gets its own key, and no channel does; its failure fails nothing; no file of ours holds the key."""
    gateway = start_gateway(
        REMOTE.format(url=provider.url), "CHANNEL_KEY=sk-of-the-channel\nROUTER_KEY=sk-of-the-router\n"
    )
    provider.set_rules([Rule(Match(model="the-judge"), [Behaviour(content='```json\n{"route": "Alpha"}\n```')])])
    eventually(lambda: routed(gateway))
    provider.clear()
    answer = chat(gateway, "which kind is this?", "r-1")
    assert ("alpha", "custom/small") == (answer.headers["x-plano-route"], answer.headers["x-plano-model"])
    judge, channel = provider.requests
    assert ["/v1/chat/completions", "/v1/chat/completions"] == [judge.path, channel.path]
    assert "Bearer sk-of-the-router" == dict(judge.headers)["authorization"]
    assert "Bearer sk-of-the-channel" == dict(channel.headers)["authorization"]
    provider.set_rules([Rule(Match(model="the-judge"), [Behaviour(status=500)])])
    alone = chat(gateway, "which kind is this?", "r-2")
    assert (200, "custom/big") == (alone.status_code, alone.headers["x-plano-model"])
    eventually(lambda: "the router gave no answer" in gateway.brightstaff_log())
    assert [] == files_with(gateway.home, "sk-of-the-router")
