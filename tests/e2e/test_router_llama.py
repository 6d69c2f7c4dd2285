"""Routing with a local model: real Envoy, brightstaff and router process, and a small GGUF that llama.cpp runs.

Its weights are random: it decides at random, but always the same. What is tested is all around the decision.
"""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import psutil
import pytest

from planoai.config import recommended_config_text
from planoai.demo.scenario import demo_config
from planoai.simulator import ThreadedSimulator
from support import Home, RunningGateway, eventually
from tiny_gguf import SLOW, write_gguf

KEYS = "CLAUDE_API_KEY=k1\nCLAUDE_AWS_API_KEY=k2\nCLAUDE_OFFCIAL_API_KEY=k3\nCODEX_API_KEY=k4\n"
ROUTES = (
    "code generation",
    "code understanding",
    "troubleshooting",
    "analysis",
    "documentation",
    "web browsing",
    "quick tasks",
)
PROMPT = "Write a Python function that merges overlapping intervals, with type hints."
CLIENTS, REQUESTS, KILLS = 8, 60, 4


def start(
    start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator, **settings: object
) -> RunningGateway:
    """A gateway with these settings for routing."""
    config = demo_config(recommended_config_text(), provider.url, 0).replace("port: 0", "port: {port}")
    return start_gateway(f"{config}\nrouting: {json.dumps(settings)}\n", KEYS)


def chat(gateway: RunningGateway, prompt: str, session: str) -> httpx.Response:
    """The first turn of a conversation."""
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers={"session-id": session}, timeout=30)


def router_log(gateway: RunningGateway) -> str:
    """What the router process wrote."""
    return (gateway.home.logs / "router.log").read_text("utf-8")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small and a slow model."""
    folder = tmp_path_factory.mktemp("models")
    write_gguf(folder / "tiny.gguf")
    write_gguf(folder / "slow.gguf", SLOW)
    return folder


@pytest.fixture(scope="module")
def gateway(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator, models: Path) -> RunningGateway:
    """One whose routes the small model decides about, however unsure it is."""
    running = start(
        start_gateway, provider, backend="llama", model=str(models / "tiny.gguf"), min_confidence=0.0, timeout_ms=5000
    )
    eventually(lambda: "the llama router is ready" in router_log(running))
    return running


def test_the_model_decides(gateway: RunningGateway) -> None:
    """With the official client; the log has its answer in the form of the prompt, and a time."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0)
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=[{"role": "user", "content": PROMPT}])
    assert raw.headers["x-plano-route"] in (*ROUTES, "none")
    assert 0 < float(raw.headers["x-plano-route-confidence"]) <= 1
    id_ = raw.headers["x-plano-request-id"]
    line = eventually(
        lambda: next((e for e in gateway.brightstaff_log().splitlines() if id_ in e and "determined routes" in e), None)
    )
    content = line.partition("content=")[2].partition(" selected_routes=")[0]
    assert json.loads(json.loads(content))["route"] in (*ROUTES, "none")
    assert "response_time_ms=" in line
    assert "tiny.gguf (generic prompt" in router_log(gateway)


def test_the_same_question_gets_the_same_answer(gateway: RunningGateway) -> None:
    """In conversations that know nothing of each other."""
    answers = {
        (each.headers["x-plano-route"], each.headers["x-plano-route-confidence"])
        for each in (chat(gateway, PROMPT, f"same-{number}") for number in range(3))
    }
    assert 1 == len(answers)


def test_the_router_crashes_under_load(gateway: RunningGateway) -> None:
    """Killed again and again while eight clients ask: every request is answered, and afterwards the model decides."""
    numbers = iter(range(CLIENTS * REQUESTS))
    lock, done = threading.Lock(), threading.Event()

    def client(_: int) -> list[int]:
        statuses = []
        while not done.is_set():
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            statuses.append(chat(gateway, f"{PROMPT} Number {number}.", f"load-{number}").status_code)
        return statuses

    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client, number) for number in range(CLIENTS)]
        killed: set[int] = set()
        while len(killed) < KILLS and not all(each.done() for each in running):
            router = gateway.processes().get("router")
            if router is not None and router.pid not in killed:
                killed.add(router.pid)
                router.kill()
            # Until the next one is there, or all requests are answered.
            psutil.wait_procs([router] if router else [], timeout=5)
        statuses = [status for each in running for status in each.result()]
    assert {200} == set(statuses)
    assert CLIENTS * REQUESTS == len(statuses)
    assert len(killed) >= 2
    eventually(lambda: chat(gateway, PROMPT, "after").headers.get("x-plano-route-confidence"))


def test_auto_answers_while_the_model_is_slow(
    start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator, models: Path
) -> None:
    """The deadline passes, the built-in router decides in its place; that is logged once."""
    auto = start(start_gateway, provider, backend="auto", model=str(models / "slow.gguf"), timeout_ms=60)
    eventually(lambda: "the llama router is ready" in router_log(auto), timeout_s=60)
    unsure = (
        "what about it",
        "blue then",
        "and the other thing, you know",
        "well, that one over there",
        "it is all of it",
    )
    answers = [chat(auto, prompt, f"slow-{prompt}") for prompt in unsure]
    assert {200} == {each.status_code for each in answers}
    eventually(lambda: "the llama router fails" in router_log(auto))
    eventually(lambda: chat(auto, PROMPT, "sure").headers.get("x-plano-route") == "code generation")
    assert 1 == router_log(auto).count("the llama router fails")


def test_what_is_missing_is_told_at_the_start(new_home: Callable[[], Home], provider: ThreadedSimulator) -> None:
    """`planoai up` refuses, with the command that helps; nothing is started, nothing is downloaded."""
    home = new_home()
    config = demo_config(recommended_config_text(), provider.url, 12_000)
    home.write("config.yaml", f"{config}\nrouting: {{backend: llama, model: qwen2.5-1.5b-instruct}}\n")
    home.write(".env", KEYS)
    result = home.planoai("up", "config.yaml")
    assert 1 == result.returncode
    assert "planoai models pull" in result.stderr
    assert not (home.root / ".plano" / "models").exists()
