"""Routing by intent through a real Envoy, brightstaff and router process, with the recommended configuration."""

import json
import os
import signal
from collections.abc import Callable

import httpx
import openai
import pytest

from planoai.config import recommended_config_text
from planoai.demo.scenario import demo_config
from planoai.simulator import Behaviour, Match, Rule, ThreadedSimulator
from support import RunningGateway, eventually

KEYS = "CLAUDE_API_KEY=k1\nCLAUDE_AWS_API_KEY=k2\nCLAUDE_OFFCIAL_API_KEY=k3\nCODEX_API_KEY=k4\n"
OPUS, SONNET = "custom/claude-opus-4-6", "custom/claude-sonnet-4-6"
GPT, FLASH = "custom/gpt-5.4", "custom/gemini-3-flash-preview"

#: A prompt for each of the seven routes, and the route's first model.
PROMPTS = {
    "code generation": ("Write a Python function that merges overlapping intervals, with type hints.", OPUS),
    "code understanding": ("Explain what this function does:\n```python\ndef f(n): return n & (n - 1)\n```", SONNET),
    "troubleshooting": ("Why do I get `ECONNREFUSED 127.0.0.1:5432` from the container? Find the root cause.", OPUS),
    "analysis": ("Compare Kafka and RabbitMQ for our use case and evaluate the tradeoffs.", GPT),
    "documentation": ("Write a README for this project with installation and quick start.", SONNET),
    "web browsing": ("Open https://example.com/blog/post-1 and summarize the page.", FLASH),
    "quick tasks": ("What is the capital of Australia?", FLASH),
}


@pytest.fixture(scope="module")
def gateway(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> RunningGateway:
    """The recommended configuration, unchanged but for base_url and the listener."""
    config = demo_config(recommended_config_text(), provider.url, 0).replace("port: 0", "port: {port}")
    running = start_gateway(config, KEYS)
    eventually(lambda: "router" in running.processes() and routed(running))
    return running


def routed(gateway: RunningGateway) -> bool:
    """Whether the router answers; `planoai up` does not wait for it."""
    return "x-plano-route-confidence" in chat(gateway, PROMPTS["code generation"][0]).headers


def chat(
    gateway: RunningGateway, prompt: object, headers: dict[str, str] | None = None, **more: object
) -> httpx.Response:
    """One chat completion for the model `auto`; the prompt is a text, or all messages."""
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    body = {"model": "auto", "messages": messages, **more}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers or {}, timeout=30)


@pytest.mark.parametrize("route", PROMPTS)
def test_a_prompt_for_each_route_arrives_at_its_model(
    gateway: RunningGateway, provider: ThreadedSimulator, route: str
) -> None:
    """With the official client; the answer says which route it was, and how sure that is."""
    prompt, model = PROMPTS[route]
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client:
        answer = client.chat.completions.with_raw_response.create(
            model="whatever/the-client-names", messages=[{"role": "user", "content": prompt}]
        )
    assert (route, model) == (answer.headers["x-plano-route"], answer.headers["x-plano-model"])
    assert 0.2 <= float(answer.headers["x-plano-route-confidence"]) <= 1
    assert model.partition("/")[2] == json.loads(provider.requests[-1].body)["model"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/v1/messages",
            {"system": "You are Claude Code.", "max_tokens": 9, "messages": [{"role": "user", "content": []}]},
        ),
        ("/v1/responses", {"instructions": "You are Codex.", "input": ""}),
    ],
)
def test_every_protocol_is_read(gateway: RunningGateway, path: str, body: dict[str, object]) -> None:
    """Messages and Responses are routed like chat completions."""
    prompt = PROMPTS["documentation"][0]
    if "input" in body:
        body = {**body, "input": [{"role": "user", "content": [{"type": "input_text", "text": prompt}]}]}
    else:
        body = {**body, "messages": [{"role": "user", "content": [{"type": "text", "text": prompt}]}]}
    answer = httpx.post(f"{gateway.url}{path}", json={"model": "auto", **body}, timeout=30)
    assert "documentation" == answer.headers["x-plano-route"]


def test_the_log_says_what_was_decided(gateway: RunningGateway) -> None:
    """The line that upstream writes, with the probabilities; of the prompt, nothing."""
    answer = chat(gateway, PROMPTS["analysis"][0])
    id_ = answer.headers["x-plano-request-id"]
    line = next(line for line in gateway.brightstaff_log().splitlines() if id_ in line and "plano-orchestrator" in line)
    assert 'plano-orchestrator determined routes content="{\\"route\\": [\\"analysis\\"]}"' in line
    assert 'selected_routes=["analysis"] response_time_ms=' in line
    assert "Kafka" not in gateway.brightstaff_log()


def test_a_caller_may_name_the_route_or_none(gateway: RunningGateway) -> None:
    """`x-plano-route: NAME`, `off`, and a name that there is not."""
    prompt = PROMPTS["quick tasks"][0]
    named = chat(gateway, prompt, {"x-plano-route": "Documentation"})
    off = chat(gateway, prompt, {"x-plano-route": "off"})
    unknown = chat(gateway, prompt, {"x-plano-route": "gardening"})
    assert ("documentation", SONNET) == (named.headers["x-plano-route"], named.headers["x-plano-model"])
    assert OPUS == off.headers["x-plano-model"]
    assert "x-plano-route" not in off.headers
    assert 400 == unknown.status_code
    assert "code generation" in unknown.json()["error"]["message"]


def test_routes_in_the_body(gateway: RunningGateway, provider: ThreadedSimulator) -> None:
    """They take the place of the configured ones, and the provider does not see them."""
    routes = [
        {"name": "poems", "description": "writing poems and songs", "models": [GPT]},
        {"name": "sums", "description": "arithmetic, unit conversion", "models": [FLASH]},
    ]
    answer = chat(gateway, "Write a haiku about winter", routing_preferences=routes)
    assert ("poems", GPT) == (answer.headers["x-plano-route"], answer.headers["x-plano-model"])
    assert {"model", "messages"} == set(json.loads(provider.requests[-1].body))


def test_a_conversation_stays_where_it_is(gateway: RunningGateway) -> None:
    """An agent's session: a turn, its tool loop, a terse follow-up, a title, and a new topic."""
    session = {"x-claude-code-session-id": "s-1"}
    tools = [{"type": "function", "function": {"name": "read", "parameters": {}}}]
    messages: list[dict[str, object]] = [
        {"role": "system", "content": "You are an agent."},
        {"role": "user", "content": PROMPTS["code generation"][0]},
    ]
    first = chat(gateway, messages, session, tools=tools)
    call = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "What is the capital of Australia?"},
    ]
    loop = chat(gateway, messages, session, tools=tools)
    messages += [{"role": "assistant", "content": "Done."}, {"role": "user", "content": "now also add tests"}]
    follow_up = chat(gateway, messages, session, tools=tools)
    title = chat(
        gateway,
        [
            {"role": "system", "content": "Generate a concise title of 3-5 words for this conversation."},
            {"role": "user", "content": PROMPTS["code generation"][0]},
        ],
        session,
    )
    messages += [
        {"role": "assistant", "content": "Added."},
        {
            "role": "user",
            "content": "translate 'good night, see you tomorrow' into French and Spanish",
        },
    ]
    new_topic = chat(gateway, messages, session, tools=tools)
    assert [OPUS, OPUS, OPUS, FLASH] == [each.headers["x-plano-model"] for each in (first, loop, follow_up, title)]
    assert "quick tasks" == new_topic.headers["x-plano-route"]


def test_failover_beats_stickiness(gateway: RunningGateway, provider: ThreadedSimulator) -> None:
    """The second model of a route answers, and the conversation stays with it."""
    session = {"x-model-affinity": "s-2"}
    provider.set_rules([Rule(Match(model="gpt-5.4"), [Behaviour(status=503)])])
    config_chain = chat(gateway, PROMPTS["analysis"][0], session)
    provider.set_rules([])
    gateway.forget_failures()
    later = chat(gateway, PROMPTS["analysis"][0], session)
    assert [SONNET, SONNET] == [each.headers["x-plano-model"] for each in (config_chain, later)]


@pytest.mark.parametrize("endpoint", ["chat/completions", "messages", "responses"])
def test_the_routing_service_decides_and_asks_nobody(
    gateway: RunningGateway, provider: ThreadedSimulator, endpoint: str
) -> None:
    """Upstream's answer: models, route, trace_id, pinned, switched."""
    before = len(provider.requests)
    prompt = PROMPTS["analysis"][0]
    body: dict[str, object] = {"model": "auto"}
    body |= {"input": prompt} if endpoint == "responses" else {"messages": [{"role": "user", "content": prompt}]}
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    answer = httpx.post(f"{gateway.url}/routing/v1/{endpoint}", json=body, headers=trace, timeout=30)
    told = answer.json()
    assert (200, [GPT, SONNET], "analysis") == (answer.status_code, told["models"], told["route"])
    assert ("4bf92f3577b34da6a3ce929d0e0e4736", False) == (told["trace_id"], told["switched"])
    assert before == len(provider.requests)


def test_explain_tells_the_decision(gateway: RunningGateway) -> None:
    """The route, why, and the probabilities."""
    id_ = chat(gateway, PROMPTS["troubleshooting"][0]).headers["x-plano-request-id"]

    def told() -> str:
        result = gateway.home.planoai("explain", id_)
        return result.stdout if result.returncode == 0 else ""

    text = eventually(told)
    assert "Routed by intent: troubleshooting" in text
    assert "Probabilities: troubleshooting" in text


def test_a_router_that_dies_or_hangs_fails_no_request(gateway: RunningGateway) -> None:
    """Killed: requests go to the default until it is back. Stopped: they wait for the time that is set, no longer."""
    router = gateway.processes()["router"]
    router.kill()
    while_dead = [chat(gateway, PROMPTS["quick tasks"][0], {"session-id": f"dead-{each}"}) for each in range(20)]
    assert {200} == {each.status_code for each in while_dead}
    eventually(lambda: routed(gateway) and gateway.processes()["router"].pid != router.pid)
    told_before = gateway.brightstaff_log().count("the router fails")
    os.kill(gateway.processes()["router"].pid, signal.SIGSTOP)
    try:
        # New conversations: an old one stays where it is.
        hung = [chat(gateway, PROMPTS["quick tasks"][0], {"session-id": f"hung-{each}"}) for each in range(5)]
    finally:
        os.kill(gateway.processes()["router"].pid, signal.SIGCONT)
    assert {(200, OPUS)} == {(each.status_code, each.headers["x-plano-model"]) for each in hung}
    assert max(each.elapsed.total_seconds() for each in hung) < 4
    # The breaker: not every one of them waited.
    assert min(each.elapsed.total_seconds() for each in hung) < 1
    assert told_before + 1 == gateway.brightstaff_log().count("the router fails")
    eventually(lambda: routed(gateway))


def test_without_routes_there_is_no_router(
    start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator
) -> None:
    """No process, and no header about routes."""
    config = (
        "version: v0.4.0\nlisteners:\n  - type: model\n    name: main\n    port: {port}\n"
        f"model_providers:\n  - model: custom/m\n    base_url: {provider.url}\n    provider_interface: openai\n"
    )
    plain = start_gateway(config)
    answer = httpx.post(
        f"{plain.url}/v1/chat/completions",
        json={"model": "custom/m", "messages": [{"role": "user", "content": "hi"}]},
        timeout=30,
    )
    assert 200 == answer.status_code
    assert "x-plano-route" not in answer.headers
    assert "router" not in plain.processes()
