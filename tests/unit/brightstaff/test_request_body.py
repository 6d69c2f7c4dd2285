"""brightstaff.request_body: which model a request names, and the same body for another one."""

import json

import pytest

from brightstaff.request_body import BadRequestError, read_request_body
from brightstaff.surface import BodyFormat, ModelCall

CHAT = ModelCall("/chat/completions", "")
TRANSCRIPTION = ModelCall("/audio/transcriptions", "", BodyFormat.MULTIPART)
FORM = "multipart/form-data; boundary=b"


def form(value: str) -> bytes:
    """A form with a file and this model."""
    return (
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\x00\x01\r\n'
        f'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n{value}\r\n--b--\r\n'
    ).encode()


@pytest.mark.parametrize(
    ("raw", "model"),
    [
        (b'{"model":"one/m"}', "one/m"),
        (b'{"model":" one/m\\n"}', "one/m"),
        (b'{"model":"\\u006fne\\/m"}', "one/m"),
        ('{"model":"模型"}'.encode(), "模型"),
        (b'{"model":"a","model":"b"}', "b"),
        (b'{"model":""}', None),
        (b'{"model":"  "}', None),
        (b'{"model":null}', None),
        (b'{"input":"x"}', None),
        (b"{}", None),
    ],
)
def test_the_model_of_a_json_body(raw: bytes, model: str | None) -> None:
    """As the client wrote it, without white space around; empty and null are as good as none."""
    assert model == read_request_body(CHAT, raw, "application/json").model


def test_json_is_read_whatever_the_content_type_says() -> None:
    """Clients that send JSON without saying so are understood."""
    assert "one/m" == read_request_body(CHAT, b'{"model":"one/m"}', "").model


@pytest.mark.parametrize(
    ("raw", "code", "param", "words"),
    [
        (b"", "missing_body", None, "has no body"),
        (b" \r\n\t", "missing_body", None, "has no body"),
        (b"{", "invalid_json", None, "not valid JSON"),
        (b"\xff\xfe", "invalid_json", None, "not valid JSON"),
        (b"model=one/m", "invalid_json", None, "not valid JSON"),
        (b"[" * 200_000, "invalid_json", None, "must be a JSON object"),
        (b'{"a":' * 200_000, "invalid_json", None, "not valid JSON"),
        (b"[]", "invalid_json", None, "must be a JSON object"),
        (b'"one/m"', "invalid_json", None, "must be a JSON object"),
        (b"null", "invalid_json", None, "must be a JSON object"),
        (b'{"model":"\xff"}', "invalid_json", "model", "The value of `model` could not be read"),
        (b'{"model":"\\ud800"}', "invalid_json", None, "not valid JSON"),
        (b'{"model":true}', "invalid_type", "model", "not a boolean"),
        (b'{"model":12}', "invalid_type", "model", "not a number"),
        (b'{"model":1.5}', "invalid_type", "model", "not a number"),
        (b'{"model":["one/m"]}', "invalid_type", "model", "not an array"),
        (b'{"model":{"name":"one/m"}}', "invalid_type", "model", "not an object"),
    ],
)
def test_what_cannot_be_read_is_the_callers_mistake(raw: bytes, code: str, param: str | None, words: str) -> None:
    """400 with a code, the field to blame, and words that say what is wrong."""
    with pytest.raises(BadRequestError) as caught:
        read_request_body(CHAT, raw, "application/json")
    error = caught.value.error
    assert (400, code, param) == (error.status, error.code, error.param)
    assert words in error.message
    assert error.message == str(caught.value)


def test_another_model_and_the_same_bytes() -> None:
    """Only the value changes: order, white space, escapes, unknown fields stay."""
    raw = b'{ "stream" : true,\n "model":"one\\/m", "x":[1.0e2,"\\u00e9"] }'
    body = read_request_body(CHAT, raw, "application/json")
    assert b'{ "stream" : true,\n "model":"n", "x":[1.0e2,"\\u00e9"] }' == body.for_model("n")


def test_a_body_without_model_gets_one() -> None:
    """The default channel's model is put in; a null is replaced."""
    assert {"model": "m", "input": "x"} == json.loads(read_request_body(CHAT, b'{"input":"x"}', "").for_model("m"))
    assert b'{"model":"m"}' == read_request_body(CHAT, b'{"model":null}', "").for_model("m")


def test_the_model_of_a_form() -> None:
    """Read and replaced in place; a form that names the right model already keeps all its bytes."""
    body = read_request_body(TRANSCRIPTION, form("one/m"), FORM)
    assert ("one/m", form("m")) == (body.model, body.for_model("m"))
    assert form(" m ") == read_request_body(TRANSCRIPTION, form(" m "), FORM).for_model("m")


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_model_in_a_form_is_none(value: str) -> None:
    """It is filled in for the channel that takes the request."""
    body = read_request_body(TRANSCRIPTION, form(value), FORM)
    assert (None, form("m")) == (body.model, body.for_model("m"))


def test_a_form_without_model_stays_as_it_is() -> None:
    """There is nothing to replace, and nothing is invented."""
    raw = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--'
    body = read_request_body(TRANSCRIPTION, raw, FORM)
    assert (None, raw) == (body.model, body.for_model("m"))


def test_a_form_that_is_none_is_refused() -> None:
    """400 with the content type that is wanted."""
    with pytest.raises(BadRequestError) as caught:
        read_request_body(TRANSCRIPTION, b"x", "text/plain")
    assert (400, "invalid_form") == (caught.value.error.status, caught.value.error.code)
    assert "multipart/form-data" in caught.value.error.message


def test_json_where_a_form_is_usual() -> None:
    """Newer endpoints take both: JSON is read as JSON."""
    body = read_request_body(TRANSCRIPTION, b'{"model":"one/m"}', "Application/JSON; charset=utf-8")
    assert ("one/m", b'{"model":"m"}') == (body.model, body.for_model("m"))


@pytest.mark.parametrize(
    ("body", "streams"),
    [
        (b'{"stream": true}', True),
        (b'{"stream": false}', False),
        (b'{"stream": "true"}', False),
        (b"{}", False),
        (b'{"stream": "\xff"}', False),
    ],
)
def test_whether_a_stream_is_asked_for(body: bytes, streams: bool) -> None:
    """Only a plain `true`; what cannot be read is the provider's to refuse."""
    assert streams == read_request_body(ModelCall("/chat/completions", ""), body, "application/json").streams


def test_routes_of_a_request_stay_here() -> None:
    """They are read, and not in what is sent on."""
    raw = b'{"model":"m","routing_preferences":[{"name":"a"}],"n":1}'
    body = read_request_body(ModelCall("/chat/completions", ""), raw, "application/json")
    assert [{"name": "a"}] == body.routing_preferences
    assert b'{"model":"x","n":1}' == body.for_model("x")
