"""What a caller may ask for in request headers: no failover, fewer attempts, an answer by a certain time. Pure."""

from collections.abc import Mapping

from brightstaff.errors import APIError
from brightstaff.request_body import BadRequestError
from brightstaff.retry import Limits

FALLBACK = "x-plano-fallback"
MAX_ATTEMPTS = "x-plano-max-attempts"
TIMEOUT_MS = "x-plano-timeout-ms"


def read_limits(fields: Mapping[str, str], now_s: float, max_attempts: int) -> Limits:
    """The limits of a request. `max_attempts` is the gateway's own. Raises BadRequestError."""
    fallback = fields.get(FALLBACK, "on").strip().lower()
    if fallback not in ("on", "off"):
        raise _bad(FALLBACK, "`off` (this channel or an error) or `on`")
    attempts = _positive(fields, MAX_ATTEMPTS, "a whole number of attempts, the first included")
    timeout_ms = _positive(fields, TIMEOUT_MS, "a whole number of milliseconds")
    return Limits(
        max_attempts=max_attempts if attempts is None else min(attempts, max_attempts),
        deadline_s=None if timeout_ms is None else now_s + timeout_ms / 1000,
        fallback=fallback == "on",
    )


def _positive(fields: Mapping[str, str], name: str, kind: str) -> int | None:
    text = fields.get(name)
    if text is None:
        return None
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 12 and int(text) > 0):
        raise _bad(name, f"{kind}, at least 1")
    return int(text)


def _bad(name: str, expected: str) -> BadRequestError:
    return BadRequestError(APIError(400, "invalid_header", f"The header {name} must be {expected}.", name))
