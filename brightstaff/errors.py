"""Errors in the form that OpenAI's SDKs understand: status, and `{"error": {message, type, param, code}}`.

The form and the types are those of https://platform.openai.com/docs/guides/error-codes.
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

    def body(self) -> bytes:
        """The JSON body."""
        return msgspec.json.encode(
            {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}
        )
