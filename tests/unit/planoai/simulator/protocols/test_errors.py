"""planoai.simulator.protocols.errors: errors in the form of the path."""

import json

import pytest

from planoai.simulator.protocols.errors import error_body, error_event
from planoai.simulator.request_facts import RequestFacts, read_request


def facts(path: str) -> RequestFacts:
    return read_request("POST", path, [], b"{}")


CHAT, MESSAGES, RESPONSES = facts("/v1/chat/completions"), facts("/v1/messages"), facts("/v1/responses")


@pytest.mark.parametrize(
    ("status", "kind", "code", "anthropic"),
    [
        (401, "invalid_request_error", "invalid_api_key", "authentication_error"),
        (429, "requests", "rate_limit_exceeded", "rate_limit_error"),
        (503, "server_error", "overloaded", "api_error"),
        (529, "server_error", "overloaded", "overloaded_error"),
        (418, "invalid_request_error", None, "invalid_request_error"),
        (599, "server_error", None, "api_error"),
    ],
)
def test_words(status: int, kind: str, code: str | None, anthropic: str) -> None:
    """Type and code as each provider has them; unknown statuses are of the caller or of the server."""
    error = error_body(CHAT, status, "1")["error"]
    assert (kind, code) == (error["type"], error["code"])
    assert anthropic == error_body(MESSAGES, status, "1")["error"]["type"]


def test_own_message() -> None:
    """A message replaces the usual one in both forms."""
    assert ["x", "x"] == [error_body(each, 400, "1", "x")["error"]["message"] for each in (CHAT, MESSAGES)]


def test_events() -> None:
    """A chat stream has the body as data; the others name the event."""
    events = [error_event(each, True, "1") for each in (CHAT, MESSAGES, RESPONSES)]
    assert [None, "error", "error"] == [each.name for each in events]
    chat, anthropic, responses = [json.loads(each.data) for each in events]
    assert chat["error"]["code"] == "overloaded"
    assert anthropic["error"]["type"] == "overloaded_error"
    assert (responses["type"], responses["code"]) == ("error", "server_error")
    assert {b'{"x":1}'} == {error_event(each, {"x": 1}, "1").data for each in (CHAT, MESSAGES, RESPONSES)}
