"""What a client saw of one request, and whether that is well. Pure."""

import json
from dataclasses import dataclass
from typing import Literal

from planoai.chaos.kinds import Kind

Mark = Literal["answered", "told", "broken"]
"""A whole answer; a clear error, where there could be no answer; something that a client can make nothing of."""


@dataclass(frozen=True)
class Seen:
    """What came back."""

    status: int
    """0: no answer."""
    body: str = ""
    served: str = ""
    """`x-plano-model`."""
    attempts: str = ""
    """`x-plano-attempts`."""
    retry_after: str | None = None
    cut: bool = False
    """Whether the connection ended before the answer did."""
    timed_out: bool = False


@dataclass(frozen=True)
class Verdict:
    """What to tell about it."""

    mark: Mark
    text: str


def judge(seen: Seen, kind: Kind, *, stream: bool) -> Verdict:
    """The verdict on what a client saw when its channel failed like this."""
    if seen.timed_out or seen.status == 0:
        return Verdict("broken", "no answer" if seen.status == 0 else "an answer without an end")
    if seen.status == 200:
        return _judge_stream(seen) if stream else _judge_json(seen)
    if _error_of(seen.body) is None:
        return Verdict("broken", f"{seen.status} without a word why")
    later = f", come back in {seen.retry_after} s" if seen.retry_after else ""
    passed = " (passed on, as it should be)" if kind.callers else ""
    return Verdict("told", f"{seen.status}{later}{passed}{_after(seen)}")


def _judge_json(seen: Seen) -> Verdict:
    fields = _object(seen.body)
    if seen.cut or fields is None or not fields.get("choices"):
        return Verdict("broken", "200 without an answer")
    return _answered(seen)


def _judge_stream(seen: Seen) -> Verdict:
    beginnings, ends = seen.body.count('"role":"assistant"'), seen.body.count("data: [DONE]")
    error = '"error"' in seen.body
    if beginnings > 1 or ends > 1:
        return Verdict("broken", "two answers in one")
    if beginnings == ends == 1 and not (seen.cut or error):
        return _answered(seen)
    if error and not seen.cut:
        return Verdict("told", "an error event after content" if beginnings else "an error event")
    return Verdict("broken", "a stream without an end")


def _answered(seen: Seen) -> Verdict:
    other = " (another model)" if ";other-model" in seen.attempts else ""
    return Verdict("answered", f"{seen.served}{other}{_after(seen)}")


def _after(seen: Seen) -> str:
    number = seen.attempts.count(",") + 1 if seen.attempts else 0
    return f", attempt {number}" if number > 1 else ""


def _error_of(body: str) -> object:
    fields = _object(body)
    return None if fields is None else fields.get("error")


def _object(body: str) -> dict[str, object] | None:
    try:
        fields = json.loads(body)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None
