"""brightstaff.retry_after: when a provider that refused says it may be asked again."""

import json
import math
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from brightstaff.retry_after import retry_after_s

#: 2026-04-01T12:00:00Z, a Wednesday.
NOW = 1775044800.0

RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"


def of_headers(**headers: str) -> float | None:
    """The hint of headers alone; underscores stand for hyphens."""
    return retry_after_s({name.replace("_", "-"): value for name, value in headers.items()}, b"", NOW)


def of_body(body: Any) -> float | None:
    """The hint of a body alone, given as JSON."""
    return retry_after_s({}, json.dumps(body).encode(), NOW)


def of_message(message: str) -> float | None:
    """The hint of an error's message."""
    return of_body({"error": {"message": message, "type": "rate_limit_error", "code": 429}})


# --- Retry-After ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "delay_s"),
    [
        ("0", 0.0),
        ("2", 2.0),
        (" 120 ", 120.0),
        ("0.5", 0.5),
        ("Wed, 01 Apr 2026 12:00:30 GMT", 30.0),
        ("Wednesday, 01-Apr-26 12:00:30 GMT", 30.0),
        ("Wed Apr  1 12:00:30 2026", 30.0),
        ("Wed, 01 Apr 2026 14:00:30 +0200", 30.0),
        ("Wed, 01 Apr 2026 11:59:59 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("2026-04-01T12:01:00Z", 60.0),
        ("1775044860", 60.0),
        ("1775044860000", 60.0),
        ("30s", 30.0),
        ("1m30s", 90.0),
        ("99999999", 99999999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, delay_s: float) -> None:
    """Every form of RFC 9110, and what else is seen in that header; an instant that has passed is 0."""
    assert delay_s == of_headers(retry_after=value)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            "-1",
            "nan",
            "inf",
            "-inf",
            "1e999",
            "soon",
            "GMT",
            "5 apples",
            "1s2",
            "9" * 400,
            "9" * 30,
            "1" * 10**5,
        ),
        *("Wed, 32 Apr 2026 12:00:30 GMT", "Wed, 01 Abc 2026 12:00:30 GMT"),
        *("Wed, 01 Apr 2026 12:00:60 GMT", "Mon, 01 Jan 9999 00:00:00 -9999", "1 1 1", "\ud800"),
        *("2026-04-01T12:01:00", "2026-13-01T12:01:00Z"),
    ],
)
def test_a_retry_after_that_says_nothing_is_none(value: str) -> None:
    """A broken value, and a time without a zone, are no hint."""
    assert of_headers(retry_after=value) is None


def test_milliseconds_go_before_seconds() -> None:
    """Azure sends both; the finer one counts, unless it is broken."""
    assert of_headers(retry_after_ms="1250", retry_after="2") == 1.25
    assert of_headers(retry_after_ms="87.5") == 0.0875
    assert of_headers(retry_after_ms="oops", retry_after="2") == 2.0
    assert of_headers(retry_after_ms="-1", retry_after="2") == 2.0
    assert of_headers(retry_after_ms="inf", retry_after="2") == 2.0
    assert of_headers(retry_after_ms="nan") is None


def test_retry_after_goes_before_resets_and_the_body() -> None:
    """What is meant for this very request counts more than what describes a limit."""
    headers = {
        "retry-after": "3",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1h0m0s",
    }
    assert retry_after_s(headers, b'{"error":{"message":"Please try again in 6.2s"}}', NOW) == 3.0


# --- x-ratelimit-* ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reset", "delay_s"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("537µs", 0.000537),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("12", 12.0),
        ("33011.382867", 33011.382867),
        ("1775044805", 5.0),
        ("1775044805000", 5.0),
        ("1775044805000000", 5.0),
        ("1775044805000000000", 5.0),
        ("2026-04-01T12:00:05Z", 5.0),
        ("2026-04-01T20:00:05.5+08:00", 5.5),
        ("1775044000", 0.0),
    ],
)
def test_a_reset_is_a_duration_or_an_instant(reset: str, delay_s: float) -> None:
    """OpenAI's durations, seconds, and instants in every unit since 1970 or in RFC 3339."""
    assert of_headers(x_ratelimit_remaining_tokens="0", x_ratelimit_reset_tokens=reset) == pytest.approx(delay_s)


def test_openai_the_exhausted_dimension_counts() -> None:
    """Tokens are used up, requests are not: the reset of the tokens, though that of the requests is sooner or later."""
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert retry_after_s(headers, b"", NOW) == 360.0
    swapped = {**headers, "x-ratelimit-remaining-requests": "0", "x-ratelimit-remaining-tokens": "149984"}
    assert retry_after_s(swapped, b"", NOW) == 1.0


def test_of_several_exhausted_dimensions_the_latest_counts() -> None:
    """Before the last of them is free the provider refuses again."""
    assert (
        of_headers(
            x_ratelimit_remaining_requests="0",
            x_ratelimit_remaining_tokens="0",
            x_ratelimit_reset_requests="1s",
            x_ratelimit_reset_tokens="6m0s",
        )
        == 360.0
    )


@pytest.mark.parametrize("remaining", ["1", "-1", "", "unknown", "nan"])
def test_resets_of_a_dimension_with_something_left_are_ignored(remaining: str) -> None:
    """Also Azure's -1 with a reset of 0, which says that it does not know."""
    assert of_headers(x_ratelimit_remaining_tokens=remaining, x_ratelimit_reset_tokens="0") is None
    assert of_headers(x_ratelimit_reset_tokens="5s") is None


def test_groq_a_refusal_for_tokens() -> None:
    """`retry-after` counts; without it, the tokens' reset."""
    headers = {
        "retry-after": "2",
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-limit-tokens": "18000",
        "x-ratelimit-remaining-requests": "14370",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-requests": "2m59.56s",
        "x-ratelimit-reset-tokens": "7.66s",
    }
    assert retry_after_s(headers, b"", NOW) == 2.0
    del headers["retry-after"]
    assert retry_after_s(headers, b"", NOW) == 7.66


def test_the_generic_reset() -> None:
    """OpenRouter's milliseconds since 1970; a relative reset goes before an absolute one."""
    assert of_headers(x_ratelimit_remaining="0", x_ratelimit_reset="1775044830000") == 30.0
    both = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1775044830", "x_ratelimit_reset_after": "28.5"}
    assert of_headers(**both) == 28.5
    assert of_headers(**{**both, "x_ratelimit_reset_after": "?"}) == 30.0
    assert of_headers(**{**both, "x_ratelimit_remaining": "4"}) is None


@pytest.mark.parametrize(
    ("headers", "delay_s"),
    [
        ({"ratelimit-remaining": "0", "ratelimit-reset": "50"}, 50.0),
        ({"ratelimit": '"default";r=0;t=50'}, 50.0),
        ({"ratelimit": '"minute";r=0;t=50, "day"; r=0; t=9000, "month";r=5;t=90000'}, 9000.0),
        ({"ratelimit": '"default";r=01;t=50'}, None),
        ({"ratelimit": '"default";r=7;t=50'}, None),
        ({"ratelimit": '"default";r=0'}, None),
        ({"x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "21.4"}, 21.4),
    ],
)
def test_other_families_of_rate_limit_headers(headers: dict[str, str], delay_s: float | None) -> None:
    """The drafts of the IETF, old and new, and dimensions per window."""
    assert delay_s == retry_after_s(headers, b"", NOW)


# --- Anthropic and Codex ----------------------------------------------------------------------------------------------


def test_anthropic_the_exhausted_dimension_counts() -> None:
    """Output tokens are used up; the others' resets are later and do not matter."""
    headers = {
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-04-01T12:30:00Z",
        "anthropic-ratelimit-tokens-remaining": "30000",
        "anthropic-ratelimit-tokens-reset": "2026-04-01T12:40:00Z",
        "anthropic-ratelimit-input-tokens-remaining": "30000",
        "anthropic-ratelimit-input-tokens-reset": "2026-04-01T12:50:00Z",
        "anthropic-ratelimit-output-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-reset": "2026-04-01T12:00:42Z",
    }
    assert retry_after_s(headers, b"", NOW) == 42.0
    assert retry_after_s({**headers, "anthropic-ratelimit-requests-remaining": "0"}, b"", NOW) == 1800.0
    assert retry_after_s({**headers, "anthropic-ratelimit-output-tokens-remaining": "8000"}, b"", NOW) is None


#: A Claude subscription; `overage` is rejected on every answer of an account that may not overdraw.
UNIFIED = {
    "anthropic-ratelimit-unified-5h-reset": str(int(NOW) + 3600),
    "anthropic-ratelimit-unified-5h-utilization": "1.0",
    "anthropic-ratelimit-unified-7d-reset": str(int(NOW) + 90000),
    "anthropic-ratelimit-unified-7d-utilization": "0.7",
    "anthropic-ratelimit-unified-7d_oi-reset": str(int(NOW) + 70000),
    "anthropic-ratelimit-unified-overage-status": "rejected",
    "anthropic-ratelimit-unified-overage-disabled-reason": "org_level_disabled",
    "anthropic-ratelimit-unified-overage-reset": str(int(NOW) + 2000000),
    "anthropic-ratelimit-unified-fallback-percentage": "0.5",
}


@pytest.mark.parametrize(
    ("said", "delay_s"),
    [
        ({"status": "rejected", "reset": str(int(NOW) + 60)}, 60.0),
        ({"status": "rejected", "5h-status": "rejected", "7d-status": "allowed", "reset": "1"}, 3600.0),
        ({"status": "rejected", "5h-status": "rejected", "7d-status": "rejected"}, 90000.0),
        ({"5h-status": "rejected", "7d-status": "allowed_warning"}, 3600.0),
        ({"status": "rejected", "representative-claim": "five_hour", "reset": "1"}, 3600.0),
        ({"status": "rejected", "representative-claim": "seven_day"}, 90000.0),
        ({"status": "rejected", "representative-claim": "seven_day_overage_included"}, 70000.0),
        ({"status": "rejected", "representative-claim": "five_hour", "7d-status": "rejected"}, 90000.0),
        (
            {
                "status": "rejected",
                "representative-claim": "seven_day",
                "7d-status": "allowed",
                "5h-status": "rejected",
            },
            3600.0,
        ),
        ({"status": "rejected", "representative-claim": "unheard_of", "reset": str(int(NOW) + 60)}, 60.0),
        ({"status": "rejected"}, None),
        ({"status": "allowed", "5h-status": "rejected"}, None),
        ({"status": "allowed_warning", "reset": str(int(NOW) + 60)}, None),
        ({}, None),
    ],
)
def test_claude_subscription_the_rejecting_window_counts(said: dict[str, str], delay_s: float | None) -> None:
    """The windows that reject, the claim where none is marked, the common reset where neither is known."""
    headers = UNIFIED | {f"anthropic-ratelimit-unified-{name}": value for name, value in said.items()}
    assert delay_s == retry_after_s(headers, b"", NOW)


def test_codex_the_used_up_window_counts() -> None:
    """The 5 hours are used up, the week is not."""
    headers = {
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-reset-after-seconds": "13873",
        "x-codex-secondary-used-percent": "80",
        "x-codex-secondary-reset-after-seconds": "316705",
    }
    assert retry_after_s(headers, b"", NOW) == 13873.0
    assert retry_after_s({**headers, "x-codex-primary-used-percent": "99"}, b"", NOW) is None


# --- Bodies -----------------------------------------------------------------------------------------------------------

GEMINI = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota, please check your plan and billing details. "
        "* Quota exceeded for metric: generate_content_free_tier_requests, limit: 20, model: gemini-3-flash\n"
        "Please retry in 34.074824224s.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaValue": "20"}]},
            {"@type": "type.googleapis.com/google.rpc.Help", "links": [{"description": "Learn more"}]},
            {"@type": RETRY_INFO, "retryDelay": "34.07s"},
        ],
    }
}


@pytest.mark.parametrize(
    "body",
    [
        GEMINI,
        [GEMINI],
        {"error": {"message": json.dumps(GEMINI, indent=2), "code": 429, "status": "Too Many Requests"}},
        {"error": {"message": json.dumps({"error": {"message": json.dumps(GEMINI)}}), "type": "upstream_error"}},
        {"error": {"message": f"upstream said 429: {json.dumps(GEMINI['error']['details'])}"}},
    ],
)
def test_gemini_says_it_in_the_body(body: Any) -> None:
    """As Gemini's own endpoint does, its OpenAI endpoint (a list), and aggregators that quote it as a string."""
    assert of_body(body) == 34.07


def test_gemini_code_assist() -> None:
    """RetryInfo goes before the other fields, those before the message."""
    message = "Individual quota reached. Please upgrade your subscription. Resets in 9h22m20s."
    metadata = {"quotaResetDelay": "33740.5s", "quotaResetTimeStamp": "2026-04-01T12:00:05Z"}
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "QUOTA_EXHAUSTED", "metadata": metadata}
    retry_info = {"@type": RETRY_INFO, "retryDelay": "33740.910400305s"}
    assert of_body({"error": {"message": message, "details": [info, retry_info]}}) == 33740.910400305
    assert of_body({"error": {"message": message, "details": [info]}}) == 33740.5
    assert of_body({"error": {"message": message, "details": []}}) == 33740.0
    assert of_body({"error": {"message": "?", "details": [{"@type": RETRY_INFO, "retryDelay": None}]}}) is None


def test_openrouter_quotes_headers_in_the_body() -> None:
    """Milliseconds since 1970, of the limit of which nothing is left."""
    quoted = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1775088000000"}
    message = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day"
    body = {
        "error": {"message": message, "code": 429, "metadata": {"headers": quoted, "provider_name": None}},
        "user_id": "u",
    }
    assert of_body(body) == 43200.0
    quoted["X-RateLimit-Remaining"] = "1"
    assert of_body(body) is None


def test_openrouter_quotes_the_provider() -> None:
    """The provider's own words are in `metadata.raw`."""
    raw = json.dumps({"error": {"message": "Rate limit reached for gpt-5. Please try again in 1.2s."}})
    body = {"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": raw}}}
    assert of_body(body) == 1.2


def test_codex_says_it_in_the_body() -> None:
    """Seconds go before the instant, which depends on two clocks."""
    error = {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": int(NOW) + 13872,
        "resets_in_seconds": 13870,
    }
    assert of_body({"error": error}) == 13870.0
    del error["resets_in_seconds"]
    assert of_body({"error": error}) == 13872.0


NO_VALUES: tuple[Any, ...] = (None, True, -1, "", "soon", [], {}, 10**30, "9" * 400)


@pytest.mark.parametrize(
    ("fields", "delay_s"),
    [
        ({"retry_after": 12}, 12.0),
        ({"retry_after": 1.5}, 1.5),
        ({"retry_after": "12"}, 12.0),
        ({"retry_after": "12s"}, 12.0),
        ({"retryAfter": 12}, 12.0),
        ({"Retry-After": "Wed, 01 Apr 2026 12:00:12 GMT"}, 12.0),
        ({"retry_after_seconds": 12}, 12.0),
        ({"retry_after_ms": 1500}, 1.5),
        ({"retryAfterMs": "1500"}, 1.5),
        ({"retry_after_ms": "120ms"}, 0.12),
        ({"reset_seconds": 12}, 12.0),
        ({"resets_in_seconds": 12}, 12.0),
        ({"reset_at": int(NOW) + 12}, 12.0),
        ({"reset_at": (int(NOW) + 12) * 1000}, 12.0),
        ({"resets_at": "2026-04-01T12:00:12Z"}, 12.0),
        ({"reset_at": int(NOW) - 12}, 0.0),
        ({"retry_after": 12, "retry_after_ms": 12500, "reset_at": int(NOW) + 99}, 12.5),
        ({"retry_after": None, "reset_at": int(NOW) + 99}, 99.0),
        *(({"retry_after": value}, None) for value in NO_VALUES),
    ],
)
def test_fields_of_the_error_object(fields: dict[str, Any], delay_s: float | None) -> None:
    """In the error, beside it, or in what aggregators wrap around it."""
    assert delay_s == of_body({"error": {"message": "no", **fields}})
    assert delay_s == of_body({"error": "no", **fields})
    assert delay_s == of_body({"detail": [{"msg": "no", **fields}]})
    assert delay_s == of_body({"type": "response.failed", "response": {"error": fields}})


@pytest.mark.parametrize(
    ("message", "delay_s"),
    [
        # OpenAI
        (
            "Rate limit reached for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, "
            "Requested 4100. Please try again in 6.2s. Visit https://platform.openai.com/account/rate-limits.",
            6.2,
        ),
        ("Limit: 3 / min. Please try again in 20s. Contact us through our help center if you continue.", 20.0),
        ("Please try again in 120ms. Visit", 0.12),
        # Groq
        ("on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s.", 578.016),
        ("try again in 1m3.5s", 63.5),
        # Azure
        (
            "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded "
            "token rate limit of your current AIServices S0 pricing tier. Please retry after 37 seconds. Please "
            "contact Azure support service.",
            37.0,
        ),
        ("Please retry after 1 second.", 1.0),
        # Gemini
        ("Please retry in 12.3s.", 12.3),
        ("You have exhausted your capacity on this model. Your quota will reset after 120h45m2s.", 434702.0),
        ("429 You exceeded your quota. [violations { }, retry_delay {\n  seconds: 58\n}\n]", 58.0),
        # Codex, Claude, GitHub, others
        ("You've hit your usage limit. Upgrade to Pro or try again in 4 days 20 hours 9 minutes.", 418140.0),
        ("try again in 5 days 22 hours 11\nminutes.", 511860.0),
        ("Claude AI usage limit reached|1775048400", 3600.0),
        (
            "You have reached your specified API usage limits. You will regain access on 2026-04-02 at 00:00 UTC.",
            43200.0,
        ),
        (
            "Rate limit of 8 per 86400s exceeded for UserByModelByDay. Please wait 32454 seconds before retrying.",
            32454.0,
        ),
        ("Sorry, your request is rate-limited. Please wait 8 hours 24 minutes and try again", 30240.0),
        ("Request was throttled. Expected available in 30 seconds.", 30.0),
        ("Try again in 20 minutes", 1200.0),
        ("resets in 2h 5m", 7500.0),
        ("wait 45s", 45.0),
        ("Please wait for about 1 hour and 5 minutes.", 3900.0),
        ("Retry-After: 30", 30.0),
        ("too many requests, retry_after=12.5s.", 12.5),
        ("Please try again in 5s. Please try again in 7s.", 7.0),
        ("quota resets at 2026-04-01T12:10:00Z", 600.0),
        ("available again at 2026-04-01 14:10:00 +02:00", 600.0),
        # NewAPI, OneAPI and relays behind them
        ("请在 30 秒后重试", 30.0),
        ("请 5 分钟后再试", 300.0),
        ("请求过于频繁，请30秒后再试 (request id: 20260401120000)", 30.0),
        ("当前渠道冷却中，约 2小时5分钟 后恢复", 7500.0),
        ("请等待 45 秒", 45.0),
        ("您的使用量已超出频率限制，将在 2026-04-01 20:10:00 UTC+8 重置，您也可以切换其他模型继续使用。", 600.0),
    ],
)
def test_delays_in_messages(message: str, delay_s: float) -> None:
    """The words of providers and aggregators; also as bare text, as an SSE event, and in a body that was cut."""
    assert of_message(message) == pytest.approx(delay_s)
    assert retry_after_s({}, message.encode(), NOW) == pytest.approx(delay_s)
    event = "event: error\ndata: " + json.dumps({"type": "error", "error": {"message": message}}) + "\n\n"
    assert retry_after_s({}, event.encode(), NOW) == pytest.approx(delay_s)
    cut = '{"error":{"message":' + json.dumps(" ".join(message.split()), ensure_ascii=False)
    assert retry_after_s({}, cut.encode(), NOW) == pytest.approx(delay_s)


@pytest.mark.parametrize(
    "message",
    [
        "Rate limit reached. Please try again later.",
        "This request would exceed your account's rate limit. Please try again later.",
        "Rate limit exceeded: 10 requests per 60s",
        "Usage limit reached for 5 hour.",
        "limited to 4 requests per minute. Please retry shortly.",
        "Limits reset every 5h and every week.",
        "try again in 3 apples",
        "try again in 5meters",
        "try again at 7:58 PM",
        "Your limit will reset at 2026-04-01 18:34:10",
        "wait 99999999999999999999 seconds",
        "limit reached|17",
        "您已达到请求数限制：1分钟内最多请求10次",
        "您已达到总请求数限制：5分钟内最多请求20次，包括失败次数",
        "当前分组上游负载已饱和，请稍后再试 (request id: 20250423020142736330894dLoIRrS6)",
        "",
    ],
)
def test_a_limit_is_no_delay(message: str) -> None:
    """What describes a limit, and what names a time without a zone, says nothing about when."""
    assert of_message(message) is None
    assert retry_after_s({}, message.encode(), NOW) is None


def test_words_of_users_and_models_say_nothing() -> None:
    """Only an error's own fields are read, not what a request or an answer quotes."""
    assert of_body({"choices": [{"message": {"content": "Please try again in 6s", "retry_after": 5}}]}) is None
    assert of_body({"error": {"message": "bad", "param": "try again in 6s"}, "input": {"retry_after": 5}}) is None
    assert (
        of_body({"detail": [{"msg": "Field required", "input": {"messages": ["wait 45s"], "retry_after": 5}}]}) is None
    )


def test_only_the_first_16_kib_of_a_body_are_read() -> None:
    """A hint that is cut off does not count; one before the cut does, though the JSON is not whole."""
    filler = "x" * 16 * 1024
    assert of_body({"filler": filler, "error": {"retry_after": 5}}) is None
    assert of_body({"error": {"retry_after": 5}, "filler": filler}) == 5.0
    gemini = json.dumps({**GEMINI, "filler": filler}).replace("Please retry", "Please come")
    assert retry_after_s({}, gemini.encode(), NOW) == 34.07


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"wait"',
        b"\xef\xbb\xbf{}",
        b"\x1f\x8b\x08\x00",
        b'{"error":{"message":"\\ud800"}}',
        b'{"error":1e999}',
        b"<html><body>429 Too Many Requests</body></html>",
        b": ping\n\ndata: [DONE]\n\n",
        b'{"error":{"headers":[1],"message":7,"details":{"@type":[]}}}',
        b'{"metadata":{"headers":{"Retry-After":5}}}',
        b"[" * 16384,
        b'{"error":' * 1800,
        b'{"error":' * 20 + b'{"retry_after":5}' + b"}" * 20,
    ],
)
def test_a_body_without_a_hint_is_none(body: bytes) -> None:
    """Whatever it is: empty, no JSON, compressed, nested beyond reason."""
    assert retry_after_s({}, body, NOW) is None


def test_a_byte_order_mark_does_not_hide_json() -> None:
    """Some gateways on Windows send one."""
    assert retry_after_s({}, b'\xef\xbb\xbf {"retry_after": 5}', NOW) == 5.0


# --- Whatever comes ---------------------------------------------------------------------------------------------------

FRAGMENTS = (
    *("retry-after", "retry-after-ms", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-reset-after"),
    *("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "ratelimit", "x-codex-primary-used-percent"),
    *(
        "x-codex-primary-reset-after-seconds",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    *("anthropic-ratelimit-unified-status", "anthropic-ratelimit-unified-reset"),
    *("anthropic-ratelimit-unified-5h-status", "anthropic-ratelimit-unified-5h-reset"),
)
numbers = st.one_of(st.floats(), st.integers(), st.floats(0, 1e20)).map(str)
dates = st.datetimes(timezones=st.just(UTC))
values = st.one_of(
    numbers,
    st.text(max_size=80),
    dates.map(datetime.isoformat),
    dates.map(lambda date: format_datetime(date, usegmt=True)),
    st.tuples(numbers, st.sampled_from(["ms", "s", "m", "h", "d", "秒", "分钟后重试"])).map("".join),
    st.sampled_from(["0", "rejected", '"default";r=0;t=5']),
)
some_headers = st.dictionaries(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=30)), values, max_size=8)
field_names = st.sampled_from(
    ["error", "message", "details", "headers", "retry_after", "reset_at", "retry_after_ms", "@type"]
)
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), values),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(field_names, inner, max_size=5)),
    max_leaves=12,
)
sentences = st.lists(
    st.one_of(
        values,
        st.sampled_from(["try again in ", "wait ", "请等待", " 后重试", "retry_after: ", "reached|", " on ", '"']),
    ),
    max_size=10,
).map("".join)
bodies = st.one_of(
    st.binary(max_size=200),
    documents.map(lambda document: json.dumps(document).encode("utf-8", "replace")),
    sentences.map(lambda text: text.encode("utf-8", "replace")),
    sentences.map(lambda text: json.dumps({"error": {"message": text}}).encode()),
)


@given(headers=some_headers, body=bodies, now_unix_s=st.one_of(st.just(NOW), st.floats()))
@example(headers={"retry-after": "\ud800"}, body=b'{"error":"\\ud800"}', now_unix_s=NOW)
@example(headers={"retry-after": "1e300"}, body=b"", now_unix_s=NOW)
@example(headers={"retry-after": "1775044860"}, body=b"", now_unix_s=-math.inf)
@example(headers={"retry-after": "1775044860"}, body=b"", now_unix_s=math.nan)
def test_the_result_is_none_or_finite_and_not_negative(headers: dict[str, str], body: bytes, now_unix_s: float) -> None:
    """Nothing raises, whatever a provider sends."""
    delay_s = retry_after_s(headers, body, now_unix_s)
    assert delay_s is None or (isinstance(delay_s, float) and math.isfinite(delay_s) and delay_s >= 0)


@given(delay_s=st.integers(0, 10**8))
def test_every_form_says_the_same(delay_s: int) -> None:
    """One wait, written in each form, is read as that wait."""
    then = datetime.fromtimestamp(NOW + delay_s, UTC)
    exhausted = {"x-ratelimit-remaining-tokens": "0"}
    forms: list[tuple[dict[str, str], bytes]] = [
        ({"retry-after-ms": str(delay_s * 1000)}, b""),
        ({"retry-after": str(delay_s)}, b""),
        ({"retry-after": format_datetime(then, usegmt=True)}, b""),
        (exhausted | {"x-ratelimit-reset-tokens": f"{delay_s // 3600}h{delay_s // 60 % 60}m{delay_s % 60}s"}, b""),
        (exhausted | {"x-ratelimit-reset-tokens": str(int(NOW) + delay_s)}, b""),
        (exhausted | {"x-ratelimit-reset-tokens": then.isoformat()}, b""),
        ({}, json.dumps({"error": {"details": [{"@type": RETRY_INFO, "retryDelay": f"{delay_s}s"}]}}).encode()),
        ({}, f"Please try again in {delay_s}s.".encode()),
        ({}, f"请在 {delay_s} 秒后重试".encode()),
    ]
    assert [float(delay_s)] * len(forms) == [retry_after_s(headers, body, NOW) for headers, body in forms]


REPEATED = (
    *(
        "1",
        "1s",
        "1s ",
        "1 s, and ",
        "1.1",
        "111111111111.11111111111111111111s",
        "111111111111.11111111111111111111s ",
    ),
    *("ms", "s", " ", "\n", "\t \n", "\\", '"', "'", "é", "\U0001f600", "limit reached|", "limit reached|1"),
    *("try again in ", "try again in 1", "try again in 1s", "retry ", "retry after about ", "wait for ", "wait 1m "),
    *("retry_after", "retry-", 'retry_after\\"', "retry_after: ", "retry_after'''''''' ", "reset_", "retry_delay { "),
    *(
        "请等",
        "请等待 1",
        "1秒后",
        "1秒 后,",
        "后",
        "1 分钟",
        "将在 2026-04-01 ",
        "again at 2026-04-01 12:00",
        "again ",
    ),
    *("data:", "data:{\n", "data: wait 1s\n", ":\n", "[", "{", '{"error":', '["', '"wait 1s",'),
)


@pytest.mark.parametrize("unit", REPEATED)
def test_time_is_linear_in_the_body(unit: str) -> None:
    """Nothing that a provider repeats makes a pattern backtrack: that would take minutes, not a second."""
    text = unit * (16 * 1024 // len(unit.encode()))
    began_s = time.process_time()
    retry_after_s({"retry-after": text, "ratelimit": text, "x-ratelimit-remaining": text}, text.encode(), NOW)
    retry_after_s({}, json.dumps([text], ensure_ascii=False).encode(), NOW)
    assert time.process_time() - began_s < 1.0
