"""planoai.simulator.protocols.openai_other: embeddings, moderations, images, audio, models."""

import base64
import io
import json
import struct
import wave
from typing import Any

import pytest

from planoai.simulator.protocols import openai_other


def vectors(**body: Any) -> list[Any]:
    data = json.loads(openai_other.embeddings_json(body, "e", 3))
    assert ("list", "e", {"prompt_tokens": 3, "total_tokens": 3}) == (data["object"], data["model"], data["usage"])
    return [each["embedding"] for each in data["data"]]


def test_equal_inputs_have_equal_vectors() -> None:
    """Vectors depend on the input and nothing else, and have length 1."""
    first, second, third = vectors(input=["a", "b", "a"])
    assert first == third
    assert first != second
    assert sum(each * each for each in first) == pytest.approx(1)
    assert [first] == vectors(input="a")


def test_base64_says_the_same() -> None:
    """Both encodings hold the same floats."""
    (floats,) = vectors(input="a", dimensions=4)
    (encoded,) = vectors(input="a", dimensions=4, encoding_format="base64")
    assert floats == list(struct.unpack("<4f", base64.b64decode(encoded)))


@pytest.mark.parametrize(
    ("given", "count"), [("a", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2), ([], 1), (None, 1)]
)
def test_number_of_inputs(given: object, count: int) -> None:
    """Texts and lists of tokens, one or several."""
    assert count == len(vectors(input=given))


def test_dimensions() -> None:
    """As many as are asked for."""
    assert [16, 256, 16] == [len(vectors(input="a", dimensions=each)[0]) for each in (None, 256, -1)]


def test_moderations() -> None:
    """One result for each input, nothing flagged."""
    data = json.loads(openai_other.moderations_json({"input": ["a", "b"]}, None, "sim-1"))
    assert ([False, False], "omni-moderation-latest") == ([each["flagged"] for each in data["results"]], data["model"])


def test_images() -> None:
    """As many as are asked for, as PNG or address."""
    data = json.loads(openai_other.images_json({"n": 2}))["data"]
    assert [b"\x89PNG", b"\x89PNG"] == [base64.b64decode(each["b64_json"])[:4] for each in data]
    assert "url" in json.loads(openai_other.images_json({"response_format": "url"}))["data"][0]


def test_speech() -> None:
    """A WAV file that can be played, or bytes of the size and type asked for."""
    kind, data = openai_other.speech({"response_format": "wav"}, 4800)
    assert kind == "audio/wav"
    with wave.open(io.BytesIO(data)) as file:
        assert file.getnframes() == 2400
    assert [("audio/mpeg", 10), ("audio/opus", 10), ("audio/mpeg", 10)] == [
        (media, len(sound))
        for media, sound in (openai_other.speech({"response_format": each}, 10) for each in (None, "opus", "x"))
    ]


def test_transcription() -> None:
    """JSON, or plain text when that is asked."""
    assert openai_other.transcription({}, "hi") == ("application/json", b'{"text":"hi"}')
    assert openai_other.transcription({"response_format": "text"}, "hi") == ("text/plain; charset=utf-8", b"hi\n")


def test_models() -> None:
    """The names, in order."""
    assert ["b", "a"] == [each["id"] for each in json.loads(openai_other.models_json(["b", "a"]))["data"]]
