"""The HTTP surface: which path and method is what. Pure."""

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote


class BodyFormat(Enum):
    """How an endpoint's request names its model."""

    JSON = "json"
    MULTIPART = "multipart"


@dataclass(frozen=True)
class ModelCall:
    """A request that goes to a channel."""

    suffix: str
    """The path below the API's version, with a leading slash: `/chat/completions`."""
    query: str
    """With its question mark, or empty."""
    format: BodyFormat = BodyFormat.JSON
    decision_only: bool = False
    """Whether only the decision about its route is wanted: `/routing/v1/…`."""


@dataclass(frozen=True)
class ListModels:
    """GET /v1/models."""


@dataclass(frozen=True)
class GetModel:
    """GET /v1/models/{id}."""

    id: str


@dataclass(frozen=True)
class Readiness:
    """GET /readyz: the answer proves that Envoy and brightstaff work together."""


@dataclass(frozen=True)
class Root:
    """`/`, which some agents ask for before anything else."""


@dataclass(frozen=True)
class NotFound:
    """No such path."""

    path: str


@dataclass(frozen=True)
class MethodNotAllowed:
    """The path is there, the method is not."""

    method: str
    allowed: tuple[str, ...]


@dataclass(frozen=True)
class Preflight:
    """A browser asks what it may send (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol)."""

    allowed: tuple[str, ...]


Endpoint = ModelCall | ListModels | GetModel | Readiness | Root | NotFound | MethodNotAllowed | Preflight

#: POST endpoints whose request names a model. OpenAI's, Anthropic's (`/messages`) and the rerankers that aggregators
#: offer.
_MODEL_CALLS: dict[str, BodyFormat] = {
    "/chat/completions": BodyFormat.JSON,
    "/completions": BodyFormat.JSON,
    "/responses": BodyFormat.JSON,
    "/messages": BodyFormat.JSON,
    "/messages/count_tokens": BodyFormat.JSON,
    "/embeddings": BodyFormat.JSON,
    "/moderations": BodyFormat.JSON,
    "/rerank": BodyFormat.JSON,
    "/images/generations": BodyFormat.JSON,
    "/images/edits": BodyFormat.MULTIPART,
    "/images/variations": BodyFormat.MULTIPART,
    "/audio/speech": BodyFormat.JSON,
    "/audio/transcriptions": BodyFormat.MULTIPART,
    "/audio/translations": BodyFormat.MULTIPART,
    "/videos": BodyFormat.MULTIPART,
}

#: `http://host:12000`, `…/v1` and (clients that add `/v1` to a base URL that has it) `…/v1/v1` are one and the same.
_VERSIONS = re.compile(r"(?:/+v1(?=/|$))*")


def classify(method: str, target: str) -> Endpoint:
    """What the request asks for. `target` is the request target: path and query."""
    path, mark, query = target.partition("?")
    path = path.partition("#")[0]
    if path.startswith("/routing/"):
        return _routing(method, path, mark + query)
    suffix = re.sub(r"/{2,}", "/", path[_matched(path) :]).rstrip("/")
    if suffix in _MODEL_CALLS:
        call = ModelCall(suffix, mark + query, _MODEL_CALLS[suffix])
        return _with_method(method, ("POST",), call)
    if suffix == "/models":
        return _with_method(method, ("GET", "HEAD"), ListModels())
    if suffix.startswith("/models/"):
        return _with_method(method, ("GET", "HEAD"), GetModel(unquote(suffix.removeprefix("/models/"))))
    if path == "/readyz":
        return _with_method(method, ("GET", "HEAD"), Readiness())
    if suffix == "":
        return _with_method(method, ("GET", "HEAD"), Root())
    return NotFound(path)


#: Upstream's routing service: the decision without the call.
_ROUTING_PATHS = ("/chat/completions", "/messages", "/responses")


def _routing(method: str, path: str, query: str) -> Endpoint:
    below = path.removeprefix("/routing")
    suffix = re.sub(r"/{2,}", "/", below[_matched(below) :]).rstrip("/")
    if suffix not in _ROUTING_PATHS:
        return NotFound(path)
    return _with_method(method, ("POST",), ModelCall(suffix, query, decision_only=True))


def known_paths() -> list[str]:
    """Every path, in its usual spelling, for an error message."""
    routing = (f"/routing/v1{suffix}" for suffix in _ROUTING_PATHS)
    return ["/v1/models", *(f"/v1{suffix}" for suffix in _MODEL_CALLS), *routing]


def _matched(path: str) -> int:
    match = _VERSIONS.match(path)
    return 0 if match is None else match.end()


def _with_method(method: str, allowed: tuple[str, ...], endpoint: Endpoint) -> Endpoint:
    if method in allowed:
        return endpoint
    if method == "OPTIONS":
        return Preflight(allowed)
    return MethodNotAllowed(method, allowed)
