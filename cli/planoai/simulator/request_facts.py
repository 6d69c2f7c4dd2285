"""What a request asks for, read from its head and body once: endpoint, key, model, stream, the user's last words."""

import gzip
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

#: Longer than this, the user's words are not repeated in an answer.
_LONGEST_ECHO_CHARS = 2000

#: Headers that carry a key, in the order in which they are looked at; the value may begin with a scheme.
_KEY_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")


class Endpoint(Enum):
    """What the end of a path stands for."""

    CHAT = "/chat/completions"
    COMPLETIONS = "/completions"
    EMBEDDINGS = "/embeddings"
    MODERATIONS = "/moderations"
    IMAGES = "/images/generations"
    SPEECH = "/audio/speech"
    TRANSCRIPTIONS = "/audio/transcriptions"
    MODELS = "/models"
    MODEL = "/models/{id}"
    MESSAGES = "/messages"
    COUNT_TOKENS = "/messages/count_tokens"
    RESPONSES = "/responses"
    UNKNOWN = ""

    @property
    def method(self) -> str:
        """The one method that it takes."""
        return "GET" if self in {Endpoint.MODELS, Endpoint.MODEL} else "POST"

    @property
    def speaks_anthropic(self) -> bool:
        """Whether errors have Anthropic's form."""
        return self in {Endpoint.MESSAGES, Endpoint.COUNT_TOKENS}


#: The longer suffix first: `/chat/completions` ends with `/completions`.
_SUFFIXES = sorted(
    (each for each in Endpoint if each not in {Endpoint.UNKNOWN, Endpoint.MODEL}),
    key=lambda each: -len(each.value),
)


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A request as far as rules and answers look at it."""

    method: str
    #: Without the query and a slash at the end.
    path: str
    endpoint: Endpoint
    #: Names in lower case; of a repeated header, the first value.
    headers: Mapping[str, str] = field(repr=False)
    key: str | None = field(repr=False)
    model: str | None
    stream: bool
    #: The JSON object, or the text fields of a form; empty when there is none.
    body: Mapping[str, Any] = field(repr=False)
    #: Why the body cannot be used; None when it can.
    body_error: str | None
    body_bytes: int = 0

    def last_user_text(self) -> str:
        """The last words of the user, shortened."""
        return _last_user_text(self.body)[:_LONGEST_ECHO_CHARS]


def read_request(method: str, raw_path: str, headers: Sequence[tuple[str, str]], body: bytes) -> RequestFacts:
    """The facts of a request. Nothing raises: what cannot be read is absent, and `body_error` says why."""
    path = raw_path.partition("?")[0].rstrip("/")
    names: dict[str, str] = {}
    for name, value in headers:
        names.setdefault(name.lower(), value)
    endpoint = endpoint_of(path)
    fields: Mapping[str, Any] = {}
    error: str | None = None
    if method == "POST":
        fields, error = _read_body(endpoint, names, body)
    model = fields.get("model")
    return RequestFacts(
        method=method,
        path=path,
        endpoint=endpoint,
        headers=names,
        key=key_of(names),
        model=model if isinstance(model, str) else None,
        stream=fields.get("stream") is True,
        body=fields,
        body_error=error,
        body_bytes=len(body),
    )


@lru_cache(maxsize=1024)
def endpoint_of(path: str) -> Endpoint:
    """What `path` (without query) stands for, whatever is before it."""
    for endpoint in _SUFFIXES:
        if path.endswith(endpoint.value):
            return endpoint
    before, found, model = path.rpartition("/models/")
    del before
    return Endpoint.MODEL if found and model and ":" not in model else Endpoint.UNKNOWN


def key_of(headers: Mapping[str, str]) -> str | None:
    """The credential in headers (names in lower case), without its scheme."""
    for name in _KEY_HEADERS:
        value = headers.get(name)
        if value:
            scheme, space, rest = value.partition(" ")
            return rest.strip() if space and scheme.lower() in {"bearer", "basic"} else value
    return None


def texts_of(content: Any) -> Iterable[str]:
    """The pieces of text in a message's content: a string, or a list of parts of any of the protocols."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str):
                yield part
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def _read_body(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> tuple[Mapping[str, Any], str | None]:
    content_type = headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        return _form_fields(content_type, body), None
    if endpoint is Endpoint.UNKNOWN and not body:
        return {}, None
    if headers.get("content-encoding", "").lower() == "gzip":
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            return {}, "The request says content-encoding: gzip and its body is not."
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}, "We could not parse the JSON body of your request."
    return (value, None) if isinstance(value, dict) else ({}, "The body of the request is no JSON object.")


def _form_fields(content_type: str, body: bytes) -> dict[str, Any]:
    """Text fields of a form; of a file, its name."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    fields: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            file_name = part.get_filename()
            content = part.get_payload(decode=True)
            fields[name] = file_name or (content.decode("utf-8", "replace") if isinstance(content, bytes) else "")
    return fields


def _last_user_text(body: Mapping[str, Any]) -> str:
    for field_name in ("messages", "input"):
        items = body.get(field_name)
        if isinstance(items, str):
            return items
        if isinstance(items, list):
            for item in reversed(items):
                if isinstance(item, str):
                    return item
                if isinstance(item, dict) and item.get("role") == "user":
                    text = " ".join(texts_of(item.get("content")))
                    if text:
                        return text
    return " ".join(texts_of(body.get("prompt")))
