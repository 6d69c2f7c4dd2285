"""What a client sees of the listener: paths, methods, errors, sizes; with curl, HTTP/1.1 and HTTP/2 clients."""

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from planoai.simulator import Behaviour, Rule, ThreadedSimulator
from support import RunningGateway

CONFIG = """
version: v0.4.0
listeners:
  - {type: model, name: main, address: 127.0.0.1, port: {port}}
model_providers:
  - {model: one/alpha, base_url: "PROVIDER", access_key: sk-one}
  - {model: two/alpha, base_url: "PROVIDER", access_key: sk-two}
  - {model: two/beta, base_url: "PROVIDER", access_key: sk-two}
  - {model: wild/*, base_url: "PROVIDER", access_key: sk-wild}
model_aliases:
  quick: {target: two/beta}
overrides:
  max_request_bytes: 12MiB
"""


@pytest.fixture(scope="module")
def gateway(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> RunningGateway:
    """A gateway without a default channel."""
    return start_gateway(CONFIG.replace("PROVIDER", provider.url))


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def client(request: pytest.FixtureRequest, gateway: RunningGateway) -> Any:
    """A client of each protocol; HTTP/2 with prior knowledge, as there is no TLS."""
    version_2 = request.param == "HTTP/2"
    with httpx.Client(base_url=gateway.url, http1=not version_2, http2=version_2, timeout=60) as each:
        yield each


BIG = b'{"model":"one/alpha","x":"' + b"x" * (13 * 1024 * 1024) + b'"}'
CHAT = "/v1/chat/completions"
JSON = {"content-type": "application/json"}

#: method, path, headers, body → status, code, a part of the message.
BROKEN: list[tuple[str, str, dict[str, str], bytes | None, int, str, str]] = [
    ("POST", CHAT, JSON, None, 400, "missing_body", "no body"),
    ("POST", CHAT, JSON, b"", 400, "missing_body", "no body"),
    ("POST", CHAT, JSON, b"  \n", 400, "missing_body", "no body"),
    ("POST", CHAT, JSON, b"{", 400, "invalid_json", "not valid JSON"),
    ("POST", CHAT, JSON, b"hello", 400, "invalid_json", "not valid JSON"),
    ("POST", CHAT, JSON, b'{"model": one/alpha}', 400, "invalid_json", "not valid JSON"),
    ("POST", CHAT, JSON, b"{'model': 'one/alpha'}", 400, "invalid_json", "not valid JSON"),
    ("POST", CHAT, JSON, b'{"model": "one/alpha",}', 400, "invalid_json", "not valid JSON"),
    ("POST", CHAT, JSON, b'{"model": "one/alpha"} {}', 400, "invalid_json", "not valid JSON"),
    ("POST", CHAT, JSON, b'{"model": "one/alpha"', 400, "invalid_json", "not valid JSON"),
    ("POST", CHAT, JSON, b"\xff\xfe{\x00}\x00", 400, "invalid_json", "not valid JSON"),
    ("POST", CHAT, JSON, b"NaN", 400, "invalid_json", "not valid JSON"),
    ("POST", CHAT, JSON, b"[" * 5000, 400, "invalid_json", "JSON"),
    ("POST", CHAT, JSON, b"[]", 400, "invalid_json", "must be a JSON object"),
    ("POST", CHAT, JSON, b"null", 400, "invalid_json", "must be a JSON object"),
    ("POST", CHAT, JSON, b'"one/alpha"', 400, "invalid_json", "must be a JSON object"),
    ("POST", CHAT, JSON, b"42", 400, "invalid_json", "must be a JSON object"),
    ("POST", CHAT, JSON, b'{"model": 5}', 400, "invalid_type", "not a number"),
    ("POST", CHAT, JSON, b'{"model": 5.5}', 400, "invalid_type", "not a number"),
    ("POST", CHAT, JSON, b'{"model": true}', 400, "invalid_type", "not a boolean"),
    ("POST", CHAT, JSON, b'{"model": ["one/alpha"]}', 400, "invalid_type", "not an array"),
    ("POST", CHAT, JSON, b'{"model": {"id": "one/alpha"}}', 400, "invalid_type", "not an object"),
    ("POST", CHAT, JSON, b"{}", 404, "model_not_found", "names no model"),
    ("POST", CHAT, JSON, b'{"model": null}', 404, "model_not_found", "names no model"),
    ("POST", CHAT, JSON, b'{"model": ""}', 404, "model_not_found", "names no model"),
    ("POST", CHAT, JSON, b'{"model": "gamma"}', 404, "model_not_found", "two/beta, wild/*, quick"),
    ("POST", CHAT, JSON, b'{"model": "one/gamma"}', 404, "model_not_found", "`one/gamma` is not configured"),
    ("POST", CHAT, JSON, b'{"model": "One/Alpha"}', 404, "model_not_found", "`One/Alpha` is not configured"),
    ("POST", CHAT, JSON, b'{"model": "wild/"}', 404, "model_not_found", "`wild/` is not configured"),
    ("POST", CHAT, JSON, b'{"model": "\\u0000"}', 404, "model_not_found", "is not configured"),
    ("POST", CHAT, JSON, '{"model": "模型"}'.encode(), 404, "model_not_found", "`模型` is not configured"),
    ("POST", CHAT, JSON, BIG, 413, "request_too_large", "limit of 12582912 bytes"),
    ("POST", "/v1/embeddings", JSON, b'{"input": "x"}', 404, "model_not_found", "names no model"),
    ("POST", "/v1/audio/translations", {"content-type": "multipart/form-data"}, b"x", 400, "invalid_form", "boundary"),
    (
        "POST", "/v1/audio/transcriptions", {"content-type": "multipart/form-data; boundary=b"}, b"x", 400,
        "invalid_form", "does not contain the boundary",
    ),
    (
        "POST", "/v1/audio/transcriptions", {"content-type": "multipart/form-data; boundary=b"},
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b--\r\n', 404,
        "model_not_found", "names no model",
    ),
    ("GET", "/v1/unknown", {}, None, 404, "unknown_path", "/v1/chat/completions"),
    ("POST", "/v2/chat/completions", JSON, b"{}", 404, "unknown_path", "nothing at /v2/chat/completions"),
    ("POST", "/v1/chat", JSON, b"{}", 404, "unknown_path", "nothing at /v1/chat"),
    ("POST", "/v1/files", JSON, b"{}", 404, "unknown_path", "nothing at /v1/files"),
    ("GET", "/etc/passwd", {}, None, 404, "unknown_path", "nothing at /etc/passwd"),
    ("GET", CHAT, {}, None, 405, "method_not_allowed", "it takes POST"),
    ("PUT", CHAT, JSON, b"{}", 405, "method_not_allowed", "does not take PUT"),
    ("DELETE", "/v1/models", {}, None, 405, "method_not_allowed", "GET"),
    ("POST", "/v1/models", JSON, b"{}", 405, "method_not_allowed", "GET"),
    ("GET", "/v1/models/none/such", {}, None, 404, "model_not_found", "`none/such` is not configured"),
    ("GET", "/v1/models/", {}, None, 200, "", ""),
    ("POST", CHAT, {"x-big": "x" * 200_000} | JSON, b"{}", 431, "headers_too_large", "96 KiB"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code", "fragment"),
    BROKEN,
    ids=[f"{m} {p} {(b or b'')[:24]!r}" for m, p, _, b, *_ in BROKEN],
)
def test_broken_requests(
    client: httpx.Client,
    provider: ThreadedSimulator,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes | None,
    status: int,
    code: str,
    fragment: str,
) -> None:
    """Every mistake of a caller is answered in OpenAI's form, with what is wrong, and reaches no provider."""
    if status == 431 and client._transport._pool._http2:  # type: ignore[attr-defined]
        pytest.skip("HTTP/2 has no status for it: the stream is reset")
    answer = client.request(method, path, headers=headers, content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    if status != 200:
        error = answer.json()["error"]
        assert error["code"] == code
        assert fragment in error["message"]
        assert set(error) == {"message", "type", "param", "code"}
    assert provider.requests == []


def test_bytes_that_are_no_http(gateway: RunningGateway) -> None:
    """What is no HTTP at all gets a 400 and the connection is closed."""
    import socket

    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        answer = raw.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/chat/completions",
        "/v1/v1/chat/completions",
        "//v1//chat/completions/",
        "/v1/chat/completions?beta=true",
    ],
)
def test_spellings_of_a_path(client: httpx.Client, provider: ThreadedSimulator, path: str) -> None:
    """With /v1, without it, or twice: the provider sees its own path, and the query as it was."""
    answer = client.post(path, json={"model": "one/alpha", "messages": [{"role": "user", "content": "hi"}]})
    assert answer.status_code == 200
    assert provider.requests[0].path == "/v1/chat/completions" + (path[path.index("?") :] if "?" in path else "")


@pytest.mark.parametrize(
    ("asked", "served", "key", "bare"),
    [
        ("one/alpha", "one/alpha", "sk-one", "alpha"),
        ("two/alpha", "two/alpha", "sk-two", "alpha"),
        ("alpha", "one/alpha", "sk-one", "alpha"),
        ("beta", "two/beta", "sk-two", "beta"),
        ("quick", "two/beta", "sk-two", "beta"),
        ("wild/some/model", "wild/some/model", "sk-wild", "some/model"),
    ],
)
def test_names_of_models(
    client: httpx.Client, provider: ThreadedSimulator, asked: str, served: str, key: str, bare: str
) -> None:
    """Exact name, bare name (the first channel wins), alias and wildcard."""
    answer = client.post(CHAT, json={"model": asked, "messages": []})
    received = provider.requests[0]
    assert answer.headers["x-plano-model"] == served
    assert re.fullmatch(rf"{re.escape(served)}=200/\d+ms", answer.headers["x-plano-attempts"])
    assert (key, bare) == (received.key, json.loads(received.body)["model"])


def test_list_of_models(client: httpx.Client) -> None:
    """Channels in the order of the file, then aliases; the ids can be asked for one by one."""
    listed = client.get("/v1/models").json()
    ids = [each["id"] for each in listed["data"]]
    assert ids == ["one/alpha", "two/alpha", "two/beta", "wild/*", "quick"]
    assert client.get("/models").json() == listed
    for each in listed["data"]:
        assert client.get(f"/v1/models/{each['id']}").json() == each


def test_health(client: httpx.Client) -> None:
    """Alive, and ready: the second answer comes from brightstaff."""
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "channels": 4}
    assert client.head("/").status_code == 200


def test_body_reaches_the_provider_byte_for_byte(client: httpx.Client, provider: ThreadedSimulator) -> None:
    """Only the value of the top-level `model` changes, whatever else stands in the body."""
    body = (
        '{ "b" : "\\u00e9 é 模型 \\/", "model":"one\\/alpha" ,"messages":[{"model":"one/alpha"}],\n"n":1.0e2,"n":2 }'
    ).encode()
    client.post(CHAT, content=body, headers=JSON)
    assert provider.requests[0].body == body.replace(b'"one\\/alpha"', b'"alpha"')


def test_headers_that_stay_here(client: httpx.Client, provider: ThreadedSimulator) -> None:
    """A client's credentials, cookies and forged internal headers reach no provider; the rest does."""
    forged = {
        "authorization": "Bearer client-secret",
        "x-api-key": "client-secret",
        "api-key": "client-secret",
        "cookie": "session=client-secret",
        "x-plano-channel": "two/beta",
        "x-plano-request-id": "forged",
        "x-envoy-max-retries": "50",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-forwarded-for": "10.0.0.1",
        "x-arch-llm-provider": "two",
        "proxy-authorization": "client-secret",
        "openai-organization": "org-1",
        "x-stainless-lang": "python",
    }
    answer = client.post(CHAT, json={"model": "one/alpha", "messages": []}, headers=forged)
    received = {name.lower(): value for name, value in provider.requests[0].headers}
    assert answer.headers["x-plano-model"] == "one/alpha"
    assert answer.headers["x-plano-request-id"] != "forged"
    assert received["authorization"] == "Bearer sk-one"
    assert "client-secret" not in str(received)
    assert not [name for name in received if name.startswith(("x-plano", "x-envoy", "x-forwarded", "x-arch"))]
    assert (received["openai-organization"], received["x-stainless-lang"]) == ("org-1", "python")


def test_forged_headers_of_a_provider(client: httpx.Client, provider: ThreadedSimulator) -> None:
    """A provider cannot pretend to be us: its x-plano-* headers have no effect and never reach the client."""
    provider.set_rules(
        [Rule(behaviours=[Behaviour(headers={"x-plano-retry": "1", "x-plano-local": "UF", "x-plano-model": "forged"})])]
    )
    answer = client.post(CHAT, json={"model": "one/alpha", "messages": []})
    assert answer.status_code == 200
    assert answer.headers["x-plano-model"] == "one/alpha"
    assert "x-plano-local" not in answer.headers
    assert len(provider.requests) == 1


def test_large_body_and_large_answer(client: httpx.Client, provider: ThreadedSimulator) -> None:
    """10 MB in, 100 MB out, nothing lost."""
    text = "0123456789" * 1_000_000
    provider.set_rules([Rule(behaviours=[Behaviour(chunks=100, chunk_bytes=1_000_000)])])
    answer = client.post(CHAT, json={"model": "one/alpha", "messages": [{"role": "user", "content": text}]})
    assert answer.status_code == 200
    assert len(answer.json()["choices"][0]["message"]["content"]) == 100_000_000
    assert json.loads(provider.requests[0].body or b"{}").get("model", "alpha") == "alpha"


def test_compressed_answers_pass_untouched(client: httpx.Client, provider: ThreadedSimulator) -> None:
    """A provider that compresses is passed through; the client's library unpacks."""
    provider.set_rules([Rule(behaviours=[Behaviour(gzip=True)])])
    answer = client.post(CHAT, json={"model": "one/alpha", "messages": []}, headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["object"] == "chat.completion"


def test_multipart_names_its_model(client: httpx.Client, provider: ThreadedSimulator) -> None:
    """An upload is routed by its form field, of which the prefix is removed; the file keeps its bytes."""
    audio = bytes(range(256)) * 100
    answer = client.post(
        "/v1/audio/transcriptions",
        data={"model": "two/beta", "language": "en"},
        files={"file": ("a.wav", audio, "audio/wav")},
    )
    received = provider.requests[0]
    assert (answer.status_code, answer.headers["x-plano-model"]) == (200, "two/beta")
    assert audio in received.body
    assert b'name="model"\r\n\r\nbeta\r\n' in received.body


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"prompt": "x"}),
        ("/v1/embeddings", {"input": "x"}),
        ("/v1/moderations", {"input": "x"}),
        ("/v1/images/generations", {"prompt": "x"}),
        ("/v1/audio/speech", {"input": "x", "voice": "alloy"}),
        ("/v1/responses", {"input": "x"}),
        ("/v1/messages", {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5}),
    ],
)
def test_other_endpoints(client: httpx.Client, provider: ThreadedSimulator, path: str, body: dict[str, object]) -> None:
    """Every endpoint that names a model goes to that model's channel."""
    answer = client.post(path, json={"model": "two/beta", **body})
    received = provider.requests[0]
    assert (answer.status_code, received.path, received.key) == (200, path, "sk-two")
    assert json.loads(received.body)["model"] == "beta"


def test_curl_as_the_readme_prints_it(gateway: RunningGateway) -> None:
    """The plain curl line works, without any Authorization header."""
    result = subprocess.run(
        [
            "curl", "-sS", f"{gateway.url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d",
            '{"model": "one/alpha", "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 100}',
        ],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert json.loads(result.stdout)["object"] == "chat.completion"


def test_access_log_has_one_line_for_a_request(gateway: RunningGateway, client: httpx.Client) -> None:
    """Time, request, bytes, duration, model asked and served, attempts, request id; never a query or a key."""
    answer = client.post(f"{CHAT}?key=client-secret", json={"model": "quick", "messages": []})
    request_id = answer.headers["x-plano-request-id"]
    lines = gateway.access_lines(request_id)
    assert len(lines) == 1
    assert re.fullmatch(
        r'\[[\dT:.Z-]+\] "POST /v1/chat/completions HTTP/(1\.1|2)" 200 - '
        r"bytes_received=\d+ bytes_sent=\d+ duration_ms=\d+ "
        rf'asked="quick" served="two/beta" user_agent="[^"]*" request_id={request_id} attempts="two/beta=200/\d+ms"',
        lines[0],
    )
    assert "client-secret" not in gateway.access_log()


def test_pages_of_other_sites_are_refused(client: httpx.Client, provider: ThreadedSimulator) -> None:
    """A web site cannot spend the keys of who visits it, not even blindly; a page of this machine is served."""
    body = b'{"model": "one/alpha", "messages": []}'
    blind = {"origin": "https://evil.example.com", "content-type": "text/plain"}
    assert client.post(CHAT, content=body, headers=blind).json()["error"]["code"] == "origin_not_allowed"
    assert client.options(CHAT, headers=blind | {"access-control-request-method": "POST"}).status_code == 403
    assert provider.requests == []
    local = {"origin": "http://localhost:5173"}
    preflight = client.options(CHAT, headers=local | {"access-control-request-method": "POST"})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, local["origin"])
    answer = client.post(CHAT, content=body, headers=local)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, local["origin"])
    assert provider.requests[0].header("origin") is None


def test_a_client_that_leaves_frees_the_provider(gateway: RunningGateway, provider: ThreadedSimulator) -> None:
    """Closing the connection in the middle of a stream ends the provider's answer, too."""
    provider.set_rules([Rule(behaviours=[Behaviour(chunks=10_000, delay_between_tokens_s=0.02)])])
    body = {"model": "one/alpha", "messages": [], "stream": True}
    with httpx.stream("POST", f"{gateway.url}{CHAT}", json=body) as answer:
        assert next(answer.iter_bytes())
    received = provider.wait_for_requests(1)
    assert [each.cancelled for each in received] == [True]
