"""From a request that went elsewhere to the reason, and back: status, explain and recover beside a real gateway."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planoai.simulator import Behaviour, Match, Rule, ThreadedSimulator
from support import RunningGateway, eventually

from .seen import Seen, ask

CONFIG = """
version: v0.4.0
listeners:
  - {type: model, name: main, address: 127.0.0.1, port: {port}}
model_providers:
  - model: first/m
    base_url: "PROVIDER"
    access_key: $FIRST_KEY
    default: true
    retry_policy: {fallback_models: [second/m], fallback_scope: fallback_list_only}
  - {model: second/m, base_url: "PROVIDER", access_key: sk-literal-0002}
  - model: shared/a
    base_url: "PROVIDER"
    access_key: $SHARED_KEY
    retry_policy: {fallback_models: [second/m], fallback_scope: fallback_list_only}
  - {model: shared-too/b, base_url: "PROVIDER", access_key: $SHARED_KEY}
  - model: wild/*
    base_url: "PROVIDER"
    access_key: $WILD_KEY
    retry_policy: {fallback_models: [second/m], fallback_scope: fallback_list_only}
"""

KEYS = {"FIRST_KEY": "sk-first-0001", "SHARED_KEY": "sk-shared-0003", "WILD_KEY": "sk-wild-0004"}
SECRETS = [*KEYS.values(), "sk-literal-0002"]

QUOTA = {"error": {"message": "insufficient user quota", "code": "insufficient_user_quota"}}
LIMITED = Behaviour(status=429, headers={"retry-after": "60"}, times=1)


@pytest.fixture(scope="module")
def gateway(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> RunningGateway:
    """Three kinds of keys: of one channel, of two, literal."""
    dotenv = "".join(f"{name}={key}\n" for name, key in KEYS.items())
    return start_gateway(CONFIG.replace("PROVIDER", provider.url), dotenv)


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def planoai(gateway: RunningGateway) -> Run:
    """Runs commands beside the gateway; none of them ever shows a key."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = gateway.home.planoai(*arguments)
        assert [] == [key for key in SECRETS if key in done.stdout + done.stderr]
        return done

    return run


def fail_once(provider: ThreadedSimulator, key: str, behaviour: Behaviour) -> None:
    """The next request with this key fails, those after it are answered."""
    provider.set_rules([Rule(Match(key=key), [behaviour, Behaviour()])])


def served_by(gateway: RunningGateway, model: str, channel: str) -> Seen:
    """One request, answered by this channel."""
    seen = ask(gateway.url, model, stream=False)
    assert (200, channel) == (seen.status, seen.model)
    return seen


def health(planoai: Run, name: str) -> dict[str, Any]:
    """What `status --json` says of a channel."""
    channels = json.loads(planoai("status", "--json").stdout)["channels"]
    found: dict[str, Any] = next(each["health"] for each in channels if each["name"] == name)
    return found


def explained(planoai: Run, request_id: str) -> str:
    """The story of a request, once it is in the log."""
    return eventually(lambda: done.stdout if (done := planoai("explain", request_id)).returncode == 0 else "")


def test_from_the_symptom_to_the_repair(gateway: RunningGateway, provider: ThreadedSimulator, planoai: Run) -> None:
    """A cool-down is in the status, the request's story tells it, and recover ends it."""
    fail_once(provider, KEYS["FIRST_KEY"], LIMITED)
    seen = served_by(gateway, "first/m", "second/m")

    eventually(lambda: health(planoai, "first/m")["traffic"]["attempts"])
    first = health(planoai, "first/m")
    assert "cools_down" == first["state"]
    assert 0 < first["left_s"] <= 60
    assert ("429", seen.request_id) == (first["last_error"]["cause"], first["last_error"]["request_id"])
    assert (1, 0) == (first["traffic"]["attempts"], first["traffic"]["answered"])
    shown = planoai("status").stdout
    assert re.search(r"\n  first/m +cools down, \d\d s left +1 attempt, 0 % ok\n", shown)
    assert re.search(r"\n      after 429 \(says the provider\); last error: 429, (\d+ s ago|just now)\n", shown)
    assert re.search(r"\n  shared/a +well +no requests\n", shown)

    story = explained(planoai, seen.request_id)
    assert story.startswith(f"Request {seen.request_id} at ")
    assert "\nAsked for first/m.\n1. first/m answered 429 after " in story
    assert "(rate limit; come back in 60 s). It is left alone for 60 s.\n2. second/m answered 200 after " in story
    assert story.endswith(".\nAnswered by second/m.\n")

    passed_over = served_by(gateway, "first/m", "second/m")
    story = explained(planoai, passed_over.request_id[:13])
    assert re.search(r"\nfirst/m was passed over: it cools down after 429, \d\d s left\.\n1\. second/m answered", story)

    lifted = planoai("recover", "first/m")
    assert 0 == lifted.returncode
    assert re.search(r"✓ Lifted:\n  channel first/m: cools down, \d\d s left, after 429\n$", lifted.stdout)
    served_by(gateway, "first/m", "first/m")
    assert "well" == health(planoai, "first/m")["state"]
    assert "Nothing was held against any channel.\n" == planoai("recover").stdout


def test_a_key_that_is_used_up(gateway: RunningGateway, provider: ThreadedSimulator, planoai: Run) -> None:
    """Every channel with that key says so, by the key's name; recovering one of them recovers the key."""
    fail_once(provider, KEYS["SHARED_KEY"], Behaviour(status=403, body=QUOTA, times=1))
    seen = served_by(gateway, "shared/a", "second/m")

    for name in ("shared/a", "shared-too/b"):
        assert re.fullmatch(r"cools down, \d+ s left, key \$SHARED_KEY: quota", health(planoai, name)["state_words"])
    told = explained(planoai, seen.request_id)
    assert "(its account is out of credit or quota). Its key, with every channel that has it, is left alone for" in told
    assert "  key $SHARED_KEY: cools down, " in planoai("recover", "shared-too/b").stdout
    served_by(gateway, "shared/a", "shared/a")


def test_a_model_of_a_wildcard_channel(gateway: RunningGateway, provider: ThreadedSimulator, planoai: Run) -> None:
    """It stands under its channel, and can be recovered by its name; others of the channel are not concerned."""
    fail_once(provider, KEYS["WILD_KEY"], Behaviour(status=429, headers={"retry-after": "60"}, times=1))
    served_by(gateway, "wild/one", "second/m")
    served_by(gateway, "wild/two", "wild/two")

    eventually(lambda: len(health(planoai, "wild/*")["expansions"]) == 2)
    states = {each["name"]: each["state"] for each in health(planoai, "wild/*")["expansions"]}
    assert {"wild/one": "cools_down", "wild/two": "well"} == states
    assert re.search(r"\n  wild/\* +well .*\n    wild/one +cools down, ", planoai("status").stdout)
    assert "  channel wild/one: " in planoai("recover", "wild/one").stdout
    served_by(gateway, "wild/one", "wild/one")


def test_the_last_requests(gateway: RunningGateway, provider: ThreadedSimulator, planoai: Run) -> None:
    """In one line each, the newest last; with --failed only what was no plain success."""
    fail_once(provider, KEYS["FIRST_KEY"], LIMITED)
    failed = served_by(gateway, "first/m", "second/m").request_id
    well = served_by(gateway, "first/m", "second/m").request_id
    explained(planoai, well)

    before, last = planoai("explain", "--last", "2").stdout.splitlines()
    assert failed[:8] in before
    assert before.endswith("first/m 429, second/m 200")
    assert well[:8] in last
    assert planoai("explain").stdout.startswith(f"Request {well} at ")
    assert planoai("explain", "--failed").stdout.startswith(f"Request {failed} at ")
    assert failed == json.loads(planoai("explain", "--last", "1", "--failed", "--json").stdout)[0]["id"]


def test_what_does_not_exist(planoai: Run) -> None:
    """Errors say what there is."""
    unknown = planoai("explain", "00000000-0000")
    assert 1 == unknown.returncode
    assert "decisions.jsonl" in unknown.stderr
    assert "within half a second" in unknown.stderr
    channel = planoai("recover", "first/n")
    assert 2 == channel.returncode
    assert "There is no channel first/n." in channel.stderr
    assert "    wild/*\n" in channel.stderr


def test_no_key_is_written(gateway: RunningGateway) -> None:
    """After all that: in no file of the run directory, the ledger, its journal and the log of decisions among them."""
    run: Path = gateway.home.root / ".plano" / "run"
    files = [each for each in run.rglob("*") if each.is_file()]
    assert {"channels.sqlite", "decisions.jsonl"} <= {each.name for each in files}
    for each in files:
        content = each.read_bytes()
        assert [] == [key for key in SECRETS if key.encode() in content], each
