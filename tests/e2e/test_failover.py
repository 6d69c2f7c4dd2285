"""Retry, failover and cool-down with a real Envoy and the official SDK, each as JSON and as a stream.

One gateway; every scenario has channels of its own, told apart at the provider by their keys: `sk-PREFIX`.
"""

import hashlib
import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from planoai.simulator import Behaviour, Match, Rule, ThreadedSimulator
from support import RunningGateway, eventually, free_port

from .seen import Seen, ask

CONFIG = """
version: v0.4.0
listeners:
  - {type: model, name: main, address: 127.0.0.1, port: {port}}
model_providers:
  # first, second and third of a chain; `only` has no policy
  - &channel
    model: first/m
    base_url: "PROVIDER"
    access_key: sk-first
    retry_policy:
      fallback_models: [second/m, third/m]
      fallback_scope: fallback_list_only
      default_max_attempts: 3
  - {model: second/m, base_url: "PROVIDER", access_key: sk-second}
  - {model: third/m, base_url: "PROVIDER", access_key: sk-third}
  - {model: only/m, base_url: "PROVIDER", access_key: sk-only}
  # two attempts, though there are three channels
  - model: two/m
    base_url: "PROVIDER"
    access_key: sk-two
    retry_policy: {fallback_models: [second/m, third/m], fallback_scope: fallback_list_only, default_max_attempts: 2}
  # the same channel again, with back-off
  - model: again/m
    base_url: "PROVIDER"
    access_key: sk-again
    retry_policy:
      default_strategy: same_model
      default_max_attempts: 4
      backoff: {base_ms: 150, max_ms: 400, jitter: false}
      retry_after_handling: {max_retry_after_seconds: 2}
  # a budget for all retries
  - model: hurried/m
    base_url: "PROVIDER"
    access_key: sk-hurried
    retry_policy:
      default_strategy: same_model
      default_max_attempts: 30
      max_retry_duration_ms: 600
      backoff: {base_ms: 200, max_ms: 200, jitter: false}
  # time-outs
  - model: late/m
    base_url: "PROVIDER"
    access_key: sk-late
    timeouts: {first_token: 300ms, idle: 700ms}
    retry_policy:
      fallback_models: [second/m]
      fallback_scope: fallback_list_only
      default_max_attempts: 1
      on_timeout: {strategy: different_provider, max_attempts: 2}
  - model: patient/m
    base_url: "PROVIDER"
    access_key: sk-patient
    timeouts: {first_token: 200ms}
    retry_policy: {fallback_scope: fallback_list_only, default_max_attempts: 3}
  # slow answers
  - model: slow/m
    base_url: "PROVIDER"
    access_key: sk-slow
    retry_policy:
      fallback_models: [second/m]
      fallback_scope: fallback_list_only
      on_high_latency: {threshold_ms: 150, min_triggers: 2, trigger_window_seconds: 60, block_duration_seconds: 60}
  # 401 is retried where a rule says so
  - model: ruled/m
    base_url: "PROVIDER"
    access_key: sk-ruled
    retry_policy:
      fallback_models: [second/m]
      fallback_scope: fallback_list_only
      on_status_codes: [{codes: [401, "420-425"], strategy: different_provider, max_attempts: 2}]
  # two channels with one key, two channels with one prefix
  - model: shared/a
    base_url: "PROVIDER"
    access_key: sk-shared
    retry_policy: {fallback_models: [shared-too/b, second/m], fallback_scope: fallback_list_only}
  - {model: shared-too/b, base_url: "PROVIDER", access_key: sk-shared}
  - model: tied/a
    base_url: "PROVIDER"
    access_key: sk-tied-a
    retry_policy:
      fallback_models: [tied/b, second/m]
      fallback_scope: fallback_list_only
      retry_after_handling: {scope: provider}
  - {model: tied/b, base_url: "PROVIDER", access_key: sk-tied-b}
  - model: brief/m
    base_url: "PROVIDER"
    access_key: sk-brief
    retry_policy:
      fallback_models: [second/m]
      fallback_scope: fallback_list_only
      retry_after_handling: {apply_to: request}
  # nobody there
  - model: refused/m
    base_url: "http://127.0.0.1:CLOSED"
    access_key: sk-refused
    retry_policy: {fallback_models: [second/m], fallback_scope: fallback_list_only}
  - model: nameless/m
    base_url: "http://no-such-host.invalid"
    access_key: sk-nameless
    timeouts: {connect: 2s}
    retry_policy: {fallback_models: [second/m], fallback_scope: fallback_list_only}
  - model: untls/m
    base_url: "https://PLAIN"
    access_key: sk-untls
    retry_policy: {fallback_models: [second/m], fallback_scope: fallback_list_only}
"""

Fail = Callable[..., None]


@pytest.fixture(scope="module")
def gateway(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> RunningGateway:
    """All scenarios at once."""
    plain = provider.url.removeprefix("http://")
    config = CONFIG.replace("PROVIDER", provider.url).replace("CLOSED", str(free_port())).replace("PLAIN", plain)
    return start_gateway(config)


@pytest.fixture(params=[False, True], ids=["json", "sse"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Both kinds of answer."""
    return bool(request.param)


@pytest.fixture
def fail(provider: ThreadedSimulator) -> Fail:
    """Makes channels fail: `fail(first=Behaviour(status=429))`, underscores for dashes."""
    rules: dict[str, Rule] = {}

    def set_(**behaviours: Behaviour | list[Behaviour]) -> None:
        for prefix, each in behaviours.items():
            key = f"sk-{prefix.replace('_', '-')}"
            rules[key] = Rule(Match(key=key), each if isinstance(each, list) else [each])
        provider.set_rules(list(rules.values()))

    return set_


def keys(provider: ThreadedSimulator) -> list[str]:
    """Which key was used at each request so far, without `sk-`."""
    return [(each.key or "").removeprefix("sk-") for each in provider.requests]


def explain(gateway: RunningGateway, request_id: str) -> str:
    """What `planoai explain` says."""
    return gateway.home.planoai("explain", request_id).stdout


def well(seen: Seen, model: str) -> None:
    """A whole answer from this channel, and only one."""
    assert (200, model, "", 1, 1) == (seen.status, seen.model, seen.error, seen.roles, seen.ends), seen
    assert seen.text.endswith("Hello!") or len(seen.text) > 6


# ---------------------------------------------------------------- IT-1 to IT-13


@pytest.mark.parametrize("status", [429, 503, 500, 502, 504, 529, 408], ids=str)
def test_it1_it2_the_next_provider_answers(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, status: int, *, stream: bool
) -> None:
    """IT-1 (429), IT-2 (503), and the others that need no rule: the second channel's answer reaches the client."""
    fail(first=Behaviour(status=status))
    seen = ask(gateway.url, "first/m", stream=stream)
    well(seen, "second/m")
    assert ["first", "second"] == keys(provider)
    assert [("first/m", str(status)), ("second/m", "200")] == seen.hops
    assert ["m", "m"] == [each.model for each in provider.requests], "the bare name at every attempt"


def test_it3_all_fail(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool) -> None:
    """IT-3: every channel fails; the client gets the most useful of the failures in its SDK's exception."""
    fail(
        first=Behaviour(status=500),
        second=Behaviour(status=429, headers={"retry-after": "7"}),
        third=Behaviour(refuse=True),
    )
    seen = ask(gateway.url, "first/m", stream=stream)
    assert (429, "RateLimitError") == (seen.status, seen.error)
    assert ["first", "second", "third"] == keys(provider)
    assert seen.retry_after in ("6", "7")
    assert ["500", "429", "reset"] == [outcome for _, outcome in seen.hops]


def test_it4_no_policy(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool) -> None:
    """IT-4: without a policy the provider's answer passes as it is, after one request."""
    body = {"error": {"message": "mine alone", "type": "odd"}, "more": [1, 2]}
    fail(only=Behaviour(status=503, body=body, headers={"x-own": "kept"}))
    answer = httpx.post(
        f"{gateway.url}/v1/chat/completions", json={"model": "only/m", "stream": stream, "messages": []}
    )
    assert (503, body, "kept", ["only"]) == (answer.status_code, answer.json(), answer.headers["x-own"], keys(provider))


def test_it5_max_attempts(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool) -> None:
    """IT-5: as many requests as `max_attempts`, no more."""
    fail(two=Behaviour(status=503), second=Behaviour(status=503), third=Behaviour(status=503))
    assert 503 == ask(gateway.url, "two/m", stream=stream).status
    assert ["two", "second"] == keys(provider)
    provider.clear()
    gateway.forget_failures()
    fail(again=Behaviour(status=503))
    assert 503 == ask(gateway.url, "again/m", stream=stream).status
    assert ["again"] * 4 == keys(provider)


def test_it6_back_off(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool) -> None:
    """IT-6: before each retry of the same channel a wait that doubles, up to its maximum."""
    fail(again=[Behaviour(status=503, times=3), Behaviour()])
    well(ask(gateway.url, "again/m", stream=stream), "again/m")
    at_s = [each.time_s for each in provider.requests]
    gaps_s = [after - before for before, after in itertools.pairwise(at_s)]
    for gap_s, least_s in zip(gaps_s, [0.15, 0.3, 0.4], strict=True):
        assert least_s - 0.01 <= gap_s, gaps_s


def test_it7_order(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool) -> None:
    """IT-7: the fallbacks in the order of the list."""
    fail(first=Behaviour(status=503), second=Behaviour(status=503))
    well(ask(gateway.url, "first/m", stream=stream), "third/m")
    assert ["first", "second", "third"] == keys(provider)


@pytest.mark.parametrize(
    "form", [{"retry-after": "1"}, {"retry-after": "@http-date+2"}, {"retry-after-ms": "800"}], ids=str
)
def test_it8_retry_after(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, form: dict[str, str], *, stream: bool
) -> None:
    """IT-8: on the same channel the provider's wait is kept, in whatever form it comes."""
    fail(again=[Behaviour(status=429, headers=form), Behaviour()])
    well(ask(gateway.url, "again/m", stream=stream), "again/m")
    first, second = provider.requests
    assert 0.75 <= second.time_s - first.time_s


def test_a_huge_retry_after_is_capped(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool
) -> None:
    """A provider that says "in a year" is asked again after `max_retry_after_seconds`."""
    fail(again=[Behaviour(status=429, headers={"retry-after": "31536000"}), Behaviour()])
    well(ask(gateway.url, "again/m", stream=stream), "again/m")
    first, second = provider.requests
    assert 1.9 <= second.time_s - first.time_s < 10


def test_it9_cool_down(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool) -> None:
    """IT-9: who said Retry-After is not asked by the next request; the one that is asked says nothing of waiting."""
    fail(first=[Behaviour(status=429, headers={"retry-after": "30"}), Behaviour()])
    well(ask(gateway.url, "first/m", stream=stream), "second/m")
    well(ask(gateway.url, "first/m", stream=stream), "second/m")
    assert ["first", "second", "second"] == keys(provider)


def test_a_cool_down_ends(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool) -> None:
    """After the time that the provider named the channel is asked again, and trusted when it answers."""
    fail(first=[Behaviour(status=429, headers={"retry-after-ms": "300"}), Behaviour()])
    well(ask(gateway.url, "first/m", stream=stream), "second/m")
    assert "first/m" == eventually(
        lambda: seen.model if (seen := ask(gateway.url, "first/m", stream=stream)).model == "first/m" else ""
    )
    well(ask(gateway.url, "first/m", stream=stream), "first/m")
    first, *_, tried, trusted = [each for each in provider.requests if each.key == "sk-first"]
    assert 0.3 <= tried.time_s - first.time_s
    assert tried.seq < trusted.seq


@pytest.mark.parametrize(
    "late",
    [
        Behaviour(delay_before_headers_s=5),
        Behaviour(delay_before_first_token_s=5),
        Behaviour(comments=50, comment_interval_s=0.1),
        Behaviour(pings=50, comment_interval_s=0.1),
        Behaviour(delay_before_first_token_s=5, role_delta="early"),
    ],
    ids=["no-headers", "no-token", "comments", "pings", "role-only"],
)
def test_it10_timeout(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, late: Behaviour, *, stream: bool
) -> None:
    """IT-10: no content in time, whatever else arrives, and the rule `on_timeout` leads to the next channel."""
    fail(late=late)
    seen = ask(gateway.url, "late/m", stream=stream)
    if not stream and (late.comments or late.pings):
        well(seen, "late/m")  # nothing of the kind in a JSON answer
        return
    well(seen, "second/m")
    assert [("late/m", "timeout"), ("second/m", "200")] == seen.hops


def test_the_last_candidate_may_be_slow(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool
) -> None:
    """A first-token deadline is never fatal when nobody else is left."""
    fail(patient=Behaviour(delay_before_first_token_s=0.8))
    well(ask(gateway.url, "patient/m", stream=stream), "patient/m")
    assert ["patient"] == keys(provider)


def test_it11_high_latency(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool) -> None:
    """IT-11: slow answers are delivered; after `min_triggers` of them the channel is passed over."""
    fail(slow=Behaviour(delay_before_headers_s=0.25))
    for _ in range(2):
        well(ask(gateway.url, "slow/m", stream=stream), "slow/m")
    well(ask(gateway.url, "slow/m", stream=stream), "second/m")
    assert ["slow", "slow", "second"] == keys(provider)


def test_it12_a_stream_fails_over(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail) -> None:
    """IT-12: a stream that fails before its first content is replaced by another one, from its first event on."""
    for behaviour in (
        Behaviour(status=429),
        Behaviour(error_event=True),
        Behaviour(cut_after_bytes=0),
        Behaviour(empty_stream=True),
    ):
        gateway.forget_failures()
        fail(first=behaviour)
        well(ask(gateway.url, "first/m", stream=True), "second/m")


@pytest.mark.parametrize("size", [1_000, 1_000_000, 5_000_000], ids=["1KB", "1MB", "5MB"])
def test_it13_the_body_is_the_same(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, size: int, *, stream: bool
) -> None:
    """IT-13: each attempt carries the client's bytes, all but the value of `model`."""
    fail(first=Behaviour(status=503), second=Behaviour(status=503))
    messages = json.dumps([{"role": "user", "content": "Grüße, 你好, \\u00e9 " * (size // 20)}], ensure_ascii=False)
    head = f'{{ "unknown":[1,  2.50,null],"stream":{json.dumps(stream)},"model" : "first/m","messages"'
    body = f"{head}:{messages}}}"
    answer = httpx.post(
        f"{gateway.url}/v1/chat/completions",
        content=body.encode(),
        headers={"content-type": "application/json"},
        timeout=60,
    )
    assert (200, "third/m") == (answer.status_code, answer.headers["x-plano-model"])
    expected = hashlib.sha256(body.replace("first/m", "m").encode()).hexdigest()
    assert [expected] * 3 == [each.body_sha256 or hashlib.sha256(each.body).hexdigest() for each in provider.requests]


# ---------------------------------------------------------------- further cases


def test_a_key_that_is_refused(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool
) -> None:
    """401 by a rule: the next channel with its own key; and the refused one is left alone afterwards."""
    fail(ruled=Behaviour(status=401))
    well(ask(gateway.url, "ruled/m", stream=stream), "second/m")
    well(ask(gateway.url, "ruled/m", stream=stream), "second/m")
    assert ["ruled", "second", "second"] == keys(provider)


def test_a_dead_key_cools_every_channel_that_has_it(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool
) -> None:
    """Quota inside a 403: the fallback with the same key is passed over; another model's limit is not the key's."""
    quota = {"error": {"message": "Your credit balance is too low", "type": "insufficient_quota"}}
    fail(shared=Behaviour(status=403, body=quota))
    well(ask(gateway.url, "shared/a", stream=stream), "second/m")
    assert ["shared", "second"] == keys(provider)
    provider.clear()
    gateway.forget_failures()
    fail(shared=[Behaviour(status=429, headers={"retry-after": "9"}), Behaviour()])
    well(ask(gateway.url, "shared/a", stream=stream), "shared-too/b")


def test_retry_after_of_a_provider_or_of_a_request(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool
) -> None:
    """`scope: provider` leaves the whole prefix alone; `apply_to: request` remembers nothing."""
    limited = Behaviour(status=429, headers={"retry-after": "30"})
    fail(tied_a=limited)
    well(ask(gateway.url, "tied/a", stream=stream), "second/m")
    well(ask(gateway.url, "tied/a", stream=stream), "second/m")
    assert ["tied-a", "second", "second"] == keys(provider)
    provider.clear()
    fail(brief=limited)
    for _ in range(2):
        well(ask(gateway.url, "brief/m", stream=stream), "second/m")
    assert ["brief", "second"] * 2 == keys(provider)


@pytest.mark.parametrize(
    ("model", "word"),
    [("refused/m", "refused"), ("nameless/m", "dns"), ("untls/m", "tls")],
    ids=["refused", "dns", "tls"],
)
def test_nobody_there(
    gateway: RunningGateway, provider: ThreadedSimulator, model: str, word: str, *, stream: bool
) -> None:
    """A closed port, a name that does not exist, a provider that speaks no TLS."""
    seen = ask(gateway.url, model, stream=stream)
    well(seen, "second/m")
    assert [(model, word), ("second/m", "200")] == seen.hops


PAGE = "<html><body>502 Bad gateway</body></html>"
QUOTA = {"error": {"message": "insufficient user quota", "code": "insufficient_user_quota"}}
NO_CHANNEL = {"error": {"message": "No available channel for model m under group default", "type": "new_api_error"}}

KINDS: dict[str, tuple[Behaviour, str]] = {
    "reset-at-once": (Behaviour(refuse=True), "reset"),
    "reset-after-headers": (Behaviour(cut_after_bytes=0), "reset"),
    "cut-in-the-first-bytes": (Behaviour(cut_after_bytes=20), "reset"),
    "gzip-error": (Behaviour(status=500, gzip=True), "500"),
    "error-in-200": (Behaviour(error_event=True), "overloaded"),
    "error-after-role": (Behaviour(error_event=True, role_delta="early"), "overloaded"),
    "unknown-error-in-200": (Behaviour(error_body_in_200={"error": {"message": "Oh", "type": "odd"}}), "error_in_200"),
    "empty": (Behaviour(empty_stream=True), "empty"),
    "html": (Behaviour(body=PAGE, headers={"content-type": "text/html"}), "html"),
    "no-choices": (Behaviour(body={"id": "x", "object": "chat.completion", "choices": []}), "empty"),
    "quota-in-400": (Behaviour(status=400, body=QUOTA), "400"),
    "no-channel-in-group": (Behaviour(status=403, body=NO_CHANNEL), "403"),
}  # fmt: skip


@pytest.mark.parametrize(("behaviour", "word"), KINDS.values(), ids=KINDS)
def test_everything_that_is_no_answer(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, behaviour: Behaviour, word: str, *, stream: bool
) -> None:
    """Whatever a dead channel does, the client gets the answer of the next one."""
    fail(first=behaviour)
    seen = ask(gateway.url, "first/m", stream=stream)
    well(seen, "second/m")
    assert "first/m" == seen.hops[0][0]
    assert word == seen.hops[0][1]


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422], ids=str)
def test_a_callers_mistake_burns_no_channel(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, status: int, *, stream: bool
) -> None:
    """It passes as it is, nobody else is asked, and the next request goes to the same channel."""
    fail(first=[Behaviour(status=status, body={"error": {"message": "This cannot be done"}}), Behaviour()])
    assert status == ask(gateway.url, "first/m", stream=stream).status
    well(ask(gateway.url, "first/m", stream=stream), "first/m")
    assert ["first", "first"] == keys(provider)


def test_a_budget_for_retries(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool
) -> None:
    """`max_retry_duration_ms`: waits of 200 ms, 600 ms from the first retry on: about four retries, not thirty."""
    fail(hurried=Behaviour(status=503))
    assert 503 == ask(gateway.url, "hurried/m", stream=stream).status
    assert 2 <= len(provider.requests) <= 5


def test_a_client_that_leaves_stops_the_chain(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool
) -> None:
    """In a back-off of the gateway nobody is asked any more once the client is gone."""
    fail(again=Behaviour(status=429, headers={"retry-after": "2"}))
    body = {"model": "again/m", "messages": [], "stream": stream}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=0.6)
    assert ["again"] == keys(provider)
    eventually(lambda: "closed before its end" in gateway.brightstaff_log())
    pause = threading.Event()
    pause.wait(2.2)
    assert ["again"] == keys(provider)


def test_many_at_once(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool) -> None:
    """Twenty requests that meet the failure together all get their answer; the cool-down is one, not twenty fold."""
    fail(first=Behaviour(status=503, delay_before_headers_s=0.2))
    with ThreadPoolExecutor(20) as pool:
        seen = list(pool.map(lambda _: ask(gateway.url, "first/m", stream=stream), range(20)))
    for each in seen:
        well(each, "second/m" if len(each.hops) > 1 or each.model == "second/m" else "first/m")
    fail(first=Behaviour())
    # One failure in a row, so a cool-down of a second: soon the channel is asked again.
    eventually(lambda: ask(gateway.url, "first/m", stream=stream).model == "first/m", timeout_s=6)


@pytest.mark.parametrize(
    ("headers", "calls"),
    [({"x_plano_fallback": "off"}, ["first"]), ({"x_plano_max_attempts": "2"}, ["first", "second"])],
    ids=["fallback-off", "max-attempts"],
)
def test_the_callers_limits(
    gateway: RunningGateway,
    provider: ThreadedSimulator,
    fail: Fail,
    headers: dict[str, str],
    calls: list[str],
    *,
    stream: bool,
) -> None:
    """A caller may want less than the policy allows; `off` also goes to a channel that cools down."""
    fail(first=Behaviour(status=503), second=Behaviour(status=503))
    assert 503 == ask(gateway.url, "first/m", stream=stream, **headers).status
    assert calls == keys(provider)
    provider.clear()
    if "x_plano_fallback" in headers:
        assert 503 == ask(gateway.url, "first/m", stream=stream, **headers).status
        assert ["first"] == keys(provider)


def test_the_callers_time(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool) -> None:
    """`x-plano-timeout-ms`: a 504 in time; it is not held against the channel."""
    fail(first=[Behaviour(delay_before_headers_s=3), Behaviour()])
    assert 504 == ask(gateway.url, "first/m", stream=stream, x_plano_timeout_ms="300").status
    well(ask(gateway.url, "first/m", stream=stream), "first/m")


def test_exhausted_with_cool_downs(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, *, stream: bool
) -> None:
    """When all cool down the one that is free first is tried; the client learns the smallest wait of all."""
    fail(
        first=Behaviour(status=429, headers={"retry-after": "40"}),
        second=[Behaviour(status=429, headers={"retry-after": "20"}), Behaviour()],
        third=Behaviour(status=429, headers={"retry-after": "30"}),
    )
    seen = ask(gateway.url, "first/m", stream=stream)
    assert (429, "20") == (seen.status, seen.retry_after)
    well(ask(gateway.url, "first/m", stream=stream), "second/m")
    assert ["first", "second", "third", "second"] == keys(provider)


@pytest.mark.parametrize("cut_with", ["close", "reset"])
def test_a_connection_that_breaks_after_content(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, cut_with: str
) -> None:
    """After content is out: no switch, no splice, no `[DONE]` that nobody sent, but an error event. It counts."""
    fail(first=Behaviour(chunks=6, delay_between_tokens_s=0.05, cut_after_chunks=3, cut_with=cut_with))
    seen = ask(gateway.url, "first/m", stream=True)
    assert (200, "first/m", 1, 0) == (seen.status, seen.model, seen.roles, seen.ends)
    assert "APIError: The answer broke off in the middle." in seen.error
    assert ["first"] == keys(provider)
    said = f"request_id={seen.request_id} first/m"
    eventually(lambda: said in gateway.brightstaff_log())
    well(ask(gateway.url, "first/m", stream=True), "second/m")
    story = eventually(lambda: told if "broke off" in (told := explain(gateway, seen.request_id)) else "")
    assert "first/m" in story


def test_a_stream_without_its_end(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail) -> None:
    """The provider ends its stream properly, but in the middle of the answer: one error event, and it counts."""
    event = 'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"half"}}]}'
    fail(
        first=Behaviour(
            body=f"{event}\n\n" * 3, headers={"content-type": "text/event-stream"}, split=60, split_interval_s=0.05
        )
    )
    seen = ask(gateway.url, "first/m", stream=True)
    assert "broke off in the middle of its answer" in seen.error
    assert seen.text.startswith("half")
    well(ask(gateway.url, "first/m", stream=True), "second/m")


def test_an_error_event_after_content(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail) -> None:
    """The provider's own error event reaches the client as it is, and counts against the channel."""
    fail(first=Behaviour(chunks=6, delay_between_tokens_s=0.02, error_event=True, error_event_at=3))
    seen = ask(gateway.url, "first/m", stream=True)
    assert seen.error.startswith("APIError")
    well(ask(gateway.url, "first/m", stream=True), "second/m")


def test_a_stall_in_the_middle(gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail) -> None:
    """A stream that falls silent ends with an error event after `timeouts.idle`, and counts."""
    fail(late=Behaviour(chunks=6, stall_after_chunks=3))
    seen = ask(gateway.url, "late/m", stream=True)
    assert "fell silent" in seen.error
    well(ask(gateway.url, "late/m", stream=True), "second/m")


@pytest.mark.parametrize("kind", ["cool-down", "slowness"])
def test_what_is_known_survives_a_restart_of_brightstaff(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail, kind: str
) -> None:
    """Killed with SIGKILL and started again, brightstaff still passes the channel over."""
    if kind == "cool-down":
        model = "first/m"
        fail(first=[Behaviour(status=429, headers={"retry-after": "60"}), Behaviour()])
        ask(gateway.url, model, stream=False)
    else:
        model = "slow/m"
        fail(slow=[Behaviour(delay_before_headers_s=0.25, times=2), Behaviour()])
        for _ in range(2):
            ask(gateway.url, model, stream=False)
    before = gateway.processes()["brightstaff"]
    before.kill()
    # Nothing is lost meanwhile: the request waits until brightstaff is back.
    well(ask(gateway.url, model, stream=False), "second/m")
    assert before.pid != gateway.processes()["brightstaff"].pid


def test_brightstaff_dies_in_the_middle_of_a_stream(
    gateway: RunningGateway, provider: ThreadedSimulator, fail: Fail
) -> None:
    """Killed with SIGKILL: the stream ends with an error event, cleanly, and the next request is answered."""
    fail(only=Behaviour(chunks=200, delay_between_tokens_s=0.05))
    body = {"model": "only/m", "stream": True, "messages": []}
    with httpx.stream("POST", f"{gateway.url}/v1/chat/completions", json=body, timeout=30) as answer:
        parts = answer.iter_text()
        text = next(parts)
        gateway.processes()["brightstaff"].kill()
        text += "".join(parts)
    last = json.loads(text.rstrip().rpartition("data: ")[2])
    assert (200, "answer_cut_short") == (answer.status_code, last["error"]["code"])
    assert "[DONE]" not in text
    fail(only=Behaviour())
    well(ask(gateway.url, "only/m", stream=True), "only/m")
