"""planoai.simulator.request_facts: endpoint, key, model, stream and last words, from whatever arrives."""

import gzip

import pytest

from planoai.simulator.request_facts import Endpoint, RequestFacts, endpoint_of, read_request


def post(body: bytes, *headers: tuple[str, str], path: str = "/v1/chat/completions") -> RequestFacts:
    return read_request("POST", path, headers, body)


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/chat/completions", Endpoint.CHAT),
        ("/api/v2/chat/completions", Endpoint.CHAT),
        ("/chat/completions", Endpoint.CHAT),
        ("/v1/completions", Endpoint.COMPLETIONS),
        ("/openai/v1/embeddings", Endpoint.EMBEDDINGS),
        ("/v1/messages", Endpoint.MESSAGES),
        ("/v1/messages/count_tokens", Endpoint.COUNT_TOKENS),
        ("/v1/responses", Endpoint.RESPONSES),
        ("/v1/models", Endpoint.MODELS),
        ("/v1/models/claude-opus-4-6", Endpoint.MODEL),
        ("/v1beta/models/gemini:generateContent", Endpoint.UNKNOWN),
        ("/v1/audio/speech", Endpoint.SPEECH),
        ("/v1/audio/transcriptions", Endpoint.TRANSCRIPTIONS),
        ("/v1/images/generations", Endpoint.IMAGES),
        ("/v1/moderations", Endpoint.MODERATIONS),
        ("/", Endpoint.UNKNOWN),
        ("/v1/unknown", Endpoint.UNKNOWN),
    ],
)
def test_endpoints(path: str, endpoint: Endpoint) -> None:
    """The end of the path decides, whatever is before it."""
    assert endpoint == endpoint_of(path)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([("Authorization", "Bearer sk-1")], "sk-1"),
        ([("authorization", "bearer  sk-1 ")], "sk-1"),
        ([("Authorization", "sk-1")], "sk-1"),
        ([("X-API-Key", "sk-2")], "sk-2"),
        ([("api-key", "sk-3")], "sk-3"),
        ([("x-goog-api-key", "sk-4")], "sk-4"),
        ([("x-api-key", "sk-2"), ("Authorization", "Bearer sk-1")], "sk-1"),
        ([], None),
    ],
)
def test_keys(headers: list[tuple[str, str]], key: str | None) -> None:
    """The credential is found in every form that providers know."""
    assert key == post(b"{}", *headers).key


def test_model_stream_and_path() -> None:
    """The fields that rules look at; the query is no part of the path."""
    facts = post(b'{"stream": true, "model": "m"}', path="/v1/chat/completions/?api-version=1")
    assert ("m", True, "/v1/chat/completions") == (facts.model, facts.stream, facts.path)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "We could not parse the JSON body of your request."),
        (b"", "We could not parse the JSON body of your request."),
        (b"\xff", "We could not parse the JSON body of your request."),
        (b"[]", "The body of the request is no JSON object."),
        (b'{"model": 5, "stream": "yes"}', None),
    ],
)
def test_bad_bodies(body: bytes, error: str | None) -> None:
    """What cannot be read is absent, and the facts say why."""
    facts = post(body)
    assert (error, None, False) == (facts.body_error, facts.model, facts.stream)


def test_gzipped_body() -> None:
    """A compressed body is read; one that only says so is an error."""
    header = ("Content-Encoding", "gzip")
    assert post(gzip.compress(b'{"model": "m"}'), header).model == "m"
    assert post(b'{"model": "m"}', header).body_error is not None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}', "a"),
        (b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "x"}, "c"]}]}', "a c"),
        (b'{"input": "a"}', "a"),
        (b'{"input": ["a", "b"]}', "b"),
        (b'{"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}]}', "a"),
        (b'{"prompt": "a"}', "a"),
        (b'{"prompt": ["a", "b"]}', "a b"),
        (b'{"messages": [{"role": "user", "content": null}]}', ""),
        (b'{"messages": 5}', ""),
        (b"{}", ""),
    ],
)
def test_last_words(body: bytes, text: str) -> None:
    """The user's last words, in the form of each protocol."""
    assert text == post(body).last_user_text()


def test_long_words_are_cut() -> None:
    """An answer does not repeat a whole book."""
    assert len(post(b'{"prompt": "' + b"x" * 5000 + b'"}').last_user_text()) == 2000


def test_form() -> None:
    """The fields of a form, and the name of its file."""
    body = (
        b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\x00\xff\r\n--b--\r\n'
    )
    facts = post(body, ("Content-Type", "multipart/form-data; boundary=b"), path="/v1/audio/transcriptions")
    assert ({"model": "whisper-1", "file": "a.wav"}, "whisper-1") == (facts.body, facts.model)


def test_key_is_not_in_the_repr() -> None:
    """Printing facts shows no credential."""
    assert "sk-1" not in repr(post(b"{}", ("Authorization", "Bearer sk-1")))
