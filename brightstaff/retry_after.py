"""When a provider that refused says that it may be asked again. Pure; never raises.

`Retry-After` in both of its forms (RFC 9110, section 10.2.3), OpenAI's and Azure's `retry-after-ms`, and Gemini's
`RetryInfo` in the body (google.rpc.RetryInfo: `retryDelay` in seconds, as "34.07s").
"""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

#: So much of a body is looked at.
_LOOKED_AT_BYTES = 16 * 1024
_RETRY_INFO = re.compile(rb'google\.rpc\.RetryInfo"[^{}]{0,200}"retryDelay"\s*:\s*"(\d{1,9}(?:\.\d{1,9})?)s"')


def retry_after_s(headers: Mapping[str, str], body: bytes, now_unix_s: float) -> float | None:
    """Seconds from now, at least 0; None without a hint. `headers` has names in lower case."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None:
        return seconds
    moment = None if text is None else _unix_s(text)
    if moment is not None:
        return max(0.0, moment - now_unix_s)
    told = _RETRY_INFO.search(body[:_LOOKED_AT_BYTES])
    return None if told is None else float(told.group(1))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _unix_s(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
