"""Errors in the form that the client's SDK understands.

OpenAI's: `{"error": {message, type, param, code}}` (https://platform.openai.com/docs/guides/error-codes). Anthropic's:
`{"type": "error", "error": {type, message}}` (https://docs.claude.com/en/api/errors).
"""

from dataclasses import dataclass

import msgspec

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}

_ANTHROPIC_TYPES = {
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


@dataclass(frozen=True)
class APIError:
    """An error of the gateway itself, for the client."""

    status: int
    code: str
    """Stable and machine-readable, e.g. `model_not_found`."""
    message: str
    """What happened and what to do."""
    param: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def type(self) -> str:
        """OpenAI's error type for the status."""
        return _TYPES.get(self.status, "api_error")

    def body(self, suffix: str = "") -> bytes:
        """The JSON body for a client of this endpoint, e.g. `/messages`."""
        if suffix.startswith("/messages"):
            return msgspec.json.encode({"type": "error", "error": self._anthropic()})
        return msgspec.json.encode({"error": self._openai()})

    def event(self, suffix: str) -> bytes:
        """The event that ends a stream of this endpoint which has begun."""
        if suffix == "/messages":
            return b"event: error\ndata: " + self.body(suffix) + b"\n\n"
        if suffix == "/responses":
            # Clients of this API take `response.failed` for an end; some ignore an `error` event.
            failed = {"object": "response", "status": "failed", "error": {"code": self.code, "message": self.message}}
            data = msgspec.json.encode({"type": "response.failed", "response": failed})
            return b"event: response.failed\ndata: " + data + b"\n\n"
        return b"data: " + self.body(suffix) + b"\n\n"

    def _openai(self) -> dict[str, str | None]:
        return {"message": self.message, "type": self.type, "param": self.param, "code": self.code}

    def _anthropic(self) -> dict[str, str]:
        return {"type": _ANTHROPIC_TYPES.get(self.status, "api_error"), "message": self.message}
