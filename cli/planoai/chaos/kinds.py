"""The failures that `planoai chaos` tries, as behaviours of a simulated provider. Pure."""

from dataclasses import dataclass

from planoai.simulator import Behaviour

#: Time-outs of the tried configuration are not longer than these; otherwise trying would take as long as failing does.
IDLE_S = 1.0
FIRST_TOKEN_S = 0.4

_QUOTA = {"error": {"message": "Your credit balance is too low to access the API", "type": "insufficient_quota"}}
_NO_MODEL = {"error": {"message": "No available channel for this model under group default", "type": "new_api_error"}}
_CALLER = {"error": {"message": "Unknown parameter: 'frobnicate'.", "type": "invalid_request_error"}}
_PAGE = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Kind:
    """One kind of failure."""

    name: str
    title: str
    behaviour: Behaviour
    callers: bool = False
    """Whether it is the caller's mistake, which must pass through and burn no channel."""
    needs_first_token: bool = False
    """Only with `timeouts.first_token`."""
    stream_only: bool = False
    after_content: bool = False
    """Content has reached the client when it happens: nothing can replace the answer any more."""


KINDS = (
    Kind("429", "rate limit", Behaviour(status=429)),
    Kind("429-retry-after", "rate limit, come back in 30 s", Behaviour(status=429, headers={"retry-after": "30"})),
    Kind("401", "key refused", Behaviour(status=401)),
    Kind("403-quota", "account without credit", Behaviour(status=403, body=_QUOTA)),
    Kind("404-model", "model not available in this group", Behaviour(status=404, body=_NO_MODEL)),
    Kind("500", "internal error", Behaviour(status=500)),
    Kind("503", "service unavailable", Behaviour(status=503)),
    Kind("529", "overloaded", Behaviour(status=529)),
    Kind("400", "a mistake of the caller", Behaviour(status=400, body=_CALLER), callers=True),
    Kind("reset", "connection reset at once", Behaviour(refuse=True)),
    Kind("reset-after-head", "connection reset after the head", Behaviour(cut_after_bytes=0)),
    Kind("no-answer", "no answer at all", Behaviour(delay_before_headers_s=60)),
    Kind(
        "slow-first-token",
        "no content in time",
        Behaviour(delay_before_first_token_s=IDLE_S * 0.8, role_delta="early"),
        needs_first_token=True,
        stream_only=True,
    ),
    Kind("error-in-200", "200, and an error in it", Behaviour(error_event=True)),
    Kind("empty", "200, and nothing in it", Behaviour(empty_stream=True)),
    Kind("html", "200, and a page instead", Behaviour(body=_PAGE, headers={"content-type": "text/html"})),
    Kind(
        "error-after-content",
        "an error event after content",
        Behaviour(chunks=6, delay_between_tokens_s=0.02, error_event=True, error_event_at=3),
        stream_only=True,
        after_content=True,
    ),
    Kind(
        "stall-after-content",
        "silence after content",
        Behaviour(chunks=6, stall_after_chunks=3),
        stream_only=True,
        after_content=True,
    ),
    Kind(
        "cut-after-content",
        "connection cut after content",
        Behaviour(chunks=6, delay_between_tokens_s=0.02, cut_after_chunks=3),
        stream_only=True,
        after_content=True,
    ),
)

#: Tried last for each channel: nobody is well.
ALL_DOWN = Kind("all-503", "every channel unavailable", Behaviour(status=503))


def find_kind(name: str) -> Kind | None:
    """The kind of this name."""
    return next((each for each in (*KINDS, ALL_DOWN) if each.name == name), None)
