"""Every kind of failure, at every position of a chain, as JSON and as a stream, with small and large requests."""

import hashlib
import json
from collections.abc import Callable

import httpx
import pytest

from planoai.simulator import Behaviour, Match, Rule, ThreadedSimulator
from support import RunningGateway

CONFIG = """
version: v0.4.0
listeners:
  - {type: model, name: main, address: 127.0.0.1, port: {port}}
model_providers:
  - model: first/m
    base_url: "PROVIDER"
    access_key: sk-first
    timeouts: {first_token: 400ms}
    retry_policy:
      fallback_models: [second/m, third/m]
      fallback_scope: fallback_list_only
      on_status_codes: [{codes: [401], strategy: different_provider, max_attempts: 3}]
  - {model: second/m, base_url: "PROVIDER", access_key: sk-second, timeouts: {first_token: 400ms}}
  - {model: third/m, base_url: "PROVIDER", access_key: sk-third, timeouts: {first_token: 400ms}}
"""
CHANNELS = ["first/m", "second/m", "third/m"]

QUOTA = {"error": {"message": "Your credit balance is too low to access the API", "type": "insufficient_quota"}}
PAGE = "<!DOCTYPE html><html><body>Bad gateway</body></html>"
NO_CHOICES = {"id": "x", "object": "chat.completion", "choices": []}

#: What fails, and the status that a client gets when every channel fails like this.
KINDS: dict[str, tuple[Behaviour, int]] = {
    "429": (Behaviour(status=429), 429),
    "429-retry-after": (Behaviour(status=429, headers={"retry-after": "5"}), 429),
    "401": (Behaviour(status=401), 401),
    "500": (Behaviour(status=500), 500),
    "503": (Behaviour(status=503), 503),
    "529": (Behaviour(status=529), 529),
    "quota-in-403": (Behaviour(status=403, body=QUOTA), 403),
    "gzip-503": (Behaviour(status=503, gzip=True), 503),
    "reset": (Behaviour(refuse=True), 502),
    "reset-after-headers": (Behaviour(cut_after_bytes=0), 502),
    "cut-in-the-first-bytes": (Behaviour(cut_after_bytes=15), 502),
    "error-in-200": (Behaviour(error_event=True), 502),
    "empty": (Behaviour(empty_stream=True), 502),
    "no-choices": (Behaviour(body=NO_CHOICES), 502),
    "html": (Behaviour(body=PAGE, headers={"content-type": "text/html"}), 502),
}
SIZES = {"1KB": 1_000, "1MB": 1_000_000, "10MB": 10_000_000}


@pytest.fixture(scope="module")
def gateway(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> RunningGateway:
    """Three channels in a chain."""
    return start_gateway(CONFIG.replace("PROVIDER", provider.url))


def request_body(size: int, *, stream: bool) -> bytes:
    """A chat of about so many bytes."""
    words = "All work and no play makes Jack a dull boy. "
    content = words * (size // len(words)) + "Hello!"
    messages = [{"role": "user", "content": content}]
    return json.dumps({"stream": stream, "model": "first/m", "max_tokens": 9, "messages": messages}).encode()


def post(gateway: RunningGateway, body: bytes) -> httpx.Response:
    """Send it."""
    headers = {"content-type": "application/json"}
    return httpx.post(f"{gateway.url}/v1/chat/completions", content=body, headers=headers, timeout=60)


def check_answer(answer: httpx.Response, *, stream: bool) -> None:
    """A whole answer, and only one."""
    assert 200 == answer.status_code, answer.text
    if not stream:
        assert "chat.completion" == answer.json()["object"]
        return
    assert 1 == answer.text.count('"role":"assistant"')
    assert 1 == answer.text.count("data: [DONE]")
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "error" not in answer.text


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("failing", [1, 2, 3], ids=["first", "first-two", "all"])
@pytest.mark.parametrize(("behaviour", "status"), KINDS.values(), ids=KINDS)
def test_failures(
    gateway: RunningGateway,
    provider: ThreadedSimulator,
    behaviour: Behaviour,
    status: int,
    failing: int,
    size: int,
    *,
    stream: bool,
) -> None:
    """The first channel that is well answers, having got the client's bytes; if none is, the client learns why."""
    dead = [channel.partition("/")[0] for channel in CHANNELS[:failing]]
    provider.set_rules([Rule(Match(key=[f"sk-{each}" for each in dead]), [behaviour])])
    body = request_body(size, stream=stream)
    answer = post(gateway, body)
    tried = CHANNELS[: failing + 1]
    received = provider.requests
    assert [f"sk-{channel.partition('/')[0]}" for channel in tried] == [each.key for each in received]
    sent = body.replace(b"first/m", b"m")
    expected = hashlib.sha256(sent).hexdigest()
    digests = [each.body_sha256 or hashlib.sha256(each.body).hexdigest() for each in received]
    assert [expected] * len(tried) == digests
    assert tried == [hop.partition("=")[0] for hop in answer.headers["x-plano-attempts"].split(", ")]
    if failing < len(CHANNELS):
        check_answer(answer, stream=stream)
        return
    assert status == answer.status_code
    if behaviour.status != 200:
        assert "application/json" in answer.headers["content-type"]
    assert answer.json()["error"]["message"]
    if "retry-after" in behaviour.headers:
        assert answer.headers["retry-after"] in ("4", "5")


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("failing", [1, 2, 3], ids=["first", "first-two", "all"])
def test_slowness(
    gateway: RunningGateway, provider: ThreadedSimulator, failing: int, size: int, *, stream: bool
) -> None:
    """A stream without its first token in time is given up for the next channel; the last one may take its time.

    A JSON answer has no first token: its deadlines are connect and idle.
    """
    dead = [channel.partition("/")[0] for channel in CHANNELS[:failing]]
    late = Behaviour(delay_before_first_token_s=0.9)
    provider.set_rules([Rule(Match(key=[f"sk-{each}" for each in dead]), [late])])
    answer = post(gateway, request_body(size, stream=stream))
    check_answer(answer, stream=stream)
    expected = CHANNELS[min(failing, 2)] if stream else "first/m"
    assert expected == answer.headers["x-plano-model"]
