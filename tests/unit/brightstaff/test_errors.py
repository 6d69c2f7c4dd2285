"""brightstaff.errors: errors in the form that OpenAI's SDKs understand."""

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
