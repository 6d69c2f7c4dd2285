"""Several brightstaff processes: they share the work and what they know, and none of them is needed to stay alive."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress

import httpx
import openai
import psutil
import pytest

from planoai.simulator import Behaviour, Match, Rule, ThreadedSimulator
from support import RunningGateway, alive, eventually

from .seen import ask

WORKERS = ("brightstaff-1", "brightstaff-2", "brightstaff-3")

CONFIG = """
version: v0.4.0
workers: 3
listeners:
  - {type: model, name: main, address: 127.0.0.1, port: {port}}
model_providers:
  - {model: first/m, base_url: "PROVIDER", access_key: sk-first}
  - {model: second/m, base_url: "PROVIDER", access_key: sk-second}
  - {model: third/m, base_url: "PROVIDER", access_key: sk-third}
retry_policy: {fallback_models: [second/m, third/m], fallback_scope: fallback_list_only, default_max_attempts: 3}
"""


@pytest.fixture(scope="module")
def gateway(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> RunningGateway:
    """Three workers, three channels."""
    return start_gateway(CONFIG.replace("PROVIDER", provider.url))


def counted(gateway: RunningGateway, counter: str) -> dict[str, int]:
    """Cluster → how often Envoy counted this so far."""
    socket = gateway.home.root / ".plano" / "run" / "envoy-admin.sock"
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as admin:
        text = admin.get(f"http://envoy/stats?filter={counter}$").text
    return {name: int(number) for name, number in re.findall(rf"cluster\.([\w-]+)\.{counter}: (\d+)", text)}


def streams(gateway: RunningGateway) -> dict[str, int]:
    """How many attempts each worker has been given so far."""
    return {name: number for name, number in counted(gateway, "upstream_rq_total").items() if name in WORKERS}


def client_of(url: str) -> openai.AsyncOpenAI:
    """A client that does not try again by itself."""
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0, timeout=60)


async def ask_one(client: openai.AsyncOpenAI, index: int) -> str:
    """One chat; what was wrong with its answer, or nothing."""
    try:
        answer = await client.chat.completions.create(
            model="first/m", messages=[{"role": "user", "content": f"number {index}"}]
        )
    except openai.APIError as error:
        return f"{type(error).__name__}: {error}"
    content = answer.choices[0].message.content or ""
    return "" if content.endswith(f"number {index}") else f"answered {content!r}"


async def ask_many(url: str, number: int) -> list[str]:
    """So many chats at once; what was wrong with each, or nothing."""
    async with client_of(url) as client:
        return await asyncio.gather(*(ask_one(client, index) for index in range(number)))


def test_every_worker_works(gateway: RunningGateway) -> None:
    """Requests are spread over all of them."""
    before = streams(gateway)
    assert [""] * 90 == asyncio.run(ask_many(gateway.url, 90))
    given = {name: number - before[name] for name, number in streams(gateway).items()}
    assert 90 == sum(given.values())
    assert set(WORKERS) == {name for name, number in given.items() if number >= 5}, given


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
def test_one_worker_sees_all_attempts_of_a_request(
    gateway: RunningGateway, provider: ThreadedSimulator, *, stream: bool
) -> None:
    """Otherwise it would not know what was tried."""
    for _ in range(5):
        provider.clear()
        gateway.forget_failures()
        provider.set_rules([Rule(Match(key=["sk-first", "sk-second"]), [Behaviour(status=503)])])
        before = streams(gateway)
        seen = ask(gateway.url, "first/m", stream=stream)
        assert [("first/m", "503"), ("second/m", "503"), ("third/m", "200")] == seen.hops
        given = [number - before[name] for name, number in streams(gateway).items()]
        assert [0, 0, 3] == sorted(given)


def test_what_one_worker_learns_all_know(gateway: RunningGateway, provider: ThreadedSimulator) -> None:
    """A Retry-After that one of them was told keeps the others away, too."""
    limited = Behaviour(status=429, headers={"retry-after": "60"})
    provider.set_rules([Rule(Match(key="sk-first"), [limited])])
    models = [ask(gateway.url, "first/m", stream=False).model for _ in range(20)]
    assert ["second/m"] * 20 == models
    assert 1 == len([each for each in provider.requests if each.key == "sk-first"])


def test_a_worker_that_is_killed_loses_no_request(gateway: RunningGateway, provider: ThreadedSimulator) -> None:
    """Forty requests whose answers have not begun: all are answered, those of the dead worker by its successor."""
    provider.set_rules([Rule(behaviours=[Behaviour(delay_before_headers_s=1.0)])])

    async def scene() -> list[str]:
        asking = asyncio.get_running_loop().create_task(ask_many(gateway.url, 40))
        await asyncio.to_thread(lambda: provider.wait_for_requests(40, finished=False))
        gateway.processes()["brightstaff-2"].kill()
        return await asking

    assert [""] * 40 == asyncio.run(scene())
    status = eventually(lambda: ready_report(gateway))
    assert {"brightstaff-1": 0, "brightstaff-2": 1, "brightstaff-3": 0} == {
        each["name"]: each["restarts"] for each in status if each["name"] != "envoy"
    }


def test_each_worker_is_killed_in_turn(gateway: RunningGateway) -> None:
    """Fifty short requests a second all the while: those that meet a dead worker wait for it, and none is lost."""
    before = restarts(eventually(lambda: ready_report(gateway)))

    async def send(done: asyncio.Event) -> list[str]:
        """New requests whether or not earlier ones were answered: they must not wait out the death of a worker."""
        async with client_of(gateway.url) as client, asyncio.TaskGroup() as group:
            asked: list[asyncio.Task[str]] = []
            while not done.is_set():
                asked.append(group.create_task(ask_one(client, len(asked))))
                with suppress(TimeoutError):
                    await asyncio.wait_for(done.wait(), 0.02)
        return [each.result() for each in asked]

    async def scene() -> tuple[list[str], list[int]]:
        done = asyncio.Event()
        met: list[int] = []
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(send(done))
            for name in WORKERS:
                so_far = counted(gateway, "upstream_rq_retry")["attempt"]
                gateway.processes()[name].kill()
                await asyncio.to_thread(wait_for_restart, gateway, name, before[name] + 1)
                met.append(counted(gateway, "upstream_rq_retry")["attempt"] - so_far)
            done.set()
        return sending.result(), met

    results, met = asyncio.run(scene())
    assert [] == [each for each in results if each]
    assert all(met), f"retries while each was dead: {met}, of {len(results)} requests"
    assert {name: number + 1 for name, number in before.items()} == restarts(report(gateway))


def wait_for_restart(gateway: RunningGateway, name: str, number: int) -> None:
    """Return once a worker was started again so many times, and all are ready."""
    eventually(lambda: restarts(ready_report(gateway)).get(name) == number)


def restarts(processes: list[dict[str, object]]) -> dict[str, int]:
    """How often each worker was started again."""
    return {str(each["name"]): int(str(each["restarts"])) for each in processes if each["name"] != "envoy"}


def report(gateway: RunningGateway) -> list[dict[str, object]]:
    """The processes as `planoai status --json` shows them."""
    found: list[dict[str, object]] = json.loads(gateway.home.planoai("status", "--json").stdout)["processes"]
    return found


def ready_report(gateway: RunningGateway) -> list[dict[str, object]]:
    """The same, once all are ready."""
    found = report(gateway)
    return found if all(each["phase"] == "ready" for each in found) else []


def test_down_ends_all_of_them(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> None:
    """Nothing is left."""
    gateway = start_gateway(CONFIG.replace("PROVIDER", provider.url))
    processes: list[psutil.Process] = list(gateway.processes().values())
    assert {*WORKERS, "envoy"} == set(gateway.processes())
    assert 0 == gateway.home.planoai("down").returncode
    assert [] == alive(processes)
