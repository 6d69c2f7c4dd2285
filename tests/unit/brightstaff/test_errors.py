"""brightstaff.errors: errors in the form that the client's SDK understands."""

import json

import pytest

from brightstaff.errors import APIError


def test_body_has_the_form_of_openai() -> None:
    """The four members that the SDKs read, and nothing else."""
    error = APIError(404, "model_not_found", 'The model "x" is not configured.', "model")
    expected = {
        "error": {
            "message": 'The model "x" is not configured.',
            "type": "not_found_error",
            "param": "model",
            "code": "model_not_found",
        }
    }
    assert expected == json.loads(error.body())


def test_param_is_null_where_no_field_is_to_blame() -> None:
    """`param` is always there."""
    assert json.loads(APIError(504, "provider_timeout", "late").body())["error"]["param"] is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (408, "timeout_error"),
        (413, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (504, "api_error"),
    ],
)
def test_type_follows_from_the_status(status: int, expected: str) -> None:
    """Each status has OpenAI's word for it; what is not the caller's mistake is an `api_error`."""
    assert expected == APIError(status, "code", "message").type


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, "invalid_request_error"), (413, "request_too_large"), (429, "rate_limit_error"), (502, "api_error"),
     (504, "timeout_error"), (529, "overloaded_error")],
)  # fmt: skip
def test_messages_clients_get_the_form_of_anthropic(status: int, expected: str) -> None:
    """Also for the endpoints below `/messages`."""
    for suffix in ("/messages", "/messages/count_tokens"):
        body = json.loads(APIError(status, "code", "what happened").body(suffix))
        assert {"type": "error", "error": {"type": expected, "message": "what happened"}} == body


def test_the_event_that_ends_a_stream() -> None:
    """In the client's protocol: what its SDK raises for, or takes for an end."""
    error = APIError(502, "provider_cut_short", "It broke off.")
    chat = error.event("/chat/completions")
    assert b"data: " + error.body() + b"\n\n" == chat
    messages = error.event("/messages")
    assert b"event: error\ndata: " + error.body("/messages") + b"\n\n" == messages
    name, data = error.event("/responses").rstrip().split(b"\n")
    told = json.loads(data.removeprefix(b"data: "))
    assert (b"event: response.failed", "response.failed") == (name, told["type"])
    assert ("failed", {"code": "provider_cut_short", "message": "It broke off."}) == (
        told["response"]["status"],
        told["response"]["error"],
    )
