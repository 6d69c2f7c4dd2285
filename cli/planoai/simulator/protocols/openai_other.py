"""OpenAI's endpoints beside chat: embeddings, moderations, images, audio, models.

https://platform.openai.com/docs/api-reference
"""

import base64
import hashlib
import struct
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from planoai.simulator.answer import CREATED
from planoai.simulator.protocols.stream import json_bytes

DEFAULT_DIMENSIONS = 16
_MOST_DIMENSIONS = 8192
_MOST_INPUTS = 2048

_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)

#: A PNG of one transparent pixel.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

_SAMPLES_PER_SECOND = 24_000


def embeddings_json(body: Mapping[str, Any], model: str, prompt_tokens: int) -> bytes:
    """Vectors of length 1, equal for equal inputs; as lists, or base64 of little-endian floats when that is asked."""
    wanted = body.get("dimensions")
    dimensions = min(wanted, _MOST_DIMENSIONS) if isinstance(wanted, int) and wanted > 0 else DEFAULT_DIMENSIONS
    in_base64 = body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _base64(vector) if in_base64 else vector,
        }
        for index, vector in enumerate(_vector(each, dimensions) for each in _inputs(body.get("input")))
    ]
    usage = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return json_bytes({"object": "list", "data": data, "model": model, "usage": usage})


def moderations_json(body: Mapping[str, Any], model: str | None, number: str) -> bytes:
    """Nothing is flagged."""
    result = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    results = [result] * len(_inputs(body.get("input")))
    return json_bytes({"id": f"modr-{number}", "model": model or "omni-moderation-latest", "results": results})


def images_json(body: Mapping[str, Any]) -> bytes:
    """Images of one pixel."""
    wanted = body.get("n")
    count = min(wanted, 10) if isinstance(wanted, int) and wanted > 0 else 1
    if body.get("response_format") == "url":
        data = [{"url": f"https://images.invalid/{index}.png"} for index in range(count)]
    else:
        data = [{"b64_json": _PIXEL} for _ in range(count)]
    return json_bytes({"created": CREATED, "data": data})


def speech(body: Mapping[str, Any], size_bytes: int) -> tuple[str, bytes]:
    """Media type and bytes of silence: a real WAV file when that is asked, else bytes that stand for the format."""
    wanted = body.get("response_format")
    if wanted == "wav":
        head = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", 36 + size_bytes, b"WAVE", b"fmt ", 16, 1, 1),
            *(_SAMPLES_PER_SECOND, _SAMPLES_PER_SECOND * 2, 2, 16, b"data", size_bytes),
        )
        return "audio/wav", head + bytes(size_bytes)
    kind = wanted if wanted in {"opus", "aac", "flac", "pcm"} else "mpeg"
    pattern = bytes(range(256))
    return f"audio/{kind}", (pattern * (size_bytes // len(pattern) + 1))[:size_bytes]


def transcription(body: Mapping[str, Any], text: str) -> tuple[str, bytes]:
    """Media type and body of what was heard."""
    if body.get("response_format") in {"text", "srt", "vtt"}:
        return "text/plain; charset=utf-8", f"{text}\n".encode()
    return "application/json", json_bytes({"text": text})


def model_json(name: str) -> dict[str, Any]:
    """One model."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "simulator"}


def models_json(names: Sequence[str]) -> bytes:
    """The list of models."""
    return json_bytes({"object": "list", "data": [model_json(name) for name in names]})


def _inputs(value: Any) -> list[Any]:
    """The inputs of a request: one text, several, one list of tokens, or several."""
    if isinstance(value, list) and value and not all(isinstance(each, int) for each in value):
        return value[:_MOST_INPUTS]
    return [value]


def _vector(value: Any, dimensions: int) -> list[float]:
    seed = hashlib.sha256(json_bytes(value)).digest()
    chance = Random(seed)  # noqa: S311 - meant to be predictable
    numbers = [chance.uniform(-1, 1) for _ in range(dimensions)]
    length = sum(each * each for each in numbers) ** 0.5
    # What a float of four bytes can hold, so that both encodings say the same.
    packed = struct.pack(f"<{dimensions}f", *(each / length for each in numbers))
    return list(struct.unpack(f"<{dimensions}f", packed))


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
