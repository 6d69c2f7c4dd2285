"""planoai.chaos.verdicts: what a client saw, and whether that is well."""

import json

import pytest

from planoai.chaos.kinds import Kind, find_kind
from planoai.chaos.verdicts import Seen, Verdict, judge

ERROR = '{"error":{"message":"no"}}'
JSON = json.dumps({"object": "chat.completion", "choices": [{"message": {"content": "x"}}]})
BEGIN = 'data: {"choices":[{"delta":{"role":"assistant","content":"x"}}]}\n\n'
DONE = "data: [DONE]\n\n"
EVENT = f"data: {ERROR}\n\n"
TWO = "a/m=429/1ms, b/m=200/2ms"


def kind(name: str) -> Kind:
    """By its name."""
    found = find_kind(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("seen", "name", "expected"),
    [
        (Seen(200, JSON, "b/m", TWO), "429", Verdict("answered", "b/m, attempt 2")),
        (Seen(200, JSON, "a/m", "a/m=200/1ms"), "429", Verdict("answered", "a/m")),
        (Seen(200, JSON, "b/m", f"{TWO};other-model"), "429", Verdict("answered", "b/m (another model), attempt 2")),
        (Seen(429, ERROR, "a/m", TWO, "7"), "429", Verdict("told", "429, come back in 7 s, attempt 2")),
        (Seen(400, ERROR, "a/m"), "400", Verdict("told", "400 (passed on, as it should be)")),
        (Seen(503, "upstream connect error"), "503", Verdict("broken", "503 without a word why")),
        (Seen(503, "[]"), "503", Verdict("broken", "503 without a word why")),
        (Seen(200, ""), "empty", Verdict("broken", "200 without an answer")),
        (Seen(200, ERROR), "error-in-200", Verdict("broken", "200 without an answer")),
        (Seen(200, JSON, cut=True), "reset", Verdict("broken", "200 without an answer")),
        (Seen(0, timed_out=True), "no-answer", Verdict("broken", "no answer")),
        (Seen(200, timed_out=True), "no-answer", Verdict("broken", "an answer without an end")),
    ],
)
def test_json(seen: Seen, name: str, expected: Verdict) -> None:
    """A whole answer, a clear error, or nonsense."""
    assert expected == judge(seen, kind(name), stream=False)


BEGUN = BEGIN.replace(" ", "")


@pytest.mark.parametrize(
    ("seen", "name", "expected"),
    [
        (Seen(200, BEGUN + DONE, "b/m", TWO), "429", Verdict("answered", "b/m, attempt 2")),
        (Seen(200, BEGUN + EVENT), "error-after-content", Verdict("told", "an error event after content")),
        (Seen(200, EVENT), "error-in-200", Verdict("told", "an error event")),
        (Seen(200, BEGUN, cut=True), "cut-after-content", Verdict("broken", "a stream without an end")),
        (Seen(200, BEGUN, cut=True), "reset", Verdict("broken", "a stream without an end")),
        (Seen(200, ""), "empty", Verdict("broken", "a stream without an end")),
        (Seen(200, BEGUN + BEGUN + DONE), "429", Verdict("broken", "two answers in one")),
        (Seen(503, ERROR), "503", Verdict("told", "503")),
    ],
)
def test_streams(seen: Seen, name: str, expected: Verdict) -> None:
    """Exactly one beginning and one end, or an error event."""
    assert expected == judge(seen, kind(name), stream=True)
