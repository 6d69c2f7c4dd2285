"""What a client of the official SDK sees of one request, as a plain value."""

from dataclasses import dataclass
from typing import Any

import openai


@dataclass(frozen=True)
class Seen:
    """An answer, or the error that the SDK raised for it."""

    status: int
    text: str = ""
    """The content, put together; of an error, its message."""
    attempts: str = ""
    model: str = ""
    """`x-plano-model`."""
    request_id: str = ""
    retry_after: str | None = None
    roles: int = 0
    """How often a stream began."""
    ends: int = 0
    """How often it gave a finish_reason."""
    error: str = ""
    """The type of the SDK's exception."""

    @property
    def hops(self) -> list[tuple[str, str]]:
        """Channel and outcome of each attempt."""
        pairs = [hop.partition("=") for hop in self.attempts.split(", ") if hop]
        return [(channel, rest.partition("/")[0]) for channel, _, rest in pairs]


def ask(url: str, model: str, *, stream: bool, content: str = "Hello!", timeout_s: float = 30, **headers: str) -> Seen:
    """One chat completion through the SDK, without its own retries."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with openai.OpenAI(base_url=f"{url}/v1", api_key="anything", max_retries=0, timeout=timeout_s) as client:
        try:
            raw = client.chat.completions.with_raw_response.create(
                model=model, messages=[{"role": "user", "content": content}], stream=stream, extra_headers=named
            )
        except openai.APIStatusError as error:
            return _error(error)
        told = _told(raw.status_code, raw.headers)
        if not stream:
            answer = raw.parse()
            assert isinstance(answer, openai.types.chat.ChatCompletion), answer
            return Seen(**told, text=answer.choices[0].message.content or "", roles=1, ends=1)
        parts: list[str] = []
        roles = ends = 0
        try:
            for chunk in raw.parse():
                for choice in chunk.choices:
                    roles += choice.delta.role is not None
                    ends += choice.finish_reason is not None
                    parts.append(choice.delta.content or "")
        except openai.APIError as error:
            return Seen(**told, text="".join(parts), roles=roles, ends=ends, error=f"{type(error).__name__}: {error}")
        return Seen(**told, text="".join(parts), roles=roles, ends=ends)


def _error(error: openai.APIStatusError) -> Seen:
    return Seen(**_told(error.status_code, error.response.headers), text=error.message, error=type(error).__name__)


def _told(status: int, headers: Any) -> dict[str, Any]:
    return {
        "status": status,
        "attempts": headers.get("x-plano-attempts", ""),
        "model": headers.get("x-plano-model", ""),
        "request_id": headers.get("x-plano-request-id", ""),
        "retry_after": headers.get("retry-after"),
    }
