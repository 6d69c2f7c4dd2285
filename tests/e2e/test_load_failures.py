"""A minute under load with a first channel that fails at random, and another one in which workers are killed, too."""

import asyncio
import json
import logging
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from support import PLANOAI, RunningGateway, free_port

log = logging.getLogger(__name__)

CONNECTIONS = 64
SECONDS = 60.0
KILL_EVERY_S = 7.0
#: Cool-downs are lifted so often; otherwise the failing channel would hardly be asked.
FORGET_EVERY_S = 0.05

CONFIG = """
version: v0.4.0
workers: WORKERS
listeners:
  - {type: model, name: main, address: 127.0.0.1, port: {port}}
model_providers:
  - {model: first/m, base_url: "PROVIDER", access_key: sk-first, timeouts: {first_token: 2s}}
  - {model: second/m, base_url: "PROVIDER", access_key: sk-second}
  - {model: third/m, base_url: "PROVIDER", access_key: sk-third}
retry_policy:
  fallback_models: [second/m, third/m]
  fallback_scope: fallback_list_only
  default_max_attempts: 3
  on_status_codes: [{codes: [401], strategy: different_provider, max_attempts: 3}]
"""

#: Every way to fail before content: three requests in ten.
RULES = """
rules:
  - match: {key: sk-first}
    probability: 0.3
    choose: random
    behaviours:
      - 429
      - {status: 429, headers: {retry-after-ms: 50}}
      - 500
      - 503
      - 529
      - 401
      - {status: 503, gzip: true}
      - {status: 403, body: {error: {message: Your credit balance is too low, type: insufficient_quota}}}
      - {refuse: true}
      - {cut_after_bytes: 0}
      - {cut_after_bytes: 10}
      - {error_event: true}
      - {error_event: true, role_delta: early}
      - {error_body_in_200: true}
      - {empty_stream: true}
      - {body: "<html><body>Bad gateway</body></html>"}
      - {body: {id: x, object: chat.completion, choices: []}}
      - {delay_before_first_token_s: 3}
  - behaviours: [{chunks: 8, chunk_bytes: 12, delay_between_tokens_s: 0.01}]
"""


@dataclass
class Tally:
    """What the clients saw."""

    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """JSON answers that broke between their head and their body."""
    told: int = 0
    """Streams that broke after they had begun, and ended with an error event."""
    first_hops: Counter[str] = field(default_factory=Counter)
    """What came of the first attempts of requests that took more than one."""
    waits_s: list[float] = field(default_factory=list)


async def one(session: aiohttp.ClientSession, url: str, number: int, tally: Tally) -> None:
    """A request, and whether its answer is whole, its own, and alone."""
    stream = number % 2 == 0
    body = {"model": "first/m", "stream": stream, "messages": [{"role": "user", "content": f"number {number}"}]}
    begin_s = time.monotonic()
    text = ""
    status, attempts = 0, ""
    try:
        async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
            status, attempts = answer.status, answer.headers.get("x-plano-attempts", "")
            async for chunk in answer.content.iter_any():
                text += chunk.decode()
    except aiohttp.ClientError as error:
        cut = f"{number}: {type(error).__name__} after {text[-80:]!r}, {attempts}"
        (tally.broken if status == 200 and not stream else tally.wrong).append(cut)
        return
    tally.waits_s.append(time.monotonic() - begin_s)
    if "," in attempts:
        tally.first_hops[attempts.partition("=")[2].partition("/")[0]] += 1
    if status != 200:
        tally.wrong.append(f"{number}: {status} {text[:200]} {attempts}")
    elif stream and '"answer_cut_short"' in text:
        tally.told += 1
    elif stream and (text.count('"role":"assistant"'), text.count("data: [DONE]")) != (1, 1):
        tally.wrong.append(f"{number}: {text.count('role')} beginnings, {text.count('[DONE]')} ends; {attempts}")
    elif not stream and json.loads(text)["object"] != "chat.completion":
        tally.wrong.append(f"{number}: {text[:200]}")
    else:
        tally.answered += 1


async def load(gateway: RunningGateway, kill: Callable[[], None] | None) -> Tally:
    """So many connections, each with one request after the other."""
    tally = Tally()
    numbers = iter(range(10_000_000))
    end_s = time.monotonic() + SECONDS

    async def client(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < end_s:
            await one(session, gateway.url, next(numbers), tally)

    async def every(interval_s: float, action: Callable[[], None]) -> None:
        while time.monotonic() < end_s - interval_s:
            await asyncio.sleep(interval_s)
            action()

    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(CONNECTIONS):
            group.create_task(client(session))
        group.create_task(every(FORGET_EVERY_S, gateway.forget_failures))
        if kill is not None:
            group.create_task(every(KILL_EVERY_S, kill))
    return tally


@pytest.fixture(scope="module")
def flaky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A provider in a process of its own; its URL."""
    rules = tmp_path_factory.mktemp("flaky") / "rules.yaml"
    rules.write_text(RULES)
    port = free_port()
    command = [*PLANOAI, "simulate", "--port", str(port), "--quiet", "--no-record", "--rules", str(rules)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as provider:
        try:
            assert provider.stdout is not None
            assert str(port) in provider.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            provider.terminate()


def show(name: str, tally: Tally) -> None:
    """Seen with --log-cli-level=info."""
    waits_s = sorted(tally.waits_s)
    p50_s, p99_s = waits_s[len(waits_s) // 2], waits_s[len(waits_s) * 99 // 100]
    counts = f"{tally.answered} answered, {len(tally.wrong)} wrong, {len(tally.broken)} broken, {tally.told} told"
    times = f"p50 {p50_s:.3f} s, p99 {p99_s:.3f} s, longest {waits_s[-1]:.3f} s"
    log.info("%s: %s; %s; failed first attempts: %s", name, counts, times, dict(tally.first_hops))


@pytest.mark.load
@pytest.mark.timeout(240)
def test_a_channel_that_fails_at_random(start_gateway: Callable[..., RunningGateway], flaky: str) -> None:
    """64 connections for a minute: every answer is a 200, whole, and there is exactly one."""
    gateway = start_gateway(CONFIG.replace("PROVIDER", flaky).replace("WORKERS", "1"))
    tally = asyncio.run(load(gateway, None))
    show("30 % failures", tally)
    assert ([], [], 0) == (tally.wrong[:5], tally.broken[:5], tally.told)
    assert tally.answered > 1000
    assert len(tally.first_hops) >= 8, tally.first_hops
    assert sum(tally.first_hops.values()) > 200


@pytest.mark.load
@pytest.mark.timeout(240)
def test_while_workers_are_killed(start_gateway: Callable[..., RunningGateway], flaky: str) -> None:
    """The same while one of two workers is killed every few seconds: only what had begun may break.

    Every such stream ends with an error event.
    """
    gateway = start_gateway(CONFIG.replace("PROVIDER", flaky).replace("WORKERS", "2"))
    victims = iter(["brightstaff-1", "brightstaff-2"] * 100)

    def kill() -> None:
        victim = gateway.processes().get(next(victims))
        if victim is not None:
            victim.kill()

    tally = asyncio.run(load(gateway, kill))
    show("30 % failures, workers killed", tally)
    assert [] == tally.wrong[:5]
    assert tally.answered > 1000
    # Each kill can break no more than what ran through the worker at that moment; JSON is sent in one go.
    assert 0 < tally.told <= SECONDS / KILL_EVERY_S * CONNECTIONS
    assert len(tally.broken) <= SECONDS / KILL_EVERY_S
