"""brightstaff.surface: which path and method is what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.surface import (
    BodyFormat,
    Endpoint,
    GetModel,
    ListModels,
    MethodNotAllowed,
    ModelCall,
    NotFound,
    Preflight,
    Readiness,
    Root,
    classify,
    known_paths,
)

CHAT = ModelCall("/chat/completions", "", BodyFormat.JSON)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/chat/completions",
        "/v1/v1/chat/completions",
        "/v1/v1/v1/chat/completions",
        "//v1/chat/completions",
        "/v1//chat///completions",
        "/v1/chat/completions/",
        "/v1/chat/completions#fragment",
    ],
)
def test_every_spelling_of_a_path_is_the_same_endpoint(path: str) -> None:
    """Un-versioned, doubled version, doubled and trailing slashes: what clients make of a base URL works."""
    assert CHAT == classify("POST", path)


@pytest.mark.parametrize(
    ("path", "format_"),
    [
        ("/v1/chat/completions", BodyFormat.JSON),
        ("/v1/completions", BodyFormat.JSON),
        ("/v1/responses", BodyFormat.JSON),
        ("/v1/messages", BodyFormat.JSON),
        ("/v1/messages/count_tokens", BodyFormat.JSON),
        ("/v1/embeddings", BodyFormat.JSON),
        ("/v1/moderations", BodyFormat.JSON),
        ("/v1/rerank", BodyFormat.JSON),
        ("/v1/images/generations", BodyFormat.JSON),
        ("/v1/images/edits", BodyFormat.MULTIPART),
        ("/v1/images/variations", BodyFormat.MULTIPART),
        ("/v1/audio/speech", BodyFormat.JSON),
        ("/v1/audio/transcriptions", BodyFormat.MULTIPART),
        ("/v1/audio/translations", BodyFormat.MULTIPART),
        ("/v1/videos", BodyFormat.MULTIPART),
    ],
)
def test_model_calls_and_the_form_of_their_bodies(path: str, format_: BodyFormat) -> None:
    """Each endpoint that names a model, and where its body does so."""
    assert ModelCall(path.removeprefix("/v1"), "", format_) == classify("POST", path)


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", "/v1/messages?beta=true", ModelCall("/messages", "?beta=true")),
        ("POST", "/v1/messages?", ModelCall("/messages", "?")),
        ("POST", "/v1/messages?a=/v1/models?b", ModelCall("/messages", "?a=/v1/models?b")),
        ("GET", "/v1/models", ListModels()),
        ("HEAD", "/models/", ListModels()),
        ("GET", "/v1/models?limit=10", ListModels()),
        ("GET", "/v1/models/custom/claude-opus-4-6", GetModel("custom/claude-opus-4-6")),
        ("GET", "/v1/models/custom%2Fclaude%20opus", GetModel("custom/claude opus")),
        ("GET", "/v1/models/%E6%A8%A1%E5%9E%8B", GetModel("模型")),
        ("GET", "/readyz", Readiness()),
        ("GET", "/", Root()),
        ("HEAD", "/v1", Root()),
        ("GET", "/v1/", Root()),
        ("GET", "", Root()),
        ("GET", "/v1/chat/completions", MethodNotAllowed("GET", ("POST",))),
        ("DELETE", "/v1/models", MethodNotAllowed("DELETE", ("GET", "HEAD"))),
        ("POST", "/v1/models/a/b", MethodNotAllowed("POST", ("GET", "HEAD"))),
        ("POST", "/readyz", MethodNotAllowed("POST", ("GET", "HEAD"))),
        ("post", "/v1/embeddings", MethodNotAllowed("post", ("POST",))),
        ("OPTIONS", "/v1/chat/completions", Preflight(("POST",))),
        ("OPTIONS", "/v1/models", Preflight(("GET", "HEAD"))),
        ("GET", "/v2/chat/completions", NotFound("/v2/chat/completions")),
        ("POST", "/v10/chat/completions", NotFound("/v10/chat/completions")),
        ("POST", "/v1/chat", NotFound("/v1/chat")),
        ("POST", "/v1/chat/completions/x?secret=1", NotFound("/v1/chat/completions/x")),
        ("POST", "/chat/completions/../../admin", NotFound("/chat/completions/../../admin")),
        ("OPTIONS", "*", NotFound("*")),
        ("GET", "/v1/readyz", NotFound("/v1/readyz")),
    ],
)
def test_what_a_request_asks_for(method: str, target: str, expected: Endpoint) -> None:
    """Paths, methods and queries, also odd ones."""
    assert expected == classify(method, target)


@given(
    method=st.sampled_from(["GET", "POST", "OPTIONS", ""]) | st.text(max_size=8),
    target=st.text(max_size=80)
    | st.lists(st.sampled_from(["/", "v1", "models", "chat", "completions", "?", "#", "%", "%2F", "..", "\x00"]))
    .map("".join),
)  # fmt: skip
def test_every_request_has_an_endpoint(method: str, target: str) -> None:
    """Nothing that a client sends raises; and what goes to a provider has a path of ours, not one of the client's."""
    endpoint = classify(method, target)
    if isinstance(endpoint, ModelCall):
        assert method == "POST"
        assert f"/v1{endpoint.suffix}" in known_paths()
        assert endpoint.query == "" or endpoint.query.startswith("?")


def test_a_long_row_of_versions_takes_no_time() -> None:
    """The pattern does not backtrack: 90 KB of slashes and versions are classified at once."""
    assert NotFound("/v1" * 30_000 + "/x") == classify("GET", "/v1" * 30_000 + "/x")
    assert CHAT == classify("POST", "/" * 90_000 + "v1/chat/completions")


def test_known_paths_are_what_they_say() -> None:
    """Every path that an error message recommends exists."""
    endpoints = [classify("POST" if path != "/v1/models" else "GET", path) for path in known_paths()]
    assert all(isinstance(endpoint, ModelCall | ListModels) for endpoint in endpoints)


@pytest.mark.parametrize("path", ["/routing/v1/messages", "/routing/messages", "/routing/v1//messages/?a=b"])
def test_the_routing_service(path: str) -> None:
    """The decision without the call, in any spelling of the path."""
    found = classify("POST", path)
    assert isinstance(found, ModelCall)
    assert ("/messages", True) == (found.suffix, found.decision_only)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/routing/v1/messages", MethodNotAllowed),
        ("POST", "/routing/v1/embeddings", NotFound),
        ("POST", "/routing/", NotFound),
    ],
)
def test_what_the_routing_service_does_not_have(method: str, path: str, kind: type) -> None:
    """Other methods, other endpoints."""
    assert isinstance(classify(method, path), kind)
