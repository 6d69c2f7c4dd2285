"""Is a provider's answer an answer, or a failure of the channel that gave it? Pure; never raises, whatever the bytes.

What the error object of a body says goes before the status: aggregators report a used-up key as 400, 403 or 429, and a
dead channel as 200. Only the fields of an error object are read (message, type, code, status, reason), never the
content of an answer: words that a user or a model wrote decide nothing.
"""

import json
import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

import msgspec

_T = TypeVar("_T")

#: A body of this length or more may have been cut by who held it: that it does not parse says nothing then.
CUT_BYTES = 64 * 1024

#: The top-level members of a JSON object, still as JSON.
Fields = dict[str, msgspec.Raw]


class Fault(Enum):
    """Whose fault it is: decides what is tried next, and what cools down."""

    CALLER = auto()
    """The request: every channel would refuse it."""
    CHANNEL = auto()
    """This model on this key."""
    KEY = auto()
    """The key or its account: every channel with that key."""
    RATE = auto()
    """Too much at once for this channel."""
    TIMEOUT = auto()
    """The provider, or something before it, gave up waiting."""


@dataclass(frozen=True)
class Verdict:
    """Not an answer."""

    fault: Fault
    cause: str
    """For the trail: the status, where nothing else is known, or one word."""


EMPTY = Verdict(Fault.CHANNEL, "empty")
HTML = Verdict(Fault.CHANNEL, "html")
_BROKEN = Verdict(Fault.CHANNEL, "broken_json")
_IN_200 = Verdict(Fault.CHANNEL, "error_in_200")
_CALLER = Verdict(Fault.CALLER, "error_in_200")
_QUOTA = Verdict(Fault.KEY, "quota")
_KEY_DISABLED = Verdict(Fault.KEY, "key_disabled")
_KEY_INVALID = Verdict(Fault.KEY, "key_invalid")
_RATE = Verdict(Fault.RATE, "rate_limited")
_OVERLOADED = Verdict(Fault.CHANNEL, "overloaded")
_NO_MODEL = Verdict(Fault.CHANNEL, "model_unavailable")
_REGION = Verdict(Fault.CHANNEL, "region_blocked")
_FORBIDDEN = Verdict(Fault.CHANNEL, "forbidden")
_UPSTREAM = Verdict(Fault.CHANNEL, "upstream_error")
_TIMEOUT = Verdict(Fault.TIMEOUT, "timeout")

_TIMEOUTS = frozenset({408, 504, 522, 524, 598})
#: The request itself is wrong or too large: no wording changes that.
_ALWAYS_CALLER = frozenset({413, 414, 415, 422, 431})
#: An API words its own refusals in JSON: a page with one of these statuses comes from something before it.
_HTML_STATUSES = frozenset({400, 403, 404, 405})

# ---------------------------------------------------------------- the wordings of the providers


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _table(*rows: tuple[Verdict, str]) -> dict[str, Verdict]:
    return {code: verdict for verdict, codes in rows for code in codes.split()}


#: Codes that settle the matter: of several in one body the earlier one here counts. Lower case. Sources:
#: platform.openai.com/docs/guides/error-codes, docs.claude.com/en/api/errors, openrouter.ai/docs/api/errors,
#: ai.google.dev/gemini-api/docs/troubleshooting, types/error.go of github.com/QuantumNous/new-api,
#: docs.bigmodel.cn/cn/api/api-code, volcengine.com/docs/82379/1299023, console.groq.com/docs/errors,
#: the error pages of Moonshot and DashScope.
_CODES = _table(
    (
        _QUOTA,
        """insufficient_quota billing_hard_limit_reached billing_not_active billing_error enforced_spend_limit_reached
        credit_balance_too_low insufficient_user_quota pre_consume_token_quota_failed insufficient_balance
        insufficient_balance_error insufficient_credits exceeded_current_quota_error usage_limit_reached
        usage_not_included entitlement_required entitlement_inactive entitlement_daily_limit_exceeded
        entitlement_total_limit_exceeded arrearage accountoverdueerror""",
    ),
    (
        _KEY_DISABLED,
        """account_deactivated access_terminated access_terminated_error organization_restricted organization_disabled
        key_disabled api_key_disabled api_key_expired token_expired token_revoked token_invalidated""",
    ),
    (
        _KEY_INVALID,
        """invalid_api_key api_key_invalid invalidapikey incorrect_api_key_error authentication_error
        authenticationerror invalid_authentication_error unauthenticated invalid_organization""",
    ),
    (
        _CALLER,
        """context_length_exceeded string_above_max_length invalid_value invalid_type unknown_parameter
        unsupported_parameter unsupported_value missing_required_parameter missingparameter invalidparameter
        invalid_parameter_error invalid_function_parameters invalid_json_schema content_policy_violation content_filter
        responsibleaipolicyviolation moderation_blocked data_inspection_failed datainspectionfailed
        sensitive_words_detected prompt_blocked invalid_prompt invalid_image invalid_image_url invalid_base64
        image_parse_error request_too_large tokens_limit_reached bad_request_body previous_response_not_found""",
    ),
    (
        _NO_MODEL,
        """model_not_found model_not_available model_not_supported model_decommissioned unknown_model invalid_model
        deploymentnotfound modelnotopen invalidendpointormodel.notfound modelnotfound no_available_channel
        channel:no_available_key channel:invalid_key channel:model_mapped_error get_channel_failed""",
    ),
    (_REGION, "unsupported_country_region_territory"),
    (Verdict(Fault.CHANNEL, "quota"), "allocationquota.freetieronly"),
    (
        _OVERLOADED,
        """overloaded_error overloaded engine_overloaded_error engine_overloaded server_is_overloaded slow_down
        serveroverloaded service_tier_capacity_exceeded provider_overloaded nocapacity""",
    ),
    (
        _RATE,
        """rate_limit_exceeded rate_limit_reached_error ratelimitreached ratelimitexceeded toomanyrequests
        too_many_requests throttling throttling.ratequota throttling.allocationquota throttlingexception limit_requests
        limit_burst_rate token_concurrency_limit_reached""",
    ),
)

#: Codes that a provider gives to several kinds of failure: its message goes before them.
_VAGUE_CODES = _table(
    (_RATE, "rate_limit_error resource_exhausted"),
    (_OVERLOADED, "unavailable service_unavailable_error service_unavailable"),
    (_TIMEOUT, "timeout_error deadline_exceeded"),
    (_FORBIDDEN, "permission_error permission_denied access_denied accessdenied forbidden"),
)

#: Something behind the channel failed. Less than what the status says, where that blames the provider too.
_UPSTREAM_CODES = _words(
    """api_error server_error internal internal_error internal_server_error internalserviceerror upstream_error
    bad_response_status_code bad_response bad_response_body empty_response do_request_failed openai_error
    aws_invoke_error read_response_body_failed channel:response_time_exceeded channel:aws_client_error
    channel:param_override_invalid channel:header_override_invalid token_concurrency_unavailable"""
)

#: Inside a 200 these tell the caller's mistake from the channel's; elsewhere the status does.
_CALLER_CODES = _words(
    """invalid_request_error invalid_argument invalid_request bad_request badrequesterror badrequest
    failed_precondition out_of_range validation_error"""
)

#: NewAPI and OneAPI hide a 429 of their own providers behind this sentence but keep its code, `insufficient_quota` too
#: (https://github.com/QuantumNous/new-api/issues/991, https://github.com/666ghj/BettaFish/issues/579): it is not
#: our quota.
_SATURATED = re.compile("负载已饱和|load is saturated")

_NAME = r"[: ]+\W?[\w./:@+-]{1,128}\W?"
#: What messages say, in lower case, in the order in which it is looked for.
_SENTENCES: tuple[tuple[re.Pattern[str], Verdict], ...] = (
    (
        re.compile(
            r"credit balance is too low|insufficient[ _](?:account |user |token )?(?:balance|credits?|funds|quota)"
            r"|insufficient_user_quota|balance is (?:insufficient|not enough|too low)"
            r"|(?:quota|credits?) (?:is|are) (?:not enough|insufficient|exhausted|depleted)"
            r"|not enough (?:credits?|balance|quota)|out of credits|used all available credits|credit limit exceeded"
            r"|requires more credits|billing hard limit|check your billing|overdue balance|spend(?:ing)? limit"
            r"|account is in good standing|specified api usage limits|usage limit (?:has been )?reached"
            r"|余额不足|额度不足|额度已(?:用尽|耗尽|用完)|余额已用[完尽]|预扣费额度失败|欠费|配额不足|使用上限|套餐已到期"
        ),
        _QUOTA,
    ),
    (
        re.compile(
            r"(?:account|organization|consumer|api key|this user|project)[^.\n]{0,80} (?:has been|is) "
            r"(?:disabled|deactivated|suspended|banned|terminated|restricted|revoked|blocked|expired|not active)"
            r"|api key expired|reported as leaked|oauth token (?:has |is )?(?:been )?(?:expired|revoked)"
            r"|this token (?:has expired|status is unavailable)|only authorized for use with"
            r"|(?:令牌|token) ?(?:已过期|状态不可用)|密钥(?:已过期|已失效|已禁用)"
            r"|(?:用户|账户|账号|帐号)[^\n]{0,8}(?:封禁|禁用|锁定|停用)"
        ),
        _KEY_DISABLED,
    ),
    (
        re.compile(
            r"api[ -]key not valid|(?:invalid|incorrect) api[ -]?key|invalid subscription key"
            r"|无效的 ?(?:令牌|token|密钥)"
        ),
        _KEY_INVALID,
    ),
    # Gemini words a limit per minute as OpenAI words a used-up account; what follows the sentence tells them apart.
    (re.compile(r"quota exceeded for metric|gemini-api/docs/rate-limits|resource has been exhausted"), _RATE),
    (re.compile(r"exceeded your (?:current |monthly )?quota"), _QUOTA),
    (
        re.compile(
            r"maximum context length|context (?:length|window) exceed|exceeds? the (?:model's )?(?:maximum )?context"
            r"|prompt is too long|input is too long|content management policy|prompt 超长|不安全或敏感内容"
        ),
        _CALLER,
    ),
    (
        re.compile(
            r"无可用渠道|渠道失败|渠道已被禁用|没有可用的|无可用(?:账号|账户|模型|供应商)|无有效上游渠道"
            r"|供应商[^\n]{0,8}不可用|无权访问(?:任何)?模型|无权访问该分组|暂未开放"
            r"|模型[^\n]{0,80}(?:不存在|未找到|不可用|已下线|未开放|未启用)"
            r"|no (?:available|valid) (?:upstream |model )?(?:channel|account|key|candidate|provider|deployment)"
            r"|failed to get available channel|this channel has been disabled|no auth available"
            r"|no (?:deployments|endpoints|providers) (?:available|found)"
            r"|no access to (?:any )?model|not have access to (?:the )?model|no permission to access this group"
            r"|^model: |not a valid model|(?:unknown|unsupported|invalid) model\b|model disabled"
            r"|\bmodel (?:does not|not) exist|requested model is not (?:supported|available)"
            rf"|\bmodel{_NAME} (?:does not exist|(?:is |was )?not found|is not (?:available|supported|enabled|active)"
            r"|has been (?:deprecated|decommissioned|disabled|retired|removed))"
            r"|models/\S{1,128} is not (?:found|supported)|deployment for this resource does not exist"
        ),
        _NO_MODEL,
    ),
    (
        re.compile(
            r"(?:country|region|territory|location)[^.\n]{0,40} not (?:supported|available|allowed)"
            r"|not (?:supported|available) in your (?:country|region)"
        ),
        _REGION,
    ),
    (
        re.compile(
            r"(?:^|is |are |currently |temporarily )overloaded|at capacity|over capacity|capacity exceeded|high demand"
            r"|(?:server|system|service) is (?:too |currently )?busy|访问量过大|负载过高|(?:服务器?|系统)繁忙"
        ),
        _OVERLOADED,
    ),
    (
        re.compile(
            r"rate[ -]limit|too many requests|reached the (?:total )?request limit"
            r"|速率限制|请求数限制|并发数过高|频率过高|请求过于频繁|流量限制"
        ),
        _RATE,
    ),
)

_CODE_FIELDS = _words("type code status reason statuscode status_code http_code error_code error_type")
_TEXT_FIELDS = _words("message msg detail error_msg errmsg status_msg message_zh")
#: What holds further such fields. `raw` is where OpenRouter puts its own provider's error.
_NESTED_FIELDS = _words("error errors details base_resp metadata raw")
_HEARD_FIELDS = _CODE_FIELDS | _TEXT_FIELDS | _NESTED_FIELDS
#: So much of a message is read, and nothing from where validators (FastAPI, vLLM) quote the request.
_TEXT_LENGTH = 600
_QUOTED_REQUEST = re.compile(r"""['"]input['"]\s*:""")


@dataclass
class _Told:
    """What an error object says, in lower case."""

    codes: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    status: int | None = None
    """The status that it would have had."""

    def hear(self, key: str, value: object, depth: int = 0) -> None:
        """Take in the member `key` of an error object, and what is nested in it."""
        if depth > 5:
            return
        if isinstance(value, dict):
            for name, inner in value.items():
                if (lowered := str(name).lower()) in _HEARD_FIELDS:
                    self.hear(lowered, inner, depth + 1)
        elif isinstance(value, list):
            for inner in value[:8]:
                self.hear(key, inner, depth + 1)
        elif key in _CODE_FIELDS:
            self._hear_code(value)
        elif isinstance(value, str):
            self._hear_text(value, depth)

    def _hear_code(self, value: object) -> None:
        if isinstance(value, str):
            self.codes.add(value[:128].lower())
            value = int(value) if len(value) == 3 and value.isascii() and value.isdecimal() else None
        if isinstance(value, int) and 400 <= value <= 599 and self.status is None:
            self.status = int(value)

    def _hear_text(self, text: str, depth: int) -> None:
        if text.lstrip()[:1] in ("{", "["):  # another provider's whole body, as text
            nested = _read(_any_decoder, text.encode("utf-8", "replace"))
            if isinstance(nested, dict | list):
                self.hear("error", nested, depth + 1)
                return
        lowered = text[:_TEXT_LENGTH].lower()
        quoted = _QUOTED_REQUEST.search(lowered)
        self.texts.append(lowered if quoted is None else lowered[: quoted.start()])

    def wording(self) -> Verdict | None:
        """What the codes and sentences mean, where one is known."""
        if any(_SATURATED.search(text) for text in self.texts):
            return _OVERLOADED
        for code, verdict in _CODES.items():
            if code in self.codes:
                return verdict
        for pattern, verdict in _SENTENCES:
            if any(pattern.search(text) for text in self.texts):
                return verdict
        return next((verdict for code, verdict in _VAGUE_CODES.items() if code in self.codes), None)


# ---------------------------------------------------------------- judging


def judge_status(status: int) -> Verdict | None:
    """What a status alone says; None for what is no failure."""
    if 100 <= status < 400:
        return None
    if status in _TIMEOUTS:
        fault = Fault.TIMEOUT
    elif status in (401, 402):
        fault = Fault.KEY
    elif status == 429:
        fault = Fault.RATE
    elif 400 <= status < 500 and status != 425:
        fault = Fault.CALLER
    else:
        fault = Fault.CHANNEL
    return Verdict(fault, str(status))


def judge_answer(status: int, content_type: str, body: bytes, suffix: str) -> Verdict | None:
    """Judge a complete answer that is no stream; None: pass it on, it is a good one.

    `suffix` is the endpoint, e.g. `/chat/completions`. `body` has no content coding any more; only the first
    `CUT_BYTES` of it are needed.
    """
    if status >= 400:
        return _judge_refusal(status, body)
    if not 200 <= status < 300:
        return judge_status(status)
    if status in (204, 205):
        return None
    return _judge_success(content_type.lower(), body, suffix)


def judge_error(error: Fields, status: int = 200) -> Verdict:
    """What an object that is known to report an error says, in an answer with this status."""
    return _weigh(_hear(error), status)


def judge_text(body: bytes, status: int = 200) -> Verdict:
    """What a failure says that is worded in plain text."""
    told = _Told()
    told.hear("message", body[: 4 * _TEXT_LENGTH].decode("utf-8", "replace"))
    return _weigh(told, status)


def find_error(fields: Fields) -> Verdict | None:
    """The verdict on a 2xx body or an event if it reports an error, in one of the usual forms; None if it does not."""
    error = fields.get("error")
    if error is not None and not is_blank(error) and _says_something(error):
        return judge_error(fields)
    # Anthropic and OpenAI's Responses; vLLM.
    if text_of(fields.get("type")) == "error" or text_of(fields.get("object")) == "error":
        return judge_error(fields)
    outcome = fields.get("base_resp")  # MiniMax: there in every answer, 0 for success
    if outcome is not None and (read_fields(outcome) or {}).get("status_code", _ZERO) != _ZERO:
        return judge_error({"base_resp": outcome})
    return None


def find_flat_error(fields: Fields) -> Verdict | None:
    """The verdict on an object whose own members are those of an error, `{"code": 500, "message": …}`; None if not."""
    if fields.keys().isdisjoint(_TEXT_FIELDS):
        return None
    told = _hear(fields)
    return _weigh(told, 200) if told.status is not None and told.texts else None


def find_failed_choice(choice: Fields) -> Verdict | None:
    """The verdict on one of the `choices` whose generation broke off.

    OpenRouter gives `error` and `finish_reason: error` (openrouter.ai/docs/api/reference/errors-and-debugging), or only
    `native_finish_reason`; GLM `network_error`.
    """
    error = choice.get("error")
    if error is not None and not is_blank(error):
        return judge_error({"error": error})
    for key in ("finish_reason", "native_finish_reason"):
        reason = choice.get(key)
        if reason is not None and text_of(reason) in _BROKEN_OFF:
            return _IN_200
    return None


_BROKEN_OFF = frozenset({"error", "network_error"})


def _hear(fields: Fields) -> _Told:
    told = _Told()
    for key, raw in fields.items():
        if (lowered := key.lower()) in _HEARD_FIELDS:
            told.hear(lowered, _read(_any_decoder, raw))
    return told


def _weigh(told: _Told, status: int) -> Verdict:
    """Wording against status."""
    by_status = judge_status(status)
    if by_status is not None and status in _ALWAYS_CALLER:
        return by_status
    verdict = told.wording()
    if verdict is not None:
        if by_status is not None and (verdict.fault is Fault.CALLER or (verdict.fault, status) == (Fault.RATE, 429)):
            return Verdict(verdict.fault, str(status))
        return verdict
    basis = by_status if by_status is not None or told.status is None else judge_status(told.status)
    if basis is None:
        return _IN_200 if told.codes.isdisjoint(_CALLER_CODES) else _CALLER
    if basis.fault is Fault.CALLER and not told.codes.isdisjoint(_UPSTREAM_CODES):
        return _UPSTREAM
    if by_status is None and basis.fault in (Fault.CALLER, Fault.CHANNEL):
        return Verdict(basis.fault, _IN_200.cause)
    return basis


def _judge_refusal(status: int, body: bytes) -> Verdict | None:
    fields = first_object(body)
    if fields is not None:
        return judge_error(fields, status)
    if _is_markup(body):
        return HTML if status in _HTML_STATUSES else judge_status(status)
    return judge_text(body, status)


#: What an answer of an endpoint has to have. Of others any JSON object will do.
_REQUIRED = {
    "/chat/completions": "choices",
    "/completions": "choices",
    "/messages": "content",
    "/responses": "output",
    "/embeddings": "data",
}
#: Answers that may be text, or nothing at all.
_TEXT_ENDPOINTS = frozenset({"/audio/transcriptions", "/audio/translations"})
#: A good answer that nobody expected: an event stream, or something still compressed.
_OPAQUE = (b"data:", b"event:", b"id:", b"retry:", b":", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


def _judge_success(content_type: str, body: bytes, suffix: str) -> Verdict | None:
    if not body or body.isspace():
        return None if suffix in _TEXT_ENDPOINTS and content_type.startswith("text/") else EMPTY
    if body.startswith(_OPAQUE):
        return None
    required = _REQUIRED.get(suffix)
    if required == "choices":
        chat = glance(body)
        if chat is not None and all(choice.finish_reason for choice in chat.choices):
            return None
    fields = first_object(body)
    if fields is None:
        if _is_markup(body) and (required is not None or "html" in content_type):
            return HTML
        if len(body) >= CUT_BYTES or (required is None and "json" not in content_type):
            return None
        return _BROKEN if _read(_any_decoder, body) is None else (EMPTY if required else None)
    found = find_error(fields)
    if found is not None or required is None:
        return found
    value = fields.get(required)
    if value is None or bytes(value) == b"null":
        return _judge_stray(fields)
    return _CHECKS[required](fields, value)


def _judge_stray(fields: Fields) -> Verdict:
    """A success without what it had to bring: some report errors like this."""
    verdict = judge_error(fields)
    says_why = any(key.lower() in _TEXT_FIELDS or key == "errors" for key in fields)
    return EMPTY if verdict == _IN_200 and not says_why else verdict


def _check_choices(fields: Fields, value: msgspec.Raw) -> Verdict | None:
    choices = read_objects(value)
    if choices is None:
        return None
    for choice in choices:
        failed = find_failed_choice(choice)
        if failed is not None:
            return failed
    # Nothing written can be an answer; nothing written, no reason for it and nothing counted is none.
    if counts(fields.get("usage")) or any(not is_blank(each.get("finish_reason")) or says(each) for each in choices):
        return None
    return EMPTY


def _check_content(fields: Fields, value: msgspec.Raw) -> Verdict | None:
    legitimate = not is_blank(value) or not is_blank(fields.get("stop_reason")) or counts(fields.get("usage"))
    return None if legitimate else EMPTY


def _check_output(fields: Fields, value: msgspec.Raw) -> Verdict | None:
    status = text_of(fields.get("status"))
    if status == "failed":
        return _IN_200
    unfinished = status not in ("", "completed")
    return None if unfinished or not is_blank(value) or counts(fields.get("usage")) else EMPTY


def _check_data(fields: Fields, value: msgspec.Raw) -> Verdict | None:
    return EMPTY if is_blank(value) else None


_CHECKS = {"choices": _check_choices, "content": _check_content, "output": _check_output, "data": _check_data}

# ---------------------------------------------------------------- the usual answers, in one look


class Delta(msgspec.Struct, forbid_unknown_fields=True):
    """What most chunks of a chat bring; another member may mean anything."""

    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[msgspec.Raw] | None = None


class Choice(msgspec.Struct):
    """One of `choices`, of a chunk or of a complete answer (whose content is skipped)."""

    delta: Delta | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


class Chat(msgspec.Struct):
    """A chat answer or chunk."""

    choices: list[Choice]
    object: str = ""
    type: str = ""
    error: msgspec.Raw = msgspec.Raw(b"null")
    base_resp: msgspec.Raw = msgspec.Raw(b"null")


def glance(data: bytes) -> Chat | None:
    """The answer if it is a chat that looks as usual; None says nothing, only that it takes a closer look."""
    try:
        chat: Chat = _chat_decoder.decode(data)
    except _UNREADABLE:
        return None
    usual = (
        chat.choices
        and not chat.type
        and chat.object != "error"
        and is_blank(chat.error)
        and is_blank(chat.base_resp)
        and all(
            choice.finish_reason not in _BROKEN_OFF
            and choice.native_finish_reason not in _BROKEN_OFF
            and is_blank(choice.error)
            for choice in chat.choices
        )
    )
    return chat if usual else None


# ---------------------------------------------------------------- reading JSON no further than needed

_ZERO = msgspec.Raw(b"0")
_BLANKS = frozenset({b"null", b'""', b"[]", b"{}", b"false"})
_NONZERO = re.compile(rb":\s*[1-9]")
_MARKUP = re.compile(rb"\s*<[!?a-z]", re.IGNORECASE)
_BOM = b"\xef\xbb\xbf"

_chat_decoder = msgspec.json.Decoder(Chat)
_fields_decoder = msgspec.json.Decoder(Fields)
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_any_decoder: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


def read_fields(data: bytes | msgspec.Raw) -> Fields | None:
    """The members of a JSON object; None if it is none. Values are skipped, not parsed."""
    return _read(_fields_decoder, data)


def read_objects(data: bytes | msgspec.Raw) -> list[Fields] | None:
    """The objects of a JSON list; None if it is no list."""
    items = _read(_list_decoder, data)
    return None if items is None else [fields for fields in map(read_fields, items) if fields is not None]


def _read(decoder: msgspec.json.Decoder[_T], data: bytes | msgspec.Raw) -> _T | None:
    """None for what does not parse, or is something else.

    What Python's own parser takes is taken too (`NaN`, halves of surrogate pairs): models write it, and clients read
    it.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        return None
    except _UNREADABLE:
        try:
            value = json.loads(bytes(data), strict=False, parse_constant=lambda _: None)
            return decoder.decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
        except _UNREADABLE:
            return None


def first_object(data: bytes) -> Fields | None:
    """The members of a JSON object, or of the first object of a list, which is how Gemini sends errors."""
    data = data.removeprefix(_BOM)
    start = data.lstrip()[:1]
    if start == b"{":
        return read_fields(data)
    if start == b"[":
        return next(iter(read_objects(data) or ()), None)
    return None


def is_blank(raw: msgspec.Raw | None) -> bool:
    """Whether a value is absent, null, false, or an empty string, list or object."""
    if raw is None:
        return True
    value = bytes(raw)
    return value in _BLANKS or (value[:1] in b"[{" and not value[1:-1].strip())


def says(holder: Fields) -> bool:
    """Whether a choice has text, a tool call, reasoning, a refusal: anything beside its role and its number."""
    for key in ("delta", "message", "text"):
        value = holder.get(key)
        if value is None or is_blank(value):
            continue
        parts = read_fields(value)
        if parts is None or any(name not in _SILENT and not is_blank(part) for name, part in parts.items()):
            return True
    return False


_SILENT = frozenset({"role", "index", "id", "type", "object", "name"})


def counts(usage: msgspec.Raw | None) -> bool:
    """Whether a `usage` has a number other than zero."""
    return usage is not None and _NONZERO.search(bytes(usage)) is not None


def text_of(raw: msgspec.Raw | None) -> str:
    """A string without escapes, as names of types are; empty for anything else."""
    value = b"" if raw is None else bytes(raw)
    return value[1:-1].decode("utf-8", "replace") if value[:1] == b'"' else ""


def _says_something(error: msgspec.Raw) -> bool:
    """Not `{"code": 0, "message": ""}`, which some put into every answer."""
    members = read_fields(error)
    return members is None or any(not is_blank(value) and value != _ZERO for value in members.values())


def _is_markup(body: bytes) -> bool:
    return _MARKUP.match(body.removeprefix(_BOM)) is not None
