"""When a provider that refused says it may be asked again, whatever the form in which it says so. Pure; never raises.

The forms, most trusted first, are those of `_Trust`. A number of seconds goes before an instant of the same kind where
both are given: it does not depend on whose clock is right. Among hints of equal trust the latest counts, as before it
the provider would refuse again. What only describes a limit ("10 requests per minute") is no hint.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import IntEnum, auto
from typing import Annotated

import msgspec

#: No provider's error is longer; a longer body is a page, or an echo of the request.
_BODY_BYTES = 16 * 1024
#: Error objects within error objects (aggregators quote the provider's body as a string), lists among them.
_DEPTH = 12
#: Longer than any number, duration or date.
_VALUE_CHARS = 64
#: A number from here on is an instant, not a wait: 32 years as seconds, September 2001 as seconds since 1970.
_EPOCH_FROM = 1e9
#: Seconds, milliseconds, microseconds, nanoseconds since 1970: below which number, and by what it is divided.
_EPOCH_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))


class _Trust(IntEnum):
    """The forms of a hint, in order of trust."""

    RETRY_AFTER_MS = auto()
    """Azure's; OpenAI's SDKs read it first (openai/openai-python, `_base_client.py`)."""
    RETRY_AFTER = auto()
    """RFC 9110, section 10.2.3."""
    RATE_LIMIT_HEADERS = auto()
    ANTHROPIC_HEADERS = auto()
    CODEX_HEADERS = auto()
    RETRY_INFO = auto()
    """google.rpc.RetryInfo in the body: https://github.com/googleapis/python-genai/issues/1875."""
    QUOTED_HEADERS = auto()
    """Headers within a body, as OpenRouter's: https://github.com/QuantumNous/new-api/issues/977."""
    SECONDS = auto()
    INSTANT = auto()
    MESSAGE = auto()


_Hint = tuple[_Trust, float]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


def retry_after_s(headers: Mapping[str, str], body: bytes, now_unix_s: float) -> float | None:
    """How many seconds from now until the provider may be asked again; None when it gives no hint.

    `headers` are those of the refusal, names in lower case; `body` is its body without content encoding, of which the
    first 16 KiB are read. The result is finite, at least 0 (an instant in the past) and not capped. Never raises.
    """
    hints = list(_header_hints(headers, now_unix_s)) or list(_body_hints(body, now_unix_s))
    return _best(hints)


def _best(hints: Iterable[_Hint]) -> float | None:
    """The latest of the most trusted hints."""
    found = list(hints)
    if not found:
        return None
    most = min(trust for trust, _ in found)
    return max(delay_s for trust, delay_s in found if trust is most)


# --- Values -----------------------------------------------------------------------------------------------------------

#: Go's durations (OpenAI: `6m0s`, `120ms`; Groq: `2m59.56s`), protobuf's (`34.07s`) and those of messages, in seconds.
_UNITS_S = {
    **dict.fromkeys(("ns",), 1e-9),
    **dict.fromkeys(("us", "\u00b5s", "\u03bcs"), 1e-6),
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds", "毫秒"), 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "秒", "秒钟"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "分", "分钟"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "小时", "个小时"), 3600.0),
    **dict.fromkeys(("d", "day", "days", "天"), 86400.0),
}
_FLAGS = re.IGNORECASE | re.ASCII
# Every repetition in these patterns is bounded, and a duration once matched is not tried in parts: time is linear.
_NUMBER = r"\d{1,12}(?:\.\d{1,20})?"
_UNIT = "|".join(sorted(map(re.escape, _UNITS_S), key=len, reverse=True))
_PART = rf"{_NUMBER} ?(?:{_UNIT})(?![a-z])"
_DURATION = rf"(?<![\d.])(?>{_PART}(?:,? ?(?:and )?{_PART}){{0,5}})"
_WHOLE_DURATION = re.compile(_DURATION, _FLAGS)
_COMPONENT = re.compile(rf"({_NUMBER}) ?({_UNIT})(?![a-z])", _FLAGS)

#: The three forms of RFC 9110, section 5.6.7; email.utils alone would accept, and misread, much that is no date.
_HTTP_DATE = re.compile(
    r"[a-z]{3}, \d{1,2} [a-z]{3} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})"
    r"|[a-z]{6,9}, \d\d-[a-z]{3}-\d\d \d\d:\d\d:\d\d GMT"
    r"|[a-z]{3} [a-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4}",
    _FLAGS,
)


def _delay_s(value: object, now_unix_s: float) -> float | None:
    """A number of seconds, a duration, or an instant, as seconds from now; None for everything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_number(value, now_unix_s)
    if not isinstance(value, str) or len(value) > _VALUE_CHARS:
        return None
    text = value.strip()
    number = _number(text)
    if number is not None:
        return _from_number(number, now_unix_s)
    if _WHOLE_DURATION.fullmatch(text):
        return _duration_s(text)
    return _until(_instant(text), now_unix_s)


def _number(text: str) -> float | None:
    try:
        return float(text) if len(text) <= _VALUE_CHARS else None
    except ValueError:
        return None


def _from_number(number: float, now_unix_s: float) -> float | None:
    # Negated, so that NaN is none of them. -1 is Azure's "unknown".
    if not number >= 0:
        return None
    if number < _EPOCH_FROM:
        return float(number)
    return next((_until(number / scale, now_unix_s) for below, scale in _EPOCH_UNITS if number < below), None)


def _until(instant_unix_s: float | None, now_unix_s: float) -> float | None:
    if instant_unix_s is None:
        return None
    delay_s = instant_unix_s - now_unix_s
    return max(0.0, delay_s) if math.isfinite(delay_s) else None


def _duration_s(text: str) -> float:
    return sum(float(number) * _UNITS_S[unit.lower()] for number, unit in _COMPONENT.findall(text))


def _instant(text: str) -> float | None:
    """An RFC 3339 timestamp or an HTTP-date, in seconds since 1970. Without a zone it says nothing."""
    try:
        return msgspec.convert(text, _Instant).timestamp()
    except (msgspec.ValidationError, UnicodeError):
        pass
    if not _HTTP_DATE.fullmatch(text):
        return None
    try:
        date = parsedate_to_datetime(text)
        # asctime's form names no zone: it is UTC (RFC 9110, section 5.6.7).
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


# --- Headers ----------------------------------------------------------------------------------------------------------

#: Claude subscriptions: `-5h-`, `-7d-`, `-7d_oi-` and so on. Not `-overage-`, which is `rejected` on each answer of an
#: account that may not overdraw: https://github.com/anthropics/claude-code/issues/41506
_UNIFIED = "anthropic-ratelimit-unified"
_UNIFIED_WINDOW_STATUS = re.compile(rf"{_UNIFIED}-(\d{{1,3}}[a-z][a-z0-9_]{{0,20}})-status", _FLAGS)
#: `seven_day_overage_included` is the window `7d_oi`: https://github.com/router-for-me/CLIProxyAPI/issues/5915
_CLAIM_WORDS = (("five_hour", "5h"), ("seven_day", "7d"), ("overage_included", "oi"))
#: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/, sent by Cloudflare: `"default";r=0;t=50`.
_QUOTA_EXHAUSTED = re.compile(r"; ?r=0(?!\d)", _FLAGS)
_QUOTA_RESET = re.compile(r"; ?t=(\d{1,12})", _FLAGS)


def _header_hints(headers: Mapping[str, str], now_unix_s: float) -> Iterator[_Hint]:
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None and 0 <= milliseconds < math.inf:
        yield _Trust.RETRY_AFTER_MS, milliseconds / 1000
    yield from _hint(_Trust.RETRY_AFTER, headers.get("retry-after"), now_unix_s)
    yield from _exhausted_dimensions(headers, now_unix_s)
    for reset in _unified_resets(headers):
        yield from _hint(_Trust.ANTHROPIC_HEADERS, reset, now_unix_s)
    yield from _codex_windows(headers, now_unix_s)


def _hint(trust: _Trust, value: object, now_unix_s: float) -> Iterator[_Hint]:
    delay_s = _delay_s(value, now_unix_s)
    if delay_s is not None:
        yield trust, delay_s


def _exhausted_dimensions(headers: Mapping[str, str], now_unix_s: float) -> Iterator[_Hint]:
    """The resets of the dimensions of which nothing remains; the others reset too, but are not why it refused.

    OpenAI and Groq: `x-ratelimit-{remaining,reset}-{requests,tokens}`, durations
    (https://platform.openai.com/docs/guides/rate-limits, https://console.groq.com/docs/rate-limits).
    OpenRouter and others: `x-ratelimit-{remaining,reset}`, milliseconds or seconds since 1970; some
    `x-ratelimit-reset-after`, in seconds. Anthropic: `anthropic-ratelimit-{requests,tokens,...}-{remaining,reset}`, RFC
    3339 (https://docs.anthropic.com/en/api/rate-limits#response-headers). `ratelimit-{remaining,reset}`: early drafts
    of the IETF, in seconds. Azure sends -1 for a remainder that it does not know, and then 0 for the reset
    (https://github.com/openai/openai-dotnet/issues/838).
    """
    for name, value in headers.items():
        if "ratelimit" not in name:
            continue
        if "remaining" in name and _number(value) == 0:
            trust = _Trust.ANTHROPIC_HEADERS if name.startswith("anthropic-") else _Trust.RATE_LIMIT_HEADERS
            resets = (headers.get(name.replace("remaining", reset)) for reset in ("reset-after", "reset"))
            delays = (delay_s for reset in resets if (delay_s := _delay_s(reset, now_unix_s)) is not None)
            yield from ((trust, delay_s) for delay_s in list(delays)[:1])
        elif name == "ratelimit":
            for quota in value[: 16 * _VALUE_CHARS].split(","):
                reset_s = _QUOTA_RESET.search(quota)
                if reset_s and _QUOTA_EXHAUSTED.search(quota):
                    yield from _hint(_Trust.RATE_LIMIT_HEADERS, reset_s[1], now_unix_s)


def _unified_resets(headers: Mapping[str, str]) -> list[str]:
    """When the windows of a Claude subscription that reject are free again, seconds since 1970.

    Known from clients that read them: https://github.com/anthropics/claude-code/issues/12829,
    https://github.com/router-for-me/CLIProxyAPI/issues/4874. The representative claim names the window that decided,
    for answers that do not mark windows one by one.
    """
    status = headers.get(f"{_UNIFIED}-status")
    if status is not None and status != "rejected":
        return []
    windows = {match[1]: value for name, value in headers.items() if (match := _UNIFIED_WINDOW_STATUS.fullmatch(name))}
    rejecting = {window for window, window_status in windows.items() if window_status == "rejected"}
    claim = headers.get(f"{_UNIFIED}-representative-claim", "")[:_VALUE_CHARS]
    for words, short in _CLAIM_WORDS:
        claim = claim.replace(words, short)
    if status == "rejected" and windows.get(claim, "rejected") == "rejected":
        rejecting.add(claim)
    resets = [reset for window in rejecting if (reset := headers.get(f"{_UNIFIED}-{window}-reset"))]
    if status == "rejected" and not resets:
        resets = [headers.get(f"{_UNIFIED}-reset", "")]
    return resets


def _codex_windows(headers: Mapping[str, str], now_unix_s: float) -> Iterator[_Hint]:
    """The used-up windows of a ChatGPT subscription: https://github.com/icebear0828/codex-proxy/issues/65."""
    for window in ("x-codex-primary", "x-codex-secondary"):
        used_percent = _number(headers.get(f"{window}-used-percent", ""))
        if used_percent is not None and used_percent >= 100:
            yield from _hint(_Trust.CODEX_HEADERS, headers.get(f"{window}-reset-after-seconds"), now_unix_s)


# --- Bodies -----------------------------------------------------------------------------------------------------------

#: Fields that say when, without case and punctuation (`retry_after`, `retryAfter`, `Retry-After`). Codex:
#: https://github.com/earendil-works/pi/issues/4172 (`resets_at`, `resets_in_seconds`); Gemini Code Assist:
#: https://github.com/google-gemini/gemini-cli/issues/29425 (`quotaResetDelay`); Cloudflare (`retry_after`):
#: https://developers.cloudflare.com/changelog/post/2026-03-12-retry-after-header-for-1xxx-errors.
_MILLISECONDS = frozenset(
    {"retryafterms", "retryaftermillis", "retryaftermilliseconds", "retrydelayms", "resetafterms", "resetsinms"}
)
_FIELDS = {
    **dict.fromkeys(_MILLISECONDS, _Trust.SECONDS),
    **dict.fromkeys(
        (
            *("retryafter", "retryafters", "retryaftersec", "retryafterseconds", "retryin", "retryinseconds"),
            *("retrydelay", "retrydelayseconds", "waitseconds", "cooldownseconds", "quotaresetdelay"),
            *("resetseconds", "resetinseconds", "resetsinseconds", "resetin", "resetsin"),
            *("resetafter", "resetafterseconds", "resetsafterseconds"),
        ),
        _Trust.SECONDS,
    ),
    **dict.fromkeys(
        ("resetat", "resetsat", "resettime", "resettimestamp", "retryat", "quotaresettimestamp"), _Trust.INSTANT
    ),
}
#: Where an error's words and its further parts are (OpenRouter's `metadata.raw` quotes the provider).
#: What is elsewhere was written by a user or a model.
_PARTS = frozenset(
    {
        *("error", "errors", "detail", "details", "metadata", "message", "msg", "errormessage", "errormsg"),
        *("description", "errordescription", "reason", "title", "raw", "innererror", "upstreamerror", "cause"),
        *("response", "data"),
    }
)
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"

#: `"retryDelay": "26s"` in a text: JSON that was cut, or that is quoted in a message, so perhaps with backslashes.
_NAMED = re.compile(
    r"""(?<![a-z0-9_-])((?:quota|retry|reset|wait|cooldown)[a-z_-]{0,24})"""
    r"""[\\"']{0,8} ?[:=] ?[\\"']{0,8}([^\s"'\\,;)}\]]{1,64})""",
    _FLAGS,
)
#: OpenAI, Groq: `Please try again in 1m47.5854s` (https://github.com/bklieger-groq/stockbot-on-groq/issues/46); Azure:
#: `Please retry after 37 seconds` (https://learn.microsoft.com/answers/questions/2140040); Gemini: `Please retry in
#: 45.1s`, `Your quota will reset after 12h34m16s` (https://github.com/earendil-works/pi/issues/2851); Codex: `try again
#: in 4 days 20 hours 9 minutes` (https://github.com/openai/codex/issues/3257); Copilot: `Please wait 8 hours 24
#: minutes` (https://github.com/microsoft/vscode-copilot-release/issues/3210).
_AFTER = re.compile(
    rf"(?:\b(?:try(?:ing)?|retry(?:ing)?|available|resets?|refreshes|expires)(?: again| (?:your|the|this) request)?"
    rf":? ?(?:in|after):?|\bwait(?: for| at least| another)?:?) "
    rf"(?:about |around |approximately |at least |~ ?)?({_DURATION})",
    _FLAGS,
)
#: `请在 30 秒后重试`, `请 5 分钟后再试`; not NewAPI's `1分钟内最多请求10次`, which is the limit.
_AFTER_CHINESE = re.compile(
    rf"({_DURATION}) ?(?:之后|以后|后)[^\d\n。]{{0,8}}?(?:试|重置|恢复|解除|继续|可用)"
    rf"|(?:等待|请等|稍等|再等|剩余|还需)[^\d\n。]{{0,6}}({_DURATION})",
    _FLAGS,
)
#: `Claude AI usage limit reached|1762952400`: https://github.com/anthropics/claude-code/issues/11429
_AFTER_BAR = re.compile(r"limit reached\|(\d{10,13})(?!\d)", _FLAGS)
#: A protobuf as text, as Google's Python client writes it: https://github.com/langchain-ai/langchain-google/issues/945
_AFTER_PROTOBUF = re.compile(r"retry_delay:? ?\{ ?seconds: (\d{1,12})(?!\d)", _FLAGS)
#: `You will regain access on 2026-04-01 at 00:00 UTC.` (https://github.com/anthropics/claude-code/issues/38035);
#: `将在 2026-09-11 18:33:27 UTC+8 重置` (https://github.com/Sliverkiss/workbuddy2api/issues/31).
_AT = re.compile(
    r"(?:\b(?:access|again|retry|resets?|available|until)(?: on| at| after)?|将(?:在|于)?) ?"
    r"(\d{4}-\d\d-\d\d)(?:T| at | )(\d\d:\d\d)(:\d\d)?(?:\.\d{1,9})? ?"
    r"(?:Z|(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?|UTC|GMT)(?![\w:])",
    _FLAGS,
)


def _body_hints(body: bytes, now_unix_s: float) -> Iterator[_Hint]:
    text = body[:_BODY_BYTES].decode("utf-8", "replace").lstrip("\ufeff").strip()
    if not text.startswith(("data:", "event:", "id:", "retry:", ":")):
        yield from _hints_in(text, now_unix_s, _DEPTH)
        return
    for line in text.splitlines():
        if line.startswith("data:"):
            yield from _hints_in(line[5:].strip(), now_unix_s, _DEPTH)


def _hints_in(node: object, now_unix_s: float, depth: int) -> Iterator[_Hint]:
    """The hints of an error: JSON as it was decoded, or a text, which may be JSON itself."""
    if depth == 0:
        return
    if isinstance(node, str):
        document = _decoded(node)
        if document is None:
            yield from _hints_in_text(node, now_unix_s)
        else:
            yield from _hints_in(document, now_unix_s, depth - 1)
    elif isinstance(node, list):
        for item in node:
            yield from _hints_in(item, now_unix_s, depth - 1)
    elif isinstance(node, dict):
        for key, value in node.items():
            name = _plain(key)
            if name == "headers" and isinstance(value, dict):
                quoted = {key.lower(): item for key, item in value.items() if isinstance(item, str)}
                yield from _with_trust(_Trust.QUOTED_HEADERS, _best(_header_hints(quoted, now_unix_s)))
            elif name in _FIELDS:
                is_retry_info = node.get("@type") == _RETRY_INFO
                yield from _named_hint(name, value, now_unix_s, _Trust.RETRY_INFO if is_retry_info else _FIELDS[name])
            elif name in _PARTS:
                yield from _hints_in(value, now_unix_s, depth - 1)


def _decoded(text: str) -> object:
    """The JSON array or object that `text` is, or None."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _hints_in_text(text: str, now_unix_s: float) -> Iterator[_Hint]:
    line = " ".join(text.split())
    for match in _NAMED.finditer(line):
        name = _plain(match[1])
        if name in _FIELDS:
            yield from _named_hint(name, match[2].rstrip("."), now_unix_s, _FIELDS[name])
    for pattern in (_AFTER, _AFTER_CHINESE):
        for match in pattern.finditer(line):
            yield _Trust.MESSAGE, _duration_s(match[match.lastindex or 0])
    for pattern in (_AFTER_BAR, _AFTER_PROTOBUF):
        for match in pattern.finditer(line):
            yield from _hint(_Trust.MESSAGE, match[1], now_unix_s)
    for match in _AT.finditer(line):
        date, minutes, seconds, sign, zone_hours, zone_minutes = match.groups()
        zone = f"{sign}{zone_hours:0>2}:{zone_minutes or '00'}" if sign else "Z"
        yield from _hint(_Trust.MESSAGE, f"{date}T{minutes}{seconds or ':00'}{zone}", now_unix_s)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _named_hint(name: str, value: object, now_unix_s: float, trust: _Trust) -> Iterator[_Hint]:
    delay_s = _delay_s(value, now_unix_s)
    if delay_s is not None and name in _MILLISECONDS and _is_number(value):
        delay_s /= 1000
    yield from _with_trust(trust, delay_s)


def _is_number(value: object) -> bool:
    return not isinstance(value, str) or _number(value.strip()) is not None


def _with_trust(trust: _Trust, delay_s: float | None) -> Iterator[_Hint]:
    if delay_s is not None:
        yield trust, delay_s
