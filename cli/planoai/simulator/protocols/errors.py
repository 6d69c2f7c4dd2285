"""Errors in the words of OpenAI and of Anthropic."""

from typing import Any

from planoai.simulator.protocols.stream import event
from planoai.simulator.request_facts import Endpoint, RequestFacts
from planoai.simulator.sse import Event

#: status → type, code and message, as https://platform.openai.com/docs/guides/error-codes has them.
_OPENAI: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "The request is not valid."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: ("insufficient_quota", "insufficient_quota", "Payment required: the account has no credit left."),
    403: ("invalid_request_error", "permission_denied", "The key is not allowed to use this."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    405: ("invalid_request_error", "method_not_supported", "This method is not allowed here."),
    408: ("timeout", None, "The request timed out."),
    413: ("invalid_request_error", "request_too_large", "The request is too large."),
    422: ("invalid_request_error", None, "The request could not be processed."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", None, "The server had an error while processing your request."),
    502: ("server_error", None, "Bad gateway."),
    503: ("server_error", "overloaded", "The engine is currently overloaded, please try again later."),
    504: ("server_error", None, "Gateway timeout."),
    529: ("server_error", "overloaded", "The engine is currently overloaded, please try again later."),
}

#: status → type, as https://docs.anthropic.com/en/api/errors has them.
_ANTHROPIC: dict[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(facts: RequestFacts, status: int, number: str, message: str | None = None) -> dict[str, Any]:
    """The error for `status` in the protocol of the path."""
    kind, code, usual = _OPENAI.get(
        status, ("server_error", None, "The provider failed.") if status >= 500 else _OPENAI[400]
    )
    if facts.endpoint.speaks_anthropic:
        anthropic = _ANTHROPIC.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return {
            "type": "error",
            "error": {"type": anthropic, "message": message or usual},
            "request_id": f"req_sim_{number}",
        }
    return {"error": {"message": message or usual, "type": kind, "param": None, "code": code}}


def error_event(facts: RequestFacts, given: bool | dict[str, Any], number: str) -> Event:
    """The event that tells of an error within a stream: `given` itself, or the usual one of an overloaded provider."""
    if facts.endpoint is Endpoint.RESPONSES:
        usual: dict[str, Any] = {
            "type": "error",
            "code": "server_error",
            "message": _OPENAI[503][2],
            "param": None,
            "sequence_number": 0,
        }
        return event(given if isinstance(given, dict) else usual, "error")
    if facts.endpoint.speaks_anthropic:
        return event(given if isinstance(given, dict) else error_body(facts, 529, number), "error")
    return event(given if isinstance(given, dict) else error_body(facts, 503, number))
