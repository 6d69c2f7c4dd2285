"""brightstaff.verdict: which answers are answers, and whose fault the others are."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from brightstaff.verdict import (
    CUT_BYTES,
    Fault,
    Verdict,
    counts,
    find_error,
    find_failed_choice,
    find_flat_error,
    first_object,
    glance,
    is_blank,
    judge_answer,
    judge_error,
    judge_status,
    judge_text,
    read_fields,
    read_objects,
    says,
    text_of,
)

CHAT = "/chat/completions"
JSON = "application/json"

#: OpenAI's and Anthropic's name for nearly everything.
BAD_REQUEST = "invalid_request_error"
NO_MODEL, IN_200 = "model_unavailable", "error_in_200"
CALLER, CHANNEL, KEY, RATE, TIMEOUT = Fault.CALLER, Fault.CHANNEL, Fault.KEY, Fault.RATE, Fault.TIMEOUT
SUFFIXES = [CHAT, "/completions", "/messages", "/messages/count_tokens", "/responses", "/embeddings", "/rerank"]
SUFFIXES += ["/audio/speech", "/audio/transcriptions", "/images/generations"]


def body(value: object) -> bytes:
    """As a provider would send it."""
    return json.dumps(value, ensure_ascii=False).encode()


def openai(message: str, type_: str | None = None, code: object = None) -> bytes:
    """An error in OpenAI's form."""
    return body({"error": {"message": message, "type": type_, "param": None, "code": code}})


def anthropic(type_: str, message: str) -> bytes:
    """An error in Anthropic's form."""
    return body({"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_011C"})


def google(code: int, status: str, message: str, *details: object) -> bytes:
    """An error in Gemini's form, wrapped in a list as its OpenAI-compatible endpoint does."""
    return body([{"error": {"code": code, "message": message, "status": status, "details": list(details)}}])


def chat(**choice: object) -> dict[str, object]:
    """A chat completion with one choice."""
    message = {"role": "assistant", "content": "Hello"}
    first = {"index": 0, "message": message, "finish_reason": "stop", **choice}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [first]}


# ---------------------------------------------------------------- status alone


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, CALLER), (401, KEY), (402, KEY), (403, CALLER), (404, CALLER), (405, CALLER), (408, TIMEOUT),
        (409, CALLER), (413, CALLER), (415, CALLER), (422, CALLER), (425, CHANNEL), (429, RATE), (451, CALLER),
        (499, CALLER), (500, CHANNEL), (501, CHANNEL), (502, CHANNEL), (503, CHANNEL), (504, TIMEOUT), (520, CHANNEL),
        (522, TIMEOUT), (524, TIMEOUT), (529, CHANNEL), (0, CHANNEL), (700, CHANNEL),
    ],
)  # fmt: skip
def test_what_a_status_says(status: int, fault: Fault) -> None:
    """The status is the cause, where nothing else is known."""
    assert Verdict(fault, str(status)) == judge_status(status)


@pytest.mark.parametrize("status", [100, 101, 200, 201, 202, 204, 206, 301, 302, 304, 307])
def test_success_and_redirects_are_no_failures(status: int) -> None:
    """Nothing to judge."""
    assert None is judge_status(status)


# ---------------------------------------------------------------- refusals: wording and status

REFUSALS: list[tuple[int, bytes, Fault, str]] = [
    # OpenAI
    (
        429,
        openai("You exceeded your current quota, please check your plan…", "insufficient_quota", "insufficient_quota"),
        KEY,
        "quota",
    ),
    (400, openai("Billing hard limit has been reached", BAD_REQUEST, "billing_hard_limit_reached"), KEY, "quota"),
    (429, openai("Your account is not active, please check your billing details", "billing_not_active"), KEY, "quota"),
    (
        401,
        openai("The OpenAI account … has been deactivated.", BAD_REQUEST, "account_deactivated"),
        KEY,
        "key_disabled",
    ),
    (401, openai("Incorrect API key provided: sk-…", BAD_REQUEST, "invalid_api_key"), KEY, "key_invalid"),
    (
        404,
        openai("The model `gpt-9` does not exist or you do not have access to it.", BAD_REQUEST, "model_not_found"),
        CHANNEL,
        NO_MODEL,
    ),
    (404, openai("That model does not exist", BAD_REQUEST), CHANNEL, NO_MODEL),
    (
        403,
        openai("Project `p` does not have access to model `m`", BAD_REQUEST, "model_not_found"),
        CHANNEL,
        NO_MODEL,
    ),
    (
        403,
        openai(
            "Country, region, or territory not supported", "request_forbidden", "unsupported_country_region_territory"
        ),
        CHANNEL,
        "region_blocked",
    ),
    (429, openai("Rate limit reached for gpt-5 … on tokens per min", "tokens", "rate_limit_exceeded"), RATE, "429"),
    (400, openai("Rate limit reached", "requests", "rate_limit_exceeded"), RATE, "rate_limited"),
    (429, openai("You've hit your usage limit", "usage_limit_reached"), KEY, "quota"),
    (500, openai("The server had an error", "server_error"), CHANNEL, "500"),
    (
        503,
        openai("Our servers are currently overloaded.", "service_unavailable_error", "server_is_overloaded"),
        CHANNEL,
        "overloaded",
    ),
    (400, openai("Selected model is at capacity. Please try a different model.", BAD_REQUEST), CHANNEL, "overloaded"),
    (
        400,
        openai("This model's maximum context length is 8192 tokens.", BAD_REQUEST, "context_length_exceeded"),
        CALLER,
        "400",
    ),
    (400, openai("Invalid value: 'insufficient balance'.", BAD_REQUEST, "invalid_value"), CALLER, "400"),
    (
        400,
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model.",
            BAD_REQUEST,
            "unsupported_parameter",
        ),
        CALLER,
        "400",
    ),
    (400, openai("'messages' is a required property", BAD_REQUEST), CALLER, "400"),
    (
        400,
        openai(
            "Your request was rejected by our safety system", "image_generation_user_error", "content_policy_violation"
        ),
        CALLER,
        "400",
    ),
    (404, openai("Invalid URL (POST /v1/chatt)", BAD_REQUEST), CALLER, "404"),
    (413, openai("insufficient_quota", "insufficient_quota", "insufficient_quota"), CALLER, "413"),
    (
        422,
        body({"detail": [{"type": "missing", "loc": ["body"], "msg": "Field required", "input": "quota"}]}),
        CALLER,
        "422",
    ),
    (500, openai("input is wrong", BAD_REQUEST, "context_length_exceeded"), CALLER, "500"),
    (504, openai("upstream timed out", "server_error"), TIMEOUT, "504"),
    # Anthropic
    (529, anthropic("overloaded_error", "Overloaded"), CHANNEL, "overloaded"),
    (500, anthropic("overloaded_error", "Overloaded"), CHANNEL, "overloaded"),
    (401, anthropic("authentication_error", "invalid x-api-key"), KEY, "key_invalid"),
    (
        403,
        anthropic("permission_error", "Your API key does not have permission to use the specified resource"),
        CHANNEL,
        "forbidden",
    ),
    (403, anthropic("forbidden", "Request not allowed"), CHANNEL, "forbidden"),
    (402, anthropic("billing_error", "There is an issue with your billing"), KEY, "quota"),
    (400, anthropic(BAD_REQUEST, "Your credit balance is too low to access the Anthropic API."), KEY, "quota"),
    (
        400,
        anthropic(BAD_REQUEST, "You have reached your specified API usage limits. You will regain access on …"),
        KEY,
        "quota",
    ),
    (400, anthropic(BAD_REQUEST, "This organization has been disabled."), KEY, "key_disabled"),
    (401, anthropic("authentication_error", "OAuth token has expired."), KEY, "key_invalid"),
    (429, anthropic("rate_limit_error", "This request would exceed your organization's rate limit"), RATE, "429"),
    (
        429,
        body(
            {
                "type": "error",
                "error": {
                    "type": "rate_limit_error",
                    "message": "Limit",
                    "details": {"error_code": "enforced_spend_limit_reached"},
                },
            }
        ),
        KEY,
        "quota",
    ),
    (404, anthropic("not_found_error", "model: claude-opus-9"), CHANNEL, NO_MODEL),
    (500, anthropic("api_error", "Internal server error"), CHANNEL, "500"),
    (500, anthropic("api_error", "insufficient balance (1008)"), KEY, "quota"),  # MiniMax
    (400, anthropic(BAD_REQUEST, "prompt is too long: 210000 tokens > 200000 maximum"), CALLER, "400"),
    (400, anthropic(BAD_REQUEST, "messages.0.content: Invalid `signature` in `thinking` block"), CALLER, "400"),
    (413, anthropic("request_too_large", "Request exceeds the maximum size"), CALLER, "413"),
    (
        503,
        anthropic("overloaded_error", "No available accounts: All accounts failed or unhealthy."),
        CHANNEL,
        "overloaded",
    ),
    # Gemini
    (429, google(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."), RATE, "429"),
    (
        429,
        google(
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details. For more information on this "
            "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"},
        ),
        RATE,
        "429",
    ),
    (429, google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), KEY, "quota"),
    (503, google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), CHANNEL, "overloaded"),
    (
        400,
        google(
            400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", {"reason": "API_KEY_INVALID"}
        ),
        KEY,
        "key_invalid",
    ),
    (400, google(400, "INVALID_ARGUMENT", "Invalid JSON payload received."), CALLER, "400"),
    (
        400,
        google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        CHANNEL,
        "region_blocked",
    ),
    (
        403,
        google(403, "PERMISSION_DENIED", "Permission denied: Consumer 'api_key:AIza' has been suspended."),
        KEY,
        "key_disabled",
    ),
    (403, google(403, "PERMISSION_DENIED", "The caller does not have permission"), CHANNEL, "forbidden"),
    (404, google(404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta"), CHANNEL, NO_MODEL),
    (504, google(504, "DEADLINE_EXCEEDED", "Deadline expired"), TIMEOUT, "timeout"),
    (400, openai(google(400, "INVALID_ARGUMENT", "API key not valid.").decode()[1:-1], None, 400), KEY, "key_invalid"),
    # NewAPI, OneAPI and their kin
    (503, openai("当前分组 default 下对于模型 gpt-5 无可用渠道 (request id: 1)", "new_api_error"), CHANNEL, NO_MODEL),
    (
        503,
        openai("No available channel for model x under group y (distributor)", "new_api_error", "model_not_found"),
        CHANNEL,
        NO_MODEL,
    ),
    (
        400,
        openai("分组 vip 下模型 x 的可用渠道失败（distributor）", "new_api_error", "get_channel_failed"),
        CHANNEL,
        NO_MODEL,
    ),
    (
        429,
        openai("当前分组上游负载已饱和，请稍后再试", "insufficient_quota", "insufficient_quota"),
        CHANNEL,
        "overloaded",
    ),
    (
        429,
        openai("Current group upstream load is saturated, please try again later", "new_api_error"),
        CHANNEL,
        "overloaded",
    ),
    (403, openai("user quota is not enough", "new_api_error", "insufficient_user_quota"), KEY, "quota"),
    (403, openai("用户额度不足, 剩余额度: ＄-0.01", "new_api_error", ""), KEY, "quota"),
    (403, openai("预扣费额度失败, 用户剩余额度: ＄0.1, 需要预扣费额度: ＄0.3", "new_api_error"), KEY, "quota"),
    (401, openai("该令牌额度已用尽 TokenStatusExhausted[sk-abc***xyz]", "new_api_error"), KEY, "quota"),
    (401, openai("This token quota is exhausted TokenStatusExhausted[sk-abc***xyz]", "new_api_error"), KEY, "quota"),
    (401, openai("该令牌已过期", "new_api_error"), KEY, "key_disabled"),
    (401, openai("该令牌状态不可用", "new_api_error"), KEY, "key_disabled"),
    (401, openai("无效的令牌", "new_api_error"), KEY, "key_invalid"),
    (403, openai("用户已被封禁", "one_api_error"), KEY, "key_disabled"),
    (403, openai("该令牌无权访问模型 gpt-5", "new_api_error"), CHANNEL, NO_MODEL),
    (403, openai("This token has no access to model gpt-5", "new_api_error"), CHANNEL, NO_MODEL),
    (403, openai("无权访问该分组", "new_api_error"), CHANNEL, NO_MODEL),
    (500, openai("没有可用的渠道密钥", "new_api_error", "channel:no_available_key"), CHANNEL, NO_MODEL),
    (
        400,
        openai("bad response status code 400", "upstream_error", "bad_response_status_code"),
        CHANNEL,
        "upstream_error",
    ),
    (400, openai("Prompt is too long", "upstream_error", "bad_response_status_code"), CALLER, "400"),
    (500, openai("upstream error: do request failed", "new_api_error", "do_request_failed"), CHANNEL, "500"),
    (403, openai("openai_error", "openai_error", "bad_response_status_code"), CHANNEL, "upstream_error"),
    (429, openai("bad response status code 429", "upstream_error", "bad_response_status_code"), RATE, "429"),
    (400, openai("敏感词", "new_api_error", "sensitive_words_detected"), CALLER, "400"),
    (400, openai("field messages is required", "new_api_error", "invalid_request"), CALLER, "400"),
    (403, body({"code": "INSUFFICIENT_BALANCE", "message": "Insufficient account balance"}), KEY, "quota"),  # sub2api
    (503, openai("auth_unavailable: no auth available", "server_error", "internal_server_error"), CHANNEL, NO_MODEL),
    # OpenRouter
    (402, body({"error": {"code": 402, "message": "Insufficient credits. Add more"}}), KEY, "quota"),
    (
        402,
        body({"error": {"code": 402, "message": "This request requires more credits, or fewer max_tokens."}}),
        KEY,
        "quota",
    ),
    (400, body({"error": {"code": 400, "message": "openai/gpt-9 is not a valid model ID"}}), CHANNEL, NO_MODEL),
    (404, body({"error": {"code": 404, "message": "No endpoints found for openai/gpt-9."}}), CHANNEL, NO_MODEL),
    (
        403,
        body({"error": {"code": 403, "message": "Input flagged", "metadata": {"reasons": ["violence"]}}}),
        CALLER,
        "403",
    ),
    (
        400,
        body(
            {
                "error": {
                    "code": 400,
                    "message": "Provider returned error",
                    "metadata": {"raw": openai("slow", "x", "rate_limit_exceeded").decode(), "provider_name": "P"},
                }
            }
        ),
        RATE,
        "rate_limited",
    ),
    (503, body({"error": {"code": 503, "message": "There is no available model provider"}}), CHANNEL, NO_MODEL),
    # Azure
    (404, body({"error": {"code": "DeploymentNotFound", "message": "The API deployment …"}}), CHANNEL, NO_MODEL),
    (401, body({"statusCode": 401, "message": "Access denied due to invalid subscription key."}), KEY, "key_invalid"),
    (429, body({"error": {"code": "429", "message": "… have exceeded token rate limit of your tier."}}), RATE, "429"),
    (
        400,
        body({"error": {"code": "content_filter", "message": "… content management policy …", "status": 400}}),
        CALLER,
        "400",
    ),
    # others
    (402, openai("Insufficient Balance", "unknown_error", BAD_REQUEST), KEY, "quota"),  # DeepSeek
    (400, openai("Model Not Exist", BAD_REQUEST, BAD_REQUEST), CHANNEL, NO_MODEL),
    (429, body({"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}), KEY, "quota"),  # GLM
    (429, body({"error": {"code": "1302", "message": "您的账户已达到速率限制"}}), RATE, "429"),
    (429, body({"error": {"code": "1305", "message": "该模型当前访问量过大，请您稍后再试"}}), CHANNEL, "overloaded"),
    (400, body({"error": {"code": "1211", "message": "模型不存在，请检查模型代码"}}), CHANNEL, NO_MODEL),
    (429, openai("The engine is currently overloaded", "engine_overloaded_error"), CHANNEL, "overloaded"),  # Moonshot
    (429, openai("Your account … is suspended", "exceeded_current_quota_error"), KEY, "quota"),
    (403, body({"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}), KEY, "quota"),
    (
        403,
        openai("The request failed because your account has an overdue balance.", "Forbidden", "AccountOverdueError"),
        KEY,
        "quota",
    ),
    (404, openai("Your account has not activated the model x.", "NotFound", "ModelNotOpen"), CHANNEL, NO_MODEL),
    (
        400,
        openai("Access denied, please make sure your account is in good standing.", "Arrearage"),
        KEY,
        "quota",
    ),  # DashScope
    (
        403,
        openai("The free tier of the model has been exhausted.", "x", "AllocationQuota.FreeTierOnly"),
        CHANNEL,
        "quota",
    ),
    (403, body({"code": "denied", "error": "Your team has used all available credits"}), KEY, "quota"),  # xAI
    (412, openai("Account x is suspended, possibly due to reaching the spending limit"), KEY, "quota"),  # Fireworks
    (
        429,
        body({"object": "error", "message": "Service tier capacity exceeded", "code": "3505"}),
        CHANNEL,
        "overloaded",
    ),
    (401, body({"detail": "Unauthorized"}), KEY, "401"),
    (
        400,
        body(
            {"object": "error", "message": "[{'msg': 'Field required', 'input': {'content': 'insufficient balance'}}]"}
        ),
        CALLER,
        "400",
    ),
    # no JSON
    (502, b"<html><head><title>502 Bad Gateway</title></head></html>", CHANNEL, "502"),
    (403, b"<!DOCTYPE html><title>Attention Required! | Cloudflare</title>", CHANNEL, "html"),
    (404, b"\xef\xbb\xbf\n<html><center><h1>404 Not Found</h1></center></html>", CHANNEL, "html"),
    (400, b"<HTML>400 The plain HTTP request was sent to HTTPS port</HTML>", CHANNEL, "html"),
    (413, b"<html>413 Request Entity Too Large</html>", CALLER, "413"),
    (401, b"<html>401</html>", KEY, "401"),
    (404, b"404 page not found", CALLER, "404"),
    (403, b"insufficient credits", KEY, "quota"),
    (400, "无可用渠道".encode(), CHANNEL, NO_MODEL),
    (503, b"upstream connect error or disconnect/reset before headers", CHANNEL, "503"),
    (500, b"", CHANNEL, "500"),
    (429, b"", RATE, "429"),
    (400, b'{"error":{"message":"cut of', CALLER, "400"),
    (401, b"[]", KEY, "401"),
    (400, b"\xff\xfe\x00", CALLER, "400"),
]


@pytest.mark.parametrize(("status", "answer", "fault", "cause"), REFUSALS, ids=lambda value: str(value)[:60])
def test_refusals(status: int, answer: bytes, fault: Fault, cause: str) -> None:
    """What providers really say, and whose fault it is; the endpoint makes no difference."""
    assert [Verdict(fault, cause)] * 2 == [judge_answer(status, JSON, answer, each) for each in (CHAT, "/rerank")]


def test_redirects_pass() -> None:
    """What is neither success nor refusal is not read."""
    assert None is judge_answer(304, "", b"", CHAT)
    assert Verdict(CHANNEL, "0") == judge_answer(0, "", b"", CHAT)


# ---------------------------------------------------------------- success: good answers

QUOTA_TALK = 'Your credit balance is too low. {"error": {"code": "insufficient_quota"}} 无可用渠道'

GOOD: list[tuple[str, object]] = [
    (CHAT, chat()),
    (CHAT, chat(message={"role": "assistant", "content": QUOTA_TALK})),
    (CHAT, chat(message={"role": "assistant", "content": ""})),
    (
        CHAT,
        chat(message={"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]}, finish_reason="tool_calls"),
    ),
    (CHAT, chat(message={"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]}, finish_reason=None)),
    (CHAT, chat(message={"role": "assistant", "content": None, "refusal": "I cannot"}, finish_reason=None)),
    (CHAT, chat(message={"role": "assistant", "content": ""}, finish_reason="content_filter")),
    (CHAT, chat(finish_reason=None)),
    (CHAT, {**chat(message={"role": "assistant", "content": ""}, finish_reason=None), "usage": {"total_tokens": 7}}),
    (CHAT, {**chat(), "error": None}),
    (CHAT, {**chat(), "error": {}}),
    (CHAT, {**chat(), "error": {"code": 0, "message": ""}}),
    (CHAT, {**chat(), "base_resp": {"status_code": 0, "status_msg": ""}}),
    (CHAT, {**chat(), "type": "chat"}),
    (CHAT, {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 0}}),
    (CHAT, {"choices": {"strange": "but there"}}),
    ("/completions", {"choices": [{"text": "Once", "index": 0, "finish_reason": None}]}),
    ("/completions", {"choices": [{"text": "", "index": 0, "finish_reason": "length"}]}),
    ("/messages", {"type": "message", "content": [{"type": "text", "text": QUOTA_TALK}], "stop_reason": "end_turn"}),
    ("/messages", {"type": "message", "content": [], "stop_reason": "end_turn"}),
    ("/messages", {"type": "message", "content": [], "usage": {"output_tokens": 3}}),
    ("/messages/count_tokens", {"input_tokens": 12}),
    ("/responses", {"object": "response", "status": "completed", "error": None, "output": [{"type": "message"}]}),
    ("/responses", {"object": "response", "status": "queued", "error": None, "output": []}),
    ("/responses", {"object": "response", "status": "incomplete", "output": []}),
    ("/responses", {"object": "response", "status": "completed", "output": [], "usage": {"output_tokens": 2}}),
    ("/embeddings", {"object": "list", "data": [{"embedding": [0.1]}]}),
    ("/rerank", {"results": []}),
    ("/rerank", {}),
    ("/rerank", [{"index": 0, "score": 0.5}]),
    ("/rerank", []),
    ("/moderations", {"results": [{"flagged": True, "message": "quota"}]}),
]


@pytest.mark.parametrize(("suffix", "answer"), GOOD, ids=lambda value: str(value)[:70])
@pytest.mark.parametrize("content_type", [JSON, "", "text/plain; charset=utf-8"])
def test_good_answers(suffix: str, answer: object, content_type: str) -> None:
    """Answers pass, whatever words are in them; how the provider labels them does not matter."""
    assert None is judge_answer(200, content_type, body(answer), suffix)


@pytest.mark.parametrize(
    ("status", "content_type", "answer", "suffix"),
    [
        (204, "", b"", CHAT),
        (205, JSON, b"", CHAT),
        (200, "audio/mpeg", b"ID3\x04\x00", "/audio/speech"),
        (200, "text/plain", b"<3 hello\n", "/audio/transcriptions"),
        (200, "text/plain; charset=utf-8", b"", "/audio/transcriptions"),
        (200, "text/event-stream", b'data: {"choices":[]}\n\n', CHAT),
        (200, JSON, b': ping\n\ndata: {"choices":[]}\n\n', CHAT),
        (200, JSON, b"\x1f\x8b\x08\x00 gzip", CHAT),
        (200, JSON, b"\x28\xb5\x2f\xfd zstd", CHAT),
        (200, JSON, b'\xef\xbb\xbf{"choices":[{"finish_reason":"stop"}]}', CHAT),
        (200, JSON, b'\n\n  \n{"choices":[{"finish_reason":"stop"}]}', CHAT),
        (200, JSON, b'{"choices":[{"finish_reason":"stop","logprobs":[NaN,-Infinity]}]}', CHAT),
        (200, JSON, b'{"choices":[{"finish_reason":"stop","message":{"content":"\\ud83d"}}]}', CHAT),
        (200, JSON, b'{"choices":[{"finish_reason":null,"message":{"content":"\\ud83d"}}]}', CHAT),
        (200, JSON, b'{"choices":[{"finish_reason":"stop","message":{"content":"\xff"}}]}', CHAT),
    ],
)
def test_good_answers_byte_by_byte(status: int, content_type: str, answer: bytes, suffix: str) -> None:
    """What is no plain JSON, or JSON that only a strict parser refuses."""
    assert None is judge_answer(status, content_type, answer, suffix)


# ---------------------------------------------------------------- success that is none

BAD: list[tuple[str, object, Fault, str]] = [
    (CHAT, {"error": {"message": "quota", "type": "insufficient_quota", "code": "insufficient_quota"}}, KEY, "quota"),
    (CHAT, {"error": {"code": 502, "message": "Provider returned error"}}, CHANNEL, IN_200),
    (CHAT, {"error": {"code": 429, "message": "Provider returned error"}}, RATE, "429"),
    (CHAT, {"error": {"code": "408", "message": "Timed out"}}, TIMEOUT, "408"),
    (CHAT, {"error": {"code": 400, "message": "Bad"}}, CALLER, IN_200),
    (CHAT, {"error": {"code": 400, "message": "Bad", "type": "upstream_error"}}, CHANNEL, "upstream_error"),
    (CHAT, {"error": {"message": "too long", "code": "context_length_exceeded"}}, CALLER, IN_200),
    (CHAT, {"error": {"message": "no", "type": BAD_REQUEST}}, CALLER, IN_200),
    (CHAT, {"error": {"message": "no"}}, CHANNEL, IN_200),
    (CHAT, {"error": "no"}, CHANNEL, IN_200),
    (CHAT, {"error": "Insufficient credits"}, KEY, "quota"),
    (CHAT, {**chat(), "error": {"code": 502, "message": "broke off"}}, CHANNEL, IN_200),
    (CHAT, [{"error": {"code": 503, "status": "UNAVAILABLE", "message": "x"}}], CHANNEL, "overloaded"),
    (CHAT, {"type": "error", "message": "Overloaded"}, CHANNEL, "overloaded"),
    (CHAT, {"object": "error", "message": "model `x` not found", "code": 404}, CHANNEL, NO_MODEL),
    (CHAT, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None}, KEY, "quota"),
    (CHAT, {"base_resp": {"status_code": 1000, "status_msg": "unknown"}}, CHANNEL, IN_200),
    (CHAT, {"code": 500, "msg": "boom"}, CHANNEL, IN_200),
    (CHAT, {"code": 401, "msg": "boom"}, KEY, "401"),
    (CHAT, {"detail": "try later"}, CHANNEL, IN_200),
    (CHAT, {"errors": [{"message": "x"}]}, CHANNEL, IN_200),
    (CHAT, {"choices": None}, CHANNEL, "empty"),
    (CHAT, {"choices": []}, CHANNEL, "empty"),
    (CHAT, {"choices": [], "usage": {"total_tokens": 0}}, CHANNEL, "empty"),
    (CHAT, {}, CHANNEL, "empty"),
    (CHAT, [], CHANNEL, "empty"),
    (CHAT, "hello", CHANNEL, "empty"),
    (CHAT, {"type": "message", "content": [{"type": "text", "text": "hi"}]}, CHANNEL, "empty"),
    (CHAT, chat(message={"role": "assistant", "content": ""}, finish_reason=None), CHANNEL, "empty"),
    (CHAT, {**chat(message={}, finish_reason=None), "usage": {"total_tokens": 0}}, CHANNEL, "empty"),
    (CHAT, chat(finish_reason="error"), CHANNEL, IN_200),
    (CHAT, chat(finish_reason="network_error"), CHANNEL, IN_200),
    (CHAT, chat(native_finish_reason="network_error"), CHANNEL, IN_200),
    (CHAT, chat(error={"code": 429, "message": "slow down"}), RATE, "429"),
    ("/completions", {"object": "text_completion"}, CHANNEL, "empty"),
    ("/messages", {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, CHANNEL, "overloaded"),
    ("/messages", {"type": "message", "content": None, "stop_reason": "end_turn"}, CHANNEL, "empty"),
    ("/messages", {"type": "message", "content": [], "stop_reason": None}, CHANNEL, "empty"),
    ("/messages", chat(), CHANNEL, "empty"),
    ("/messages/count_tokens", {"error": {"type": "api_error", "message": "x"}}, CHANNEL, IN_200),
    ("/responses", {"status": "failed", "error": {"code": "server_error", "message": "x"}}, CHANNEL, IN_200),
    (
        "/responses",
        {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "x"}},
        RATE,
        "rate_limited",
    ),
    ("/responses", {"status": "failed", "error": None, "output": []}, CHANNEL, IN_200),
    ("/responses", {"status": "completed", "error": None, "output": []}, CHANNEL, "empty"),
    ("/responses", {"output": []}, CHANNEL, "empty"),
    ("/responses", {"id": "r"}, CHANNEL, "empty"),
    ("/embeddings", {"object": "list", "data": []}, CHANNEL, "empty"),
    ("/embeddings", {"object": "list"}, CHANNEL, "empty"),
    ("/images/generations", {"error": {"message": "x"}}, CHANNEL, IN_200),
    ("/audio/speech", {"error": {"message": "x"}}, CHANNEL, IN_200),
]


@pytest.mark.parametrize(("suffix", "answer", "fault", "cause"), BAD, ids=lambda value: str(value)[:70])
def test_success_that_is_none(suffix: str, answer: object, fault: Fault, cause: str) -> None:
    """A 200 is a failure when its body says so, or lacks what the endpoint is for."""
    assert Verdict(fault, cause) == judge_answer(200, JSON, body(answer), suffix)


@pytest.mark.parametrize(
    ("content_type", "answer", "suffix", "cause"),
    [
        (JSON, b"", CHAT, "empty"),
        (JSON, b" \r\n", CHAT, "empty"),
        ("audio/mpeg", b"", "/audio/speech", "empty"),
        (JSON, b"", "/audio/transcriptions", "empty"),
        ("text/html", b"<!DOCTYPE html><p>Sign in", CHAT, "html"),
        (JSON, b"<html></html>", CHAT, "html"),
        ("text/html; charset=utf-8", b"\n<html></html>", "/rerank", "html"),
        ("text/plain", b"Service is down", CHAT, "broken_json"),
        (JSON, b'{"choices":[{"message":{"content":"cut o', CHAT, "broken_json"),
        (JSON, b"nothing", "/rerank", "broken_json"),
        (JSON, b'{"a":' * 100_000, "/rerank", None),
        (JSON, b'{"a":' * 5_000, "/rerank", "broken_json"),
    ],
)
def test_bodies_that_are_not_what_was_due(content_type: str, answer: bytes, suffix: str, cause: str | None) -> None:
    """Nothing, a page, or half an answer."""
    expected = None if cause is None else Verdict(CHANNEL, cause)
    assert expected == judge_answer(200, content_type, answer, suffix)


def test_a_cut_body_is_not_called_broken() -> None:
    """The holder keeps no more than so much of an answer; a page is recognised all the same."""
    long = body(chat(message={"role": "assistant", "content": "x" * 2 * CUT_BYTES}))
    assert None is judge_answer(200, JSON, long[:CUT_BYTES], CHAT)
    assert Verdict(CHANNEL, "broken_json") == judge_answer(200, JSON, long[: CUT_BYTES - 1], CHAT)
    assert Verdict(CHANNEL, "html") == judge_answer(200, JSON, b"<html>" + b"x" * CUT_BYTES, CHAT)
    assert Verdict(CALLER, "400") == judge_answer(400, JSON, (b'{"error":"' + b"x" * 2 * CUT_BYTES)[:CUT_BYTES], CHAT)


# ---------------------------------------------------------------- the parts that streams use as well


def fields(value: object) -> dict[str, msgspec.Raw]:
    """Its members."""
    found = read_fields(body(value))
    assert found is not None
    return found


def test_errors_are_found_in_their_usual_forms() -> None:
    """And only there."""
    assert Verdict(CHANNEL, IN_200) == find_error(fields({"error": True}))
    assert Verdict(KEY, "quota") == find_error(fields({"type": "error", "code": "insufficient_quota"}))
    assert None is find_error(fields({"type": "message", "text": "insufficient_quota", "error": None}))
    assert Verdict(CHANNEL, "500") == judge_error({}, 500)
    assert Verdict(CHANNEL, IN_200) == judge_error({})


def test_flat_errors_need_a_status_and_a_message() -> None:
    """Words alone are what a model may have written."""
    assert Verdict(CHANNEL, IN_200) == find_flat_error(fields({"code": 500, "message": "boom"}))
    assert Verdict(KEY, "quota") == find_flat_error(fields({"statusCode": 403, "msg": "余额不足"}))
    assert None is find_flat_error(fields({"message": "余额不足"}))
    assert None is find_flat_error(fields({"code": 200, "message": "余额不足"}))
    assert None is find_flat_error(fields({"code": 500, "text": "boom"}))


def test_choices_that_broke_off() -> None:
    """Their own error says why, if there is one."""
    assert Verdict(CHANNEL, IN_200) == find_failed_choice(fields({"finish_reason": "error"}))
    assert Verdict(RATE, "429") == find_failed_choice(fields({"error": {"code": 429}}))
    assert None is find_failed_choice(fields({"finish_reason": "stop", "error": None}))


def test_text_is_read_for_known_wordings() -> None:
    """Where a provider words its failure in plain text."""
    assert Verdict(CHANNEL, "overloaded") == judge_text(b"Overloaded")
    assert Verdict(CHANNEL, IN_200) == judge_text(b"\xff boom")


def test_nested_errors_end_somewhere() -> None:
    """An error in an error in an error is read a few levels deep, and no further."""
    deep: object = "insufficient_quota"
    for _ in range(4):
        deep = {"error": deep}
    assert Verdict(KEY, "quota") == find_error(fields(deep))
    for _ in range(40):
        deep = {"error": deep}
    assert Verdict(CHANNEL, IN_200) == find_error(fields(deep))


def test_a_glance_recognises_only_the_usual() -> None:
    """For everything else it says that a closer look is needed."""
    assert glance(body(chat())) is not None
    for unusual in (chat(finish_reason="error"), chat(error={"code": 1}), {**chat(), "type": "x"}):
        assert None is glance(body(unusual))
    assert None is glance(b'{"choices":[]}')
    assert None is glance(body({**chat(), "error": "x"}))
    assert None is glance(body(chat(delta={"content": "x", "something": "else"})))
    assert None is glance(b"{")


@pytest.mark.parametrize("blank", ["null", '""', "[]", "{}", "[ ]", "{\n}", "false"])
def test_blank_values(blank: str) -> None:
    """Nothing, in its spellings."""
    assert is_blank(msgspec.Raw(blank.encode()))
    assert is_blank(None)


@pytest.mark.parametrize("value", ["0", '" "', "[0]", "true", '{"a":null}', '"[]"'])
def test_values_that_are_not_blank(value: str) -> None:
    """Something."""
    assert not is_blank(msgspec.Raw(value.encode()))


def test_small_readers() -> None:
    """What the others are made of."""
    assert says(fields({"text": "x"}))
    assert says(fields({"delta": {"role": "assistant", "reasoning": "x"}}))
    assert not says(fields({"delta": {"role": "assistant", "content": ""}, "index": 0}))
    assert counts(msgspec.Raw(b'{"total_tokens": 10}'))
    assert not counts(msgspec.Raw(b'{"total_tokens": 0}'))
    assert not counts(None)
    assert "ping" == text_of(msgspec.Raw(b'"ping"'))
    assert "" == text_of(msgspec.Raw(b"7")) == text_of(None)
    assert None is read_fields(b"[1]")
    assert None is read_fields(b"nonsense")
    assert None is read_fields(b"NaN")
    assert None is read_objects(b"{}")
    assert None is read_objects(b"nonsense")
    assert [] == read_objects(b"[1,NaN]")
    assert None is first_object(b"[]")
    assert None is first_object(b"")
    assert [{"a"}, {"b"}] == [set(each) for each in read_objects(b'[{"a":NaN},{"b":1}]') or ()]


# ---------------------------------------------------------------- properties

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 600)
    | st.text(max_size=8)
    | st.sampled_from(["error", "quota", "stop"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "type", "code", "status", "choices", "content", "data", "output", "usage"]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)
bodies = st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode())


@given(
    status=st.integers(-1, 999),
    content_type=st.sampled_from(["", JSON, "text/html", "text/event-stream", "text/plain"]) | st.text(max_size=9),
    answer=bodies | bodies.map(lambda each: each[: len(each) // 2]),
    suffix=st.sampled_from(SUFFIXES) | st.text(max_size=9),
)
@example(status=200, content_type=JSON, answer=b'{"error":' * 50_000, suffix=CHAT)
@example(status=400, content_type=JSON, answer=b"[" * 50_000, suffix=CHAT)
@example(status=400, content_type=JSON, answer=b'{"error":' + b"9" * 5_000 + b"}", suffix=CHAT)
@example(status=400, content_type=JSON, answer=b'{"error":"\\ud800","message":"\\"\\ud800"}', suffix=CHAT)
def test_nothing_raises_and_refusals_stay_refusals(status: int, content_type: str, answer: bytes, suffix: str) -> None:
    """Any bytes are judged; a refusal is never passed on as a good answer; causes fit into the trail."""
    verdict = judge_answer(status, content_type, answer, suffix)
    if status >= 400:
        assert verdict is not None
    if status in (413, 422):
        assert Verdict(CALLER, str(status)) == verdict
    if verdict is not None:
        assert verdict.cause.lstrip("-").replace("_", "").isalnum()
        assert verdict.cause.isascii()


@given(text=st.text(max_size=60) | st.sampled_from([QUOTA_TALK, "Overloaded", '"},"error":{"code":500}', "<html>"]))
def test_what_a_model_says_decides_nothing(text: str) -> None:
    """Any text in any place for content passes."""
    message = {"role": "assistant", "content": text, "reasoning_content": text}
    assert None is judge_answer(200, JSON, body(chat(message=message)), CHAT)
    assert None is judge_answer(200, JSON, body(chat(text=text, logprobs={"error": text})), "/completions")
    content = [{"type": "text", "text": text, "error": {"message": text}}]
    assert None is judge_answer(200, JSON, body({"content": content, "stop_reason": "end_turn"}), "/messages")
    assert None is judge_answer(
        200, JSON, body({"output": content, "status": "completed", "error": None}), "/responses"
    )
