"""brightstaff.attempt: what Envoy reports, and what it shall do. Scripts of messages; no socket, no clock."""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.attempt import Attempt, Phase
from brightstaff.commands import Command, ForwardBody, ForwardHeaders, ForwardRequest, ForwardTrailers, Reply
from brightstaff.gateway import Gateway
from brightstaff.headers import Header
from brightstaff.routing import Routed
from brightstaff.settings import Channel, RetrySettings, RouteSettings, RoutingSettings, StatusRule

NewChannel = Callable[..., Channel]
NewGateway = Callable[..., Gateway]

ID = "id-1"
ASK = b'{"model":"one/m"}'
ANSWER = b'{"choices":[{"message":{"content":"x"}}]}'
STREAM = b'{"model":"one/m","stream":true}'
JSON = "application/json"
SSE = "text/event-stream; charset=utf-8"


def request_headers(path: str = "/v1/chat/completions", method: str = "POST", **others: str) -> list[Header]:
    """The headers of a client's request as `ingress` sends them on."""
    headers = {":method": method, ":path": path, ":authority": "localhost:12000", "x-plano-request-id": ID}
    return [*headers.items(), *((name.replace("_", "-"), value) for name, value in others.items())]


def response_headers(status: int = 200, content_type: str = JSON, **others: str) -> list[Header]:
    """The headers of a provider's answer."""
    headers = {":status": str(status), "content-type": content_type}
    return [*headers.items(), *((name.replace("_", "-"), value) for name, value in others.items())]


def local(description: str, status: int = 503) -> list[Header]:
    """The headers of an answer that `egress` made itself."""
    return response_headers(status, "text/plain", x_plano_local=description)


def sent(gateway: Gateway, body: bytes = ASK, now_s: float = 0.0, **others: Any) -> tuple[Attempt, ForwardRequest]:
    """An attempt whose request is on its way to a provider, and the command that sent it."""
    attempt = Attempt(gateway)
    assert [] == attempt.on_request_headers(request_headers(**others), False, now_s)
    commands = attempt.on_request_body(body, True, now_s)
    assert len(commands) == 1, commands
    assert isinstance(commands[0], ForwardRequest), commands
    return attempt, commands[0]


def one_reply(commands: Sequence[Command]) -> Reply:
    """The only command, a reply."""
    assert len(commands) == 1, commands
    assert isinstance(commands[0], Reply)
    return commands[0]


def one_headers(commands: Sequence[Command]) -> ForwardHeaders:
    """The only command, headers that pass."""
    assert len(commands) == 1, commands
    assert isinstance(commands[0], ForwardHeaders)
    return commands[0]


def error_of(reply: Reply) -> dict[str, Any]:
    """The error that a reply carries."""
    error = json.loads(reply.body)["error"]
    assert isinstance(error, dict)
    return error


@pytest.fixture(scope="session")
def single(new_gateway: NewGateway, new_channel: NewChannel) -> Callable[[], Gateway]:
    """Makes a gateway with one channel and no retry policy."""
    return lambda: new_gateway(new_channel("one/m"))


@pytest.fixture
def chain(new_gateway: NewGateway, new_channel: NewChannel) -> Gateway:
    """Three channels in a chain."""
    policy = RetrySettings(fallback_models=("two/m", "three/n"), default_max_attempts=3)
    return new_gateway(new_channel("one/m", retry=policy), new_channel("two/m"), new_channel("three/n"))


# -------------------------------------------------------------------- the request


@pytest.mark.parametrize("chunks", [[ASK], [ASK[:5], ASK[5:]], [b"", ASK, b""], [bytes([byte]) for byte in ASK]])
def test_a_request_is_sent_when_it_is_complete(single: Callable[[], Gateway], chunks: list[bytes]) -> None:
    """Nothing leaves before the end of the body; then everything does, for the channel, with the bare model name."""
    attempt = Attempt(single())
    assert [] == attempt.on_request_headers(request_headers("/chat/completions?a=b"), False, 0.0)
    for chunk in chunks[:-1]:
        assert [] == attempt.on_request_body(chunk, False, 0.0)
    expected = ForwardRequest(
        [
            ("x-plano-channel", "cluster-one"),
            (":authority", "one.example"),
            (":scheme", "https"),
            (":path", "/v1/chat/completions?a=b"),
            ("content-length", "13"),
            ("authorization", "Bearer secret-one"),
        ],
        ["x-plano-request-id"],
        b'{"model":"m"}',
    )
    assert [expected] == attempt.on_request_body(chunks[-1], True, 0.0)
    assert Phase.WAITING is attempt.phase


def test_a_request_that_ends_with_trailers(single: Callable[[], Gateway]) -> None:
    """The trailers end it, here and at the provider."""
    attempt = Attempt(single())
    attempt.on_request_headers(request_headers(), False, 0.0)
    assert [] == attempt.on_request_body(ASK, False, 0.0)
    (command,) = attempt.on_request_trailers(0.0)
    assert isinstance(command, ForwardRequest)
    assert (True, b'{"model":"m"}') == (command.trailers, command.body)


def test_what_a_client_forged_or_keeps_for_us_stays_here(single: Callable[[], Gateway]) -> None:
    """Internal headers, credentials, hop-by-hop headers do not reach a provider; what we set is not removed again."""
    forged: dict[str, Any] = {
        "x_plano_channel": "cluster-evil",
        "x_plano_retry": "1",
        "x_envoy_upstream_rq_timeout_ms": "1",
        "authorization": "Bearer mine",
        "x_api_key": "mine",
        "connection": "x-hop",
        "x_hop": "1",
        "x_kept": "1",
    }
    _, command = sent(single(), **forged)
    added = dict(command.set_headers)
    assert ("cluster-one", "Bearer secret-one") == (added["x-plano-channel"], added["authorization"])
    expected = ["connection", "x-api-key", "x-envoy-upstream-rq-timeout-ms", "x-hop", "x-plano-request-id"]
    assert [*expected, "x-plano-retry"] == command.remove_headers
    assert len(added) == len(command.set_headers)


@pytest.mark.parametrize(
    ("client", "channel", "path", "expected"),
    [
        ({"authorization": "Bearer mine"}, {}, "/v1/chat/completions", ("authorization", "Bearer mine")),
        ({"x_api_key": "mine"}, {}, "/v1/chat/completions", ("authorization", "Bearer mine")),
        ({"api_key": "mine"}, {"auth": "api-key"}, "/v1/chat/completions", ("api-key", "mine")),
        (
            {"authorization": "Bearer mine"},
            {"auth": "x-api-key", "interface": "anthropic"},
            "/v1/messages",
            ("x-api-key", "mine"),
        ),
        (
            {"x_api_key": "mine"},
            {"auth": "x-api-key", "interface": "anthropic"},
            "/v1/chat/completions",
            ("authorization", "Bearer mine"),
        ),
    ],
)
def test_passthrough_auth(
    new_gateway: NewGateway,
    new_channel: NewChannel,
    client: dict[str, Any],
    channel: dict[str, Any],
    path: str,
    expected: Header,
) -> None:
    """The client's own key goes through in the provider's form, in that form only, and ours stays at home."""
    gateway = new_gateway(new_channel("one/m", passthrough_auth=True, **channel))
    _, command = sent(gateway, path=path, **client)
    arriving = {name.replace("_", "-"): value for name, value in client.items()} | dict(command.set_headers)
    arriving = {name: value for name, value in arriving.items() if name not in command.remove_headers}
    spellings = ("authorization", "x-api-key", "api-key")
    assert dict([expected]) == {name: value for name, value in arriving.items() if name in spellings}


def test_a_body_is_sent_as_it_came(single: Callable[[], Gateway]) -> None:
    """Large, oddly written, with unknown fields: but for the model, the same bytes."""
    filler = b'"\\u00e9 model" , "messages":[{"model":"one/m","content":"' + b"x" * 3_000_000 + b'"}]'
    body = b'{ "x":' + filler + b',\n"model" : "one/m" }'
    _, command = sent(single(), body)
    assert body[: -len(b'"one/m" }')] + b'"m" }' == command.body
    assert str(len(command.body)) == dict(command.set_headers)["content-length"]


def test_a_form_names_its_model_too(single: Callable[[], Gateway]) -> None:
    """An upload goes to its channel with the bare model name."""
    form = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\none/m\r\n--b--\r\n'
    content_type = "multipart/form-data; boundary=b"
    _, command = sent(single(), form, path="/v1/audio/transcriptions", content_type=content_type)
    assert form.replace(b"one/m", b"m") == command.body
    assert "/v1/audio/transcriptions" == dict(command.set_headers)[":path"]


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b"", 400, "missing_body", None),
        (b"{", 400, "invalid_json", None),
        (b"[]", 400, "invalid_json", None),
        (b'{"model":"\xff"}', 400, "invalid_json", "model"),
        (b'{"model":7}', 400, "invalid_type", "model"),
        (b'{"model":"unknown"}', 404, "model_not_found", "model"),
        (b'{"input":"x"}', 404, "model_not_found", "model"),
    ],
)
def test_what_cannot_be_sent_is_answered(
    single: Callable[[], Gateway], body: bytes, status: int, code: str, param: str | None
) -> None:
    """An error in OpenAI's form with the request's id, and nothing is kept."""
    gateway = single()
    attempt = Attempt(gateway)
    attempt.on_request_headers(request_headers(), False, 0.0)
    reply = one_reply(attempt.on_request_body(body, True, 0.0))
    assert (status, code, param) == (reply.status, error_of(reply)["code"], error_of(reply)["param"])
    assert ID == dict(reply.headers)["x-plano-request-id"]
    assert (Phase.ANSWERED, 0) == (attempt.phase, len(gateway.exchanges))


def test_headers_that_end_the_request(single: Callable[[], Gateway]) -> None:
    """A POST without any body is told so."""
    reply = one_reply(Attempt(single()).on_request_headers(request_headers(), True, 0.0))
    assert (400, "missing_body") == (reply.status, error_of(reply)["code"])


@pytest.mark.parametrize("body", [b'{"model":"unknown"}', b'{"model":"m2/x"}', b"{}"])
def test_the_default_channel_takes_what_nobody_does(
    new_gateway: NewGateway, new_channel: NewChannel, body: bytes
) -> None:
    """A missing or unknown model goes to the default, under the default's name."""
    gateway = new_gateway(new_channel("one/m"), new_channel("two/n", default=True))
    _, command = sent(gateway, body)
    assert {"model": "n"} == json.loads(command.body)
    assert "cluster-two" == dict(command.set_headers)["x-plano-channel"]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1/models", "GET", 200),
        ("/readyz", "GET", 200),
        ("/nothing", "POST", 404),
        ("/v1/chat/completions", "GET", 405),
        ("/v1/chat/completions", "OPTIONS", 204),
    ],
)
def test_what_needs_no_channel_is_answered_at_once(
    single: Callable[[], Gateway], path: str, method: str, status: int
) -> None:
    """The answer does not wait for a body, and the body that may follow is not answered again."""
    attempt = Attempt(single())
    assert status == one_reply(attempt.on_request_headers(request_headers(path, method), False, 0.0)).status
    assert [] == attempt.on_request_body(b"x" * 100, False, 0.0)
    assert [] == attempt.on_request_body(b"", True, 0.0)
    assert [] == attempt.on_request_trailers(0.0)


@pytest.mark.parametrize(
    ("path", "method"), [("/v1/chat/completions", "POST"), ("/v1/models", "GET"), ("/v1/messages", "OPTIONS")]
)
def test_pages_of_other_sites_are_refused(single: Callable[[], Gateway], path: str, method: str) -> None:
    """Before anything else: nothing is listed, nothing is sent, and the page may not even read why."""
    attempt = Attempt(single())
    headers = request_headers(path, method, origin="https://evil.example")
    reply = one_reply(attempt.on_request_headers(headers, False, 0.0))
    assert (403, "origin_not_allowed") == (reply.status, error_of(reply)["code"])
    assert "access-control-allow-origin" not in dict(reply.headers)
    assert [] == attempt.on_request_body(ASK, True, 0.0)


def test_pages_of_this_machine_may_read_every_answer(single: Callable[[], Gateway]) -> None:
    """Lists, preflights, errors and providers' answers name the page's origin; the provider does not learn it."""
    origin = "http://localhost:5173"
    answers: list[list[Header]] = []
    for path, method in (("/v1/models", "GET"), ("/v1/chat/completions", "OPTIONS"), ("/nothing", "GET")):
        headers = request_headers(path, method, origin=origin)
        answers.append(one_reply(Attempt(single()).on_request_headers(headers, True, 0.0)).headers)
    attempt, command = sent(single(), origin=origin)
    assert "origin" in command.remove_headers
    answers.append(one_reply(attempt.on_response_headers(local("refused"), True, 1.0)).headers)
    attempt, _ = sent(single(), origin=origin)
    answers.append(one_headers(attempt.on_response_headers(response_headers(), True, 1.0)).set_headers)
    assert [origin] * 5 == [dict(headers)["access-control-allow-origin"] for headers in answers]


def test_too_large_by_its_announcement(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """Four times the limit: 413 before a byte of the body is read; what still comes of it is ignored."""
    attempt = Attempt(new_gateway(new_channel("one/m"), max_request_bytes=100))
    reply = one_reply(attempt.on_request_headers(request_headers(content_length="401"), False, 0.0))
    assert (413, "request_too_large") == (reply.status, error_of(reply)["code"])
    assert [] == attempt.on_request_body(b"x" * 101, True, 0.0)


@pytest.mark.parametrize("announced", [{}, {"content_length": "101"}, {"content_length": "400"}])
@pytest.mark.parametrize("end", ["body", "trailers", "never"])
def test_too_large_by_counting(
    new_gateway: NewGateway, new_channel: NewChannel, announced: dict[str, str], end: str
) -> None:
    """A body not much over the limit is drained, for most clients read no answer before that; but not without end."""
    attempt = Attempt(new_gateway(new_channel("one/m"), max_request_bytes=100))
    assert [] == attempt.on_request_headers(request_headers(**announced), False, 0.0)
    for size in (60, 40, 1, 299):
        assert [] == attempt.on_request_body(b"x" * size, False, 0.0)
    if end == "body":
        commands = attempt.on_request_body(b"", True, 0.0)
    elif end == "trailers":
        commands = attempt.on_request_trailers(0.0)
    else:
        commands = attempt.on_request_body(b"x", False, 0.0)
    reply = one_reply(commands)
    assert (413, "request_too_large") == (reply.status, error_of(reply)["code"])
    assert [] == attempt.on_request_body(b"x", True, 0.0)
    assert [] == attempt.on_request_trailers(0.0)


@pytest.mark.parametrize("announced", ["17", "0", "", "-1", "abc", "\xb2", "1e9"])
def test_the_limit_itself_passes(new_gateway: NewGateway, new_channel: NewChannel, announced: str) -> None:
    """A body of exactly the limit is sent, and an announcement that is no number announces nothing."""
    _, command = sent(new_gateway(new_channel("one/m"), max_request_bytes=len(ASK)), content_length=announced)
    assert b'{"model":"m"}' == command.body


# -------------------------------------------------------------------- the answer

#: A step of a script: the end of the headers, chunks (data, end of stream), trailers.
Step = tuple[bytes, bool] | str
#: What it leads to: "headers", chunks, "trailers".
Seen = list[tuple[bytes, bool] | str]

LIMIT = 64 * 1024
BIG = b"x" * LIMIT


def seen(commands: Sequence[Command]) -> Seen:
    """Commands as a table shows them."""
    names: dict[type[Command], str] = {ForwardHeaders: "headers", ForwardTrailers: "trailers", Reply: "reply"}
    return [
        (command.data, command.end_of_stream) if isinstance(command, ForwardBody) else names[type(command)]
        for command in commands
    ]


@pytest.mark.parametrize(
    ("content_type", "script"),
    [
        # What is neither JSON nor a stream passes as it comes.
        ("text/plain", [("headers", ["headers"]), ((b"a", False), [(b"a", False)]), ((b"", True), [(b"", True)])]),
        ("audio/mpeg", [("headers", ["headers"]), ((b"", False), [(b"", False)]), ("trailers", ["trailers"])]),
        # Without a type it may be anything.
        ("", [("headers", []), ((b"a", True), ["headers", (b"a", True)])]),
        # JSON is held until it is complete,
        (JSON, [("headers", []), ((b"{}", True), ["headers", (b"{}", True)])]),
        (JSON, [("headers", []), ((b"{", False), []), ((b"}", False), []), ((b"", True), ["headers", (b"{}", True)])]),
        (JSON, [("headers", []), ((b"", True), ["headers", (b"", True)])]),
        (JSON, [("headers", []), ((b"{}", False), []), ("trailers", ["headers", (b"{}", False), "trailers"])]),
        (JSON, [("headers", []), ("trailers", ["headers", "trailers"])]),
        ("application/problem+json", [("headers", []), ((b"{}", True), ["headers", (b"{}", True)])]),
        ("Application/JSON", [("headers", []), ((b"{}", True), ["headers", (b"{}", True)])]),
        # but no more of it than 64 KiB.
        (JSON, [("headers", []), ((BIG, False), []), ((b"", True), ["headers", (BIG, True)])]),
        (
            JSON,
            [
                ("headers", []),
                ((BIG, False), []),
                ((b"y", False), ["headers", (BIG + b"y", False)]),
                ((b"z", False), [(b"z", False)]),
                ((b"", True), [(b"", True)]),
            ],
        ),
        # A stream is held until its first byte.
        (
            SSE,
            [
                ("headers", []),
                ((b"", False), []),
                ((b"data: 1\n\n", False), ["headers", (b"data: 1\n\n", False)]),
                ((b"data: 2\n\n", False), [(b"data: 2\n\n", False)]),
                ((b"", False), [(b"", False)]),
                ((b"", True), [(b"", True)]),
            ],
        ),
        (
            "Text/Event-Stream",
            [("headers", []), ((b"a", False), ["headers", (b"a", False)]), ((b"", True), [(b"", True)])],
        ),
        (SSE, [("headers", []), ((b"a", True), ["headers", (b"a", True)])]),
        (SSE, [("headers", []), ((b"", True), ["headers", (b"", True)])]),
        (SSE, [("headers", []), ("trailers", ["headers", "trailers"])]),
        (SSE, [("headers", []), ((b"a", False), ["headers", (b"a", False)]), ("trailers", ["trailers"])]),
    ],
)
def test_what_is_held_and_when_it_is_let_go(
    single: Callable[[], Gateway], content_type: str, script: list[tuple[Step, Seen]]
) -> None:
    """Message by message: what passes, what is held back, and that the end leaves nothing behind."""
    gateway = single()
    attempt, _ = sent(gateway)
    for step, expected in script:
        if step == "headers":
            commands = attempt.on_response_headers(response_headers(200, content_type), False, 1.0)
        elif step == "trailers":
            commands = attempt.on_response_trailers(1.0)
        else:
            assert isinstance(step, tuple)
            commands = attempt.on_response_body(*step, 1.0)
        assert expected == seen(commands)
    assert (Phase.DONE, 0, None) == (attempt.phase, len(gateway.exchanges), attempt.deadline_s)


@pytest.mark.parametrize("content_type", [JSON, SSE, "text/plain"])
def test_an_answer_of_headers_only(single: Callable[[], Gateway], content_type: str) -> None:
    """There is nothing to wait for, and no body is made up."""
    gateway = single()
    attempt, _ = sent(gateway)
    assert ["headers"] == seen(attempt.on_response_headers(response_headers(204, content_type), True, 1.0))
    assert (Phase.DONE, 0) == (attempt.phase, len(gateway.exchanges))


@given(
    content_type=st.sampled_from([JSON, SSE, "text/plain"]),
    chunks=st.lists(st.binary(max_size=30) | st.just(b"x" * 40_000), min_size=1, max_size=8),
    trailers=st.booleans(),
)
def test_no_byte_is_lost_or_doubled(
    single: Callable[[], Gateway], content_type: str, chunks: list[bytes], trailers: bool
) -> None:
    """However an answer is cut into chunks: headers first and once, every byte in order, one end."""
    attempt, _ = sent(single())
    commands = attempt.on_response_headers(response_headers(200, content_type), False, 1.0)
    for number, chunk in enumerate(chunks, 1):
        commands += attempt.on_response_body(chunk, number == len(chunks) and not trailers, 1.0)
    if trailers:
        commands += attempt.on_response_trailers(1.0)
    bodies = [command for command in commands if isinstance(command, ForwardBody)]
    assert isinstance(commands[0], ForwardHeaders)
    assert b"".join(chunks) == b"".join(body.data for body in bodies)
    assert [not trailers] == [body.end_of_stream for body in bodies][-1:] or (trailers and not bodies)
    assert not any(body.end_of_stream for body in bodies[:-1])
    assert trailers == isinstance(commands[-1], ForwardTrailers)
    assert Phase.DONE is attempt.phase


def test_the_answer_says_who_gave_it(single: Callable[[], Gateway]) -> None:
    """The channel, the trail, the request's id and the model asked for; a provider cannot speak in our name."""
    attempt, _ = sent(single(), now_s=1.0)
    forged = {"x_plano_model": "evil", "x_plano_retry": "1", "x_envoy_upstream_service_time": "5", "set_cookie": "a=b"}
    attempt.on_response_headers(response_headers(200, JSON, **forged), False, 1.2)
    headers, _ = attempt.on_response_body(b"{}", True, 1.5)
    expected = ForwardHeaders(
        [
            ("x-plano-model", "one/m"),
            ("x-plano-attempts", "one/m=200/500ms"),
            ("x-plano-request-id", ID),
            ("x-plano-requested-model", "one/m"),
        ],
        ["set-cookie", "x-envoy-upstream-service-time", "x-plano-model", "x-plano-retry"],
    )
    assert expected == headers


def test_the_model_asked_for_is_said_as_it_was_asked(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """An alias, in a form that a header can carry; without a model there is no such header."""
    gateway = new_gateway(new_channel("one/m", default=True), aliases={"模": "one/m"})
    for body, expected in ((b'{"model":"\xe6\xa8\xa1"}', "%E6%A8%A1"), (b"{}", None)):
        attempt, _ = sent(gateway, body)
        headers = one_headers(attempt.on_response_headers(response_headers(), True, 1.0))
        assert (expected, "one/m") == (
            dict(headers.set_headers).get("x-plano-requested-model"),
            dict(headers.set_headers)["x-plano-model"],
        )


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500, 503])
def test_an_error_of_the_provider_passes_unchanged(single: Callable[[], Gateway], status: int) -> None:
    """Without a policy the client gets what the provider said, status and bytes."""
    attempt, _ = sent(single())
    assert [] == attempt.on_response_headers(response_headers(status), False, 1.0)
    headers, body = attempt.on_response_body(b'{"error":1}', True, 1.0)
    assert ForwardBody(b'{"error":1}', True) == body
    assert isinstance(headers, ForwardHeaders)
    assert f"one/m={status}/1000ms" == dict(headers.set_headers)["x-plano-attempts"]


# -------------------------------------------------------------------- another attempt


def marked(commands: Sequence[Command]) -> bool:
    """Whether the only command is the mark that makes `ingress` send the request again."""
    return len(commands) == 1 and isinstance(commands[0], Reply) and dict(commands[0].headers) == {"x-plano-retry": "1"}


def test_a_rate_limited_channel_is_followed_by_the_next(chain: Gateway) -> None:
    """429: `ingress` sees only a mark; the same request then goes to the next channel with its key and model."""
    first, _ = sent(chain, now_s=10.0)
    # Its words are read before the decision: they may say who is at fault, and when to come back.
    assert [] == first.on_response_headers(response_headers(429), False, 10.011)
    assert marked(first.on_response_body(b"slow down", True, 10.012))
    first.on_close(10.013)

    second, command = sent(chain, now_s=10.02)
    assert "Bearer secret-two" == dict(command.set_headers)["authorization"]
    assert [] == second.on_response_headers(response_headers(500, "text/plain"), False, 10.05)
    assert marked(second.on_response_trailers(10.05))
    second.on_close(10.05)

    third, command = sent(chain, now_s=10.06)
    assert (b'{"model":"n"}', "cluster-three") == (command.body, dict(command.set_headers)["x-plano-channel"])
    third.on_response_headers(response_headers(), False, 10.1)
    headers, body = third.on_response_body(ANSWER, True, 10.16)
    assert isinstance(headers, ForwardHeaders)
    assert ForwardBody(ANSWER, True) == body
    result = dict(headers.set_headers)
    assert ("three/n", "one/m", "one/m=429/12ms, two/m=500/30ms, three/n=200/100ms;other-model") == (
        result["x-plano-model"],
        result["x-plano-requested-model"],
        result["x-plano-attempts"],
    )
    assert 0 == len(chain.exchanges)


def test_when_all_have_failed_the_last_answer_passes(chain: Gateway) -> None:
    """The client gets the last provider's own words, and the whole trail."""
    for _ in range(2):
        attempt, _ = sent(chain)
        assert marked(attempt.on_response_headers(response_headers(503), True, 1.0))
    attempt, _ = sent(chain)
    assert [] == attempt.on_response_headers(response_headers(429, JSON, retry_after="7"), False, 1.0)
    headers, body = attempt.on_response_body(b'{"error":{}}', True, 1.0)
    assert isinstance(headers, ForwardHeaders)
    assert ForwardBody(b'{"error":{}}', True) == body
    trail = "one/m=503/1000ms, two/m=503/1000ms, three/n=429/1000ms"
    told = dict(headers.set_headers)
    assert (trail, "7") == (told["x-plano-attempts"], told["retry-after"])
    assert ["retry-after", "retry-after-ms"] == sorted(headers.remove_headers), "replaced by the smallest of all"
    assert 0 == len(chain.exchanges)


def test_a_refused_key_at_the_end_tells_less_than_a_rate_limit(
    new_gateway: NewGateway, new_channel: NewChannel
) -> None:
    """The client learns that it may come back; a mistake of its own, on the other hand, is what it has to know."""
    rule = StatusRule(((401, 401), (404, 404)), "different_provider", 2)
    for last, expected in ((401, 429), (404, 404)):
        policy = RetrySettings(("two/m",), default_max_attempts=2, on_status_codes=(rule,))
        gateway = new_gateway(new_channel("one/m", retry=policy), new_channel("two/m"))
        first, _ = sent(gateway)
        assert marked(first.on_response_headers(response_headers(429), True, 1.0))
        second, _ = sent(gateway)
        (told,) = second.on_response_headers(response_headers(last), True, 1.0)
        assert expected == (told.status if isinstance(told, Reply) else last)
        assert isinstance(told, Reply) == (expected == 429)


def test_requests_are_kept_apart(chain: Gateway) -> None:
    """The id decides: a second client that asks at the same time has attempts of its own."""
    first, _ = sent(chain)
    _, other = sent(chain, x_plano_request_id="id-2")
    first.on_response_headers(response_headers(429), True, 1.0)
    _, again = sent(chain)
    assert ["cluster-one", "cluster-two"] == [dict(each.set_headers)["x-plano-channel"] for each in (other, again)]


def test_a_clients_mistake_is_not_retried(chain: Gateway) -> None:
    """400 is the same everywhere."""
    attempt, _ = sent(chain)
    assert not marked(attempt.on_response_headers(response_headers(400), True, 1.0))


def test_a_rule_of_the_policy_counts(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """A status that a rule names is retried, up to the rule's number of attempts."""
    rule = StatusRule(((404, 404),), "different_provider", 2)
    policy = RetrySettings(("two/m", "three/m"), on_status_codes=(rule,))
    gateway = new_gateway(new_channel("one/m", retry=policy), new_channel("two/m"), new_channel("three/m"))
    first, _ = sent(gateway)
    assert marked(first.on_response_headers(response_headers(404), True, 1.0))
    second, _ = sent(gateway)
    assert not marked(second.on_response_headers(response_headers(404), True, 1.0))


def test_the_gateways_own_limit(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """`max_attempts` of the gateway ends every chain."""
    policy = RetrySettings(("two/m",), default_max_attempts=9)
    gateway = new_gateway(new_channel("one/m", retry=policy), new_channel("two/m"), max_attempts=1)
    attempt, _ = sent(gateway)
    assert not marked(attempt.on_response_headers(response_headers(429), True, 1.0))


def test_the_primarys_policy_holds_for_the_whole_request(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """A fallback's own policy does not prolong the chain."""
    gateway = new_gateway(
        new_channel("one/m", retry=RetrySettings(("two/m",), fallback_scope="fallback_list_only")),
        new_channel("two/m", retry=RetrySettings(("three/m",))),
        new_channel("three/m"),
    )
    first, _ = sent(gateway)
    first.on_response_headers(response_headers(429), True, 1.0)
    second, _ = sent(gateway)
    assert not marked(second.on_response_headers(response_headers(429), True, 1.0))


# -------------------------------------------------------------------- no answer at all

FAILURES = [
    ("UF {delayed_connect_error:_Connection_refused}", "refused", 502, "refused the connection"),
    ("DF dns_resolution_failure", "dns", 502, "has no address: its name could not be resolved"),
    ("UH no_healthy_upstream", "dns", 502, "has no address: its name could not be resolved"),
    ("UF {TLS_error:|CERTIFICATE_VERIFY_FAILED}", "tls", 502, "failed the TLS handshake"),
    ("UF {connection_timeout}", "timeout", 504, "did not accept the connection in time"),
    ("UT upstream_response_timeout", "timeout", 504, "did not answer in time"),
    ("UC {connection_termination}", "reset", 502, "closed the connection before it answered"),
    ("-", "unreachable", 502, "could not be reached"),
]


@pytest.mark.parametrize(("description", "word", "status", "words"), FAILURES)
def test_a_provider_that_is_not_reached(
    single: Callable[[], Gateway], description: str, word: str, status: int, words: str
) -> None:
    """Without another channel the client reads what happened, where, and what to do; and sees the trail."""
    gateway = single()
    attempt, _ = sent(gateway)
    reply = one_reply(attempt.on_response_headers(local(description), False, 0.25))
    error = error_of(reply)
    assert (status, f"provider_{word}", "api_error") == (reply.status, error["code"], error["type"])
    assert error["message"].startswith(f"one/m (one.example) {words}")
    headers = dict(reply.headers)
    assert (f"one/m={word}/250ms", ID, "one/m") == (
        headers["x-plano-attempts"],
        headers["x-plano-request-id"],
        headers["x-plano-requested-model"],
    )
    assert "x-plano-retry" not in headers
    assert (Phase.ANSWERED, 0) == (attempt.phase, len(gateway.exchanges))
    assert [] == attempt.on_response_body(b"upstream connect error", True, 0.25)


@pytest.mark.parametrize(("description", "word", "status", "_words"), FAILURES)
def test_a_provider_that_is_not_reached_is_followed_by_the_next(
    chain: Gateway, description: str, word: str, status: int, _words: str
) -> None:
    """With a chain the client sees nothing of it but the trail."""
    attempt, _ = sent(chain)
    expected = Reply(status, [("x-plano-retry", "1")], b"", "plano_retry")
    assert [expected] == attempt.on_response_headers(local(description), True, 0.25)
    second, command = sent(chain, now_s=0.3)
    assert "cluster-two" == dict(command.set_headers)["x-plano-channel"]
    headers = one_headers(second.on_response_headers(response_headers(204), True, 0.5))
    assert f"one/m={word}/250ms, two/m=204/200ms" == dict(headers.set_headers)["x-plano-attempts"]


def test_the_last_failure_speaks_for_all(chain: Gateway) -> None:
    """When nobody can be reached, the message is about the last channel, the trail about all."""
    for _ in range(2):
        attempt, _ = sent(chain)
        attempt.on_response_headers(local("connection refused"), True, 0.1)
    attempt, _ = sent(chain)
    reply = one_reply(attempt.on_response_headers(local("TLS_error"), True, 0.1))
    assert error_of(reply)["message"].startswith("three/n (three.example) failed the TLS handshake")
    trail = "one/m=refused/100ms, two/m=refused/100ms, three/n=tls/100ms"
    assert trail == dict(reply.headers)["x-plano-attempts"]


def test_no_provider_speaks_for_egress(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """Only the configured header counts, and a client sees neither it nor what a provider makes of it."""
    gateway = new_gateway(new_channel("one/m"), local_header="x-plano-local-k3v9")
    attempt, _ = sent(gateway)
    headers = one_headers(attempt.on_response_headers(local("connection refused", 200), True, 1.0))
    assert ["x-plano-local"] == headers.remove_headers
    attempt, _ = sent(gateway)
    answer = response_headers(503, "text/plain", x_plano_local_k3v9="connection refused")
    assert "provider_refused" == error_of(one_reply(attempt.on_response_headers(answer, False, 1.0)))["code"]


# -------------------------------------------------------------------- streams that break off


def hold(attempt: Attempt) -> None:
    """The provider's headers came, and nothing after them."""
    assert [] == attempt.on_response_headers(response_headers(200, SSE), False, 0.1)


@pytest.mark.parametrize("before", [lambda _: None, hold])
def test_a_cut_stream_is_followed_by_the_next_channel(chain: Gateway, before: Callable[[Attempt], None]) -> None:
    """Envoy closed the stream without an end and sends the request again: the provider broke off."""
    first, _ = sent(chain)
    before(first)
    first.on_close(0.2)
    second, command = sent(chain, now_s=0.25)
    assert "cluster-two" == dict(command.set_headers)["x-plano-channel"]
    headers = one_headers(second.on_response_headers(response_headers(204), True, 0.5))
    assert "one/m=reset/250ms, two/m=204/250ms" == dict(headers.set_headers)["x-plano-attempts"]
    assert 0 == len(chain.exchanges)


def test_a_cut_stream_without_another_channel(single: Callable[[], Gateway]) -> None:
    """Then the client is told who broke off."""
    gateway = single()
    first, _ = sent(gateway)
    first.on_close(0.2)
    second = Attempt(gateway)
    second.on_request_headers(request_headers(), False, 0.3)
    reply = one_reply(second.on_request_body(ASK, True, 0.3))
    assert (502, "provider_reset") == (reply.status, error_of(reply)["code"])
    assert "one/m (one.example) closed the connection" in error_of(reply)["message"]
    assert 0 == len(gateway.exchanges)


def test_the_news_of_a_cut_may_come_late(chain: Gateway) -> None:
    """The next attempt has begun before the stream of the one before is closed: that does not disturb it."""
    first, _ = sent(chain)
    second, _ = sent(chain, now_s=0.1)
    first.on_close(0.2)
    other, _ = sent(chain, x_plano_request_id="id-2")
    other.on_close(10_000.0)
    assert marked(second.on_response_headers(response_headers(503), True, 10_000.0))
    _, command = sent(chain, now_s=10_000.0)
    assert "cluster-three" == dict(command.set_headers)["x-plano-channel"]


@pytest.mark.parametrize("received", [0, 1])
def test_a_client_that_left_is_forgotten(single: Callable[[], Gateway], received: int) -> None:
    """Nobody comes back for it: soon nothing of it is kept, whether or not the answer had begun."""
    gateway = single()
    gone, _ = sent(gateway)
    gone.on_response_headers(response_headers(200, SSE), False, 1.0)
    for _ in range(received):
        gone.on_response_body(b"data: 1\n\n", False, 1.0)
    gone.on_close(2.0)
    assert (Phase.DONE, None) == (gone.phase, gone.deadline_s)
    gateway.tick(70.0)
    assert 0 == len(gateway.exchanges)
    assert gateway.exchanges.resume(ID) is None


@pytest.mark.parametrize("failed", [response_headers(429), local("connection refused")])
def test_a_client_that_left_between_two_attempts(chain: Gateway, failed: list[Header]) -> None:
    """The next attempt never comes: soon nothing of the request is kept."""
    gone, _ = sent(chain)
    gone.on_response_headers(failed, True, 1.0)
    gone.on_close(1.0)
    chain.tick(70.0)
    assert chain.exchanges.resume(ID) is None


def test_a_client_that_left_before_its_request_was_complete(single: Callable[[], Gateway]) -> None:
    """There is nothing to forget."""
    gateway = single()
    attempt = Attempt(gateway)
    attempt.on_request_headers(request_headers(), False, 0.0)
    attempt.on_request_body(b"{", False, 0.0)
    attempt.on_close(1.0)
    assert (Phase.DONE, 0) == (attempt.phase, len(gateway.exchanges))


# -------------------------------------------------------------------- deadlines


@pytest.fixture
def timed(new_gateway: NewGateway, new_channel: NewChannel) -> Callable[..., Gateway]:
    """Makes a gateway whose first channel has timeouts, with or without a second channel."""

    def build(*, fallback: bool = False) -> Gateway:
        policy = RetrySettings(("two/m",)) if fallback else None
        times = {"first_token_timeout_s": 5.0, "idle_timeout_s": 60.0}
        return new_gateway(new_channel("one/m", retry=policy, **times), new_channel("two/m"))

    return build


def test_when_a_deadline_is_due(timed: Callable[..., Gateway]) -> None:
    """Until the first token its own limit, after that the idle limit from each chunk on; none before and after."""
    attempt = Attempt(timed())
    due = [attempt.deadline_s]
    attempt.on_request_headers(request_headers(), False, 100.0)
    due.append(attempt.deadline_s)
    attempt.on_request_body(STREAM, True, 100.0)
    due.append(attempt.deadline_s)
    attempt.on_response_headers(response_headers(200, SSE), False, 101.0)
    due.append(attempt.deadline_s)
    attempt.on_response_body(b"", False, 102.0)
    due.append(attempt.deadline_s)
    attempt.on_response_body(b"data: 1\n\n", False, 103.0)
    due.append(attempt.deadline_s)
    attempt.on_response_body(b"data: 2\n\n", False, 104.0)
    due.append(attempt.deadline_s)
    attempt.on_response_body(b"", True, 105.0)
    due.append(attempt.deadline_s)
    assert [None, None, 105.0, 105.0, 105.0, 163.0, 164.0, None] == due


def test_without_a_limit_for_the_first_token_the_idle_limit_holds(single: Callable[[], Gateway]) -> None:
    """No attempt waits for ever."""
    attempt, _ = sent(single(), now_s=1.0)
    assert 601.0 == attempt.deadline_s


@pytest.mark.parametrize("before", [lambda _: None, hold])
def test_silence_before_the_first_token(timed: Callable[..., Gateway], before: Callable[[Attempt], None]) -> None:
    """Nothing has left yet, so the client gets an error that says who was too slow. Nothing is said after that."""
    gateway = timed()
    attempt, _ = sent(gateway)
    before(attempt)
    reply = one_reply(attempt.on_deadline(5.0))
    assert (504, "provider_timeout") == (reply.status, error_of(reply)["code"])
    assert "one/m (one.example) did not answer in time" in error_of(reply)["message"]
    assert "one/m=timeout/5000ms" == dict(reply.headers)["x-plano-attempts"]
    assert (Phase.ANSWERED, None, 0) == (attempt.phase, attempt.deadline_s, len(gateway.exchanges))
    assert [] == attempt.on_response_headers(response_headers(), False, 6.0)
    assert [] == attempt.on_response_body(b"late", True, 6.0)
    assert [] == attempt.on_response_trailers(6.0)
    assert [] == attempt.on_deadline(7.0)


@pytest.mark.parametrize("before", [lambda _: None, hold])
def test_silence_leads_to_the_next_channel(timed: Callable[..., Gateway], before: Callable[[Attempt], None]) -> None:
    """With a chain, a provider that is too slow is left for the next."""
    gateway = timed(fallback=True)
    attempt, _ = sent(gateway)
    before(attempt)
    assert [Reply(504, [("x-plano-retry", "1")], b"", "plano_retry")] == attempt.on_deadline(5.0)
    assert [] == attempt.on_response_body(b"late", False, 5.1)
    attempt.on_close(5.2)
    second, command = sent(gateway, now_s=6.0)
    assert "cluster-two" == dict(command.set_headers)["x-plano-channel"]
    headers = one_headers(second.on_response_headers(response_headers(204), True, 6.5))
    assert "one/m=timeout/5000ms, two/m=204/500ms" == dict(headers.set_headers)["x-plano-attempts"]


def test_silence_in_the_middle_of_a_stream(timed: Callable[..., Gateway]) -> None:
    """No other channel can help now: the stream ends with an error event that SDKs understand, and nothing after it."""
    gateway = timed(fallback=True)
    attempt, _ = sent(gateway)
    hold(attempt)
    attempt.on_response_body(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', False, 1.0)
    (event,) = attempt.on_deadline(61.0)
    assert isinstance(event, ForwardBody)
    assert event.end_of_stream
    assert event.data.startswith(b"\n\ndata: {")
    assert event.data.endswith(b"}\n\n")
    error = json.loads(event.data.strip().removeprefix(b"data: "))["error"]
    assert "provider_stalled" == error["code"]
    assert "one/m (one.example) fell silent in the middle of its answer." in error["message"]
    assert (Phase.ANSWERED, 0) == (attempt.phase, len(gateway.exchanges))
    assert [] == attempt.on_response_body(b"data: 2\n\n", False, 62.0)
    assert [] == attempt.on_response_trailers(62.0)


def test_silence_in_the_middle_of_a_document(timed: Callable[..., Gateway]) -> None:
    """Half a JSON document cannot be mended: Envoy is told to break it off."""
    attempt, _ = sent(timed())
    attempt.on_response_headers(response_headers(200, "text/plain"), False, 1.0)
    attempt.on_response_body(b"half", False, 1.0)
    reply = one_reply(attempt.on_deadline(61.0))
    assert (504, "provider_stalled") == (reply.status, error_of(reply)["code"])


def test_a_deadline_without_an_attempt_is_nothing(single: Callable[[], Gateway]) -> None:
    """Before the request is complete, and after the end, there is no one to wait for."""
    attempt = Attempt(single())
    assert [] == attempt.on_deadline(1.0)
    attempt.on_request_headers(request_headers(), False, 0.0)
    assert [] == attempt.on_deadline(1.0)
    done, _ = sent(single())
    done.on_response_headers(response_headers(), True, 1.0)
    assert [] == done.on_deadline(2.0)


def test_an_answer_to_a_request_that_was_never_sent(single: Callable[[], Gateway]) -> None:
    """Envoy may answer by itself before the request is complete: that passes."""
    attempt = Attempt(single())
    attempt.on_request_headers(request_headers(), False, 0.0)
    assert [ForwardHeaders([], [])] == attempt.on_response_headers(response_headers(408), False, 1.0)
    assert [ForwardBody(b"x", True)] == attempt.on_response_body(b"x", True, 1.0)


# -------------------------------------------------------------------- the log


def test_the_log_tells_the_story(chain: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """Retry, success and failure, each with the request's id."""
    with caplog.at_level(logging.INFO, "brightstaff"):
        first, _ = sent(chain)
        first.on_response_headers(response_headers(429), True, 1.0)
        second, _ = sent(chain)
        second.on_response_headers(local("connection refused"), True, 1.0)
        third, _ = sent(chain)
        third.on_response_headers(response_headers(204), True, 1.0)
    assert [
        f"request_id={ID} Retriable error detected: provider=one/m, status_code=429",
        f"request_id={ID} Retry initiated: target_model=two/m",
        f"request_id={ID} Retriable error detected: provider=two/m, status_code=refused",
        f"request_id={ID} Retry initiated: target_model=three/n",
        f"request_id={ID} metric.retry_success: model=three/n, total_attempts=3",
        f"request_id={ID} answered by another model: one/m was asked, three/n answered",
    ] == caplog.messages


def test_success_is_told_only_after_a_retry(chain: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a first attempt that succeeds nor a second one that fails is a successful retry."""
    with caplog.at_level(logging.INFO, "brightstaff"):
        attempt, _ = sent(chain, x_plano_request_id="id-2")
        attempt.on_response_headers(response_headers(204), True, 1.0)
        attempt, _ = sent(chain)
        attempt.on_response_headers(response_headers(429), True, 1.0)
        attempt, _ = sent(chain)
        attempt.on_response_headers(response_headers(400), True, 1.0)
    assert "metric.retry_success" not in caplog.text


def test_no_secret_in_any_log_line(timed: Callable[..., Gateway], caplog: pytest.LogCaptureFixture) -> None:
    """At the most talkative level, through success, failure, silence and a cut: keys are named, never shown."""
    with caplog.at_level(logging.DEBUG):
        gateway = timed(fallback=True)
        headers: dict[str, Any] = {"authorization": "Bearer client-secret"}
        ends: list[Callable[[Attempt], object]] = [
            lambda attempt: attempt.on_response_headers(local("refused"), True, 1.0),
            lambda attempt: attempt.on_response_headers(local("TLS_error"), True, 1.0),
            lambda attempt: attempt.on_close(9.0),
            lambda attempt: attempt.on_deadline(9.0),
            lambda attempt: attempt.on_response_headers(response_headers(204), True, 1.0),
        ]
        for end in ends:
            attempt, _ = sent(gateway, **headers)
            end(attempt)
    assert "key=$ONE_KEY" in caplog.text
    assert "secret" not in caplog.text


def test_a_stream_is_asked_for_uncompressed(chain: Gateway) -> None:
    """It has to be read here; answers in one piece may be compressed."""
    for stream, expected in ((b"true", "identity"), (b"false", None)):
        attempt = Attempt(chain)
        headers = [(":method", "POST"), (":path", "/v1/chat/completions"), ("accept-encoding", "gzip")]
        attempt.on_request_headers([*headers, ("x-plano-request-id", f"id-{expected}")], False, 0.0)
        (command,) = attempt.on_request_body(b'{"model":"one/m","stream":%s}' % stream, True, 0.0)
        assert isinstance(command, ForwardRequest)
        assert expected == dict(command.set_headers).get("accept-encoding")


# -------------------------------------------------------------------- answers that are none


def streamed(gateway: Gateway, now_s: float = 0.0) -> Attempt:
    """An attempt whose streamed answer has begun."""
    attempt, _ = sent(gateway, STREAM, now_s)
    assert [] == attempt.on_response_headers(response_headers(200, SSE), False, now_s)
    return attempt


@pytest.mark.parametrize(
    "events",
    [
        [b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'],
        [
            b": ping\n\n",
            b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n',
            b'data: {"error":{"me',
            b'ssage":"x"}}\n\n',
        ],
        [b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'],
        [b"<html>502</html>"],
    ],
)
def test_a_stream_that_begins_with_an_error_is_no_answer(chain: Gateway, events: list[bytes]) -> None:
    """200 or not: nothing of it has left, and the client sees only the good stream."""
    attempt = streamed(chain)
    for event in events[:-1]:
        assert [] == attempt.on_response_body(event, False, 1.0)
    assert marked(attempt.on_response_body(events[-1], True, 1.0))
    second = streamed(chain, 2.0)
    headers, body = second.on_response_body(CONTENT, False, 2.5)
    assert isinstance(headers, ForwardHeaders)
    assert ForwardBody(CONTENT, False) == body


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b'{"error":{"message":"no available channel","type":"new_api_error"}}', None),
        (b"<html>", "html"),
        (b"{}", "empty"),
    ],
)
def test_an_answer_without_an_answer_in_it(chain: Gateway, body: bytes, word: str | None) -> None:
    """A 200 whose body is an error, a page, or nothing goes on to the next channel; the trail says why."""
    attempt, _ = sent(chain)
    content_type = "text/html" if word == "html" else JSON
    assert [] == attempt.on_response_headers(response_headers(200, content_type), False, 1.0)
    assert marked(attempt.on_response_body(body, True, 1.0))
    second, _ = sent(chain)
    second.on_response_headers(response_headers(), False, 2.0)
    headers, _ = second.on_response_body(ANSWER, True, 2.0)
    assert isinstance(headers, ForwardHeaders)
    trail = dict(headers.set_headers)["x-plano-attempts"]
    assert word is None or f"one/m={word}/" in trail


def test_a_compressed_answer_is_not_judged(chain: Gateway) -> None:
    """It cannot be read here, and is no failure for that."""
    attempt, _ = sent(chain)
    attempt.on_response_headers(response_headers(content_encoding="br"), False, 1.0)
    assert 2 == len(attempt.on_response_body(b"\x1b\x00", True, 1.0))


def test_without_a_policy_every_answer_passes(single: Callable[[], Gateway]) -> None:
    """The client gets what the provider said, even if it is an error in a 200."""
    attempt, _ = sent(single())
    attempt.on_response_headers(response_headers(), False, 1.0)
    assert 2 == len(attempt.on_response_body(b'{"error":{"message":"x"}}', True, 1.0))


def test_a_dead_key_behind_a_400(chain: Gateway) -> None:
    """The words count, not only the status: credit is used up, so another channel is asked."""
    attempt, _ = sent(chain)
    attempt.on_response_headers(response_headers(400), False, 1.0)
    words = b'{"error":{"message":"Your credit balance is too low","type":"invalid_request_error"}}'
    assert marked(attempt.on_response_body(words, True, 1.0))


# -------------------------------------------------------------------- waiting, and the first token

CONTENT = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'


def test_back_off_and_retry_after_on_the_same_channel(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """The next attempt waits for its time with the request in its hands, then sends it."""
    policy = RetrySettings(default_strategy="same_model", default_max_attempts=3)
    gateway = new_gateway(new_channel("one/m", retry=policy))
    first, _ = sent(gateway)
    assert marked(first.on_response_headers(response_headers(429, retry_after="30"), True, 1.0))
    second = Attempt(gateway)
    second.on_request_headers(request_headers(), False, 1.1)
    assert [] == second.on_request_body(ASK, True, 1.1)
    assert (Phase.BACKING_OFF, 31.0) == (second.phase, second.deadline_s)
    (command,) = second.on_deadline(31.0)
    assert isinstance(command, ForwardRequest)
    assert b'{"model":"m"}' == command.body


def test_the_first_token_is_what_counts(timed: Callable[..., Gateway]) -> None:
    """Comments and role-only deltas neither commit the stream nor move the deadline."""
    gateway = timed(fallback=True)
    attempt = streamed(gateway)
    due_s = attempt.deadline_s
    for event in (b": ping\n\n", b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'):
        assert [] == attempt.on_response_body(event, False, 4.0)
        assert due_s == attempt.deadline_s
    assert marked(attempt.on_deadline(5.0))


def test_the_first_token_is_never_fatal_on_the_last_candidate(timed: Callable[..., Gateway]) -> None:
    """A slow answer is better than none."""
    attempt = streamed(timed())
    assert [] == attempt.on_deadline(5.0)
    assert 65.0 == attempt.deadline_s
    headers, _ = attempt.on_response_body(CONTENT, False, 20.0)
    assert isinstance(headers, ForwardHeaders)


def test_the_callers_deadline(chain: Gateway) -> None:
    """`x-plano-timeout-ms` ends the request with a 504, whatever else could be tried."""
    attempt, _ = sent(chain, now_s=10.0, x_plano_timeout_ms="1500")
    assert 11.5 == attempt.deadline_s
    reply = one_reply(attempt.on_deadline(11.5))
    assert (504, "provider_timeout") == (reply.status, error_of(reply)["code"])


def test_no_fallback_when_the_caller_says_so(chain: Gateway) -> None:
    """`x-plano-fallback: off`: this channel or an error."""
    attempt, _ = sent(chain, x_plano_fallback="off")
    assert not marked(attempt.on_response_headers(response_headers(503), True, 1.0))


def test_the_rate_limit_of_an_earlier_channel_is_what_the_client_gets(chain: Gateway) -> None:
    """When all have failed: the failure that tells most, with the smallest wait, and the whole trail."""
    for status, hint in ((429, "30"), (503, "9")):
        attempt, _ = sent(chain)
        assert marked(attempt.on_response_headers(response_headers(status, retry_after=hint), True, 1.0))
    attempt, _ = sent(chain)
    reply = one_reply(attempt.on_response_headers(local("connection refused"), True, 1.0))
    headers = dict(reply.headers)
    assert (429, "9") == (reply.status, headers["retry-after"])
    assert "one/m=429/1000ms, two/m=503/1000ms, three/n=refused/1000ms" == headers["x-plano-attempts"]


# -------------------------------------------------------------------- the end of a stream


def test_a_beginning_that_never_reached_the_client(chain: Gateway, single: Callable[[], Gateway]) -> None:
    """`ingress` had not passed it on when the provider broke off, and asks again: the next channel, or a clear end."""
    first = streaming(chain)
    first.on_close(1.1)
    second, command = sent(chain, STREAM, now_s=1.2)
    assert "cluster-two" == dict(command.set_headers)["x-plano-channel"]
    headers = one_headers(second.on_response_headers(response_headers(204), True, 1.5))
    assert "one/m=reset/1200ms, two/m=204/300ms" == dict(headers.set_headers)["x-plano-attempts"]
    alone = single()
    streaming(alone).on_close(1.1)
    again = Attempt(alone)
    again.on_request_headers(request_headers(), False, 1.2)
    assert 502 == one_reply(again.on_request_body(STREAM, True, 1.2)).status


CHAT = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
FINISH = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'


def streaming(gateway: Gateway) -> Attempt:
    """An attempt whose stream has begun to reach the client."""
    attempt, _ = sent(gateway, STREAM)
    hold(attempt)
    assert ForwardBody(CHAT, False) == attempt.on_response_body(CHAT, False, 1.0)[-1]
    return attempt


def goes_to(gateway: Gateway, id_: str = "id-later") -> str:
    """Where the next request for the first channel goes."""
    _, command = sent(gateway, now_s=5.0, x_plano_request_id=id_)
    return dict(command.set_headers)["x-plano-channel"]


def test_a_stream_that_ends_as_it_should(chain: Gateway) -> None:
    """With its finish_reason: not a byte is added."""
    attempt = streaming(chain)
    assert [ForwardBody(FINISH, True)] == attempt.on_response_body(FINISH, True, 2.0)
    assert (Phase.DONE, "cluster-one") == (attempt.phase, goes_to(chain))


@pytest.mark.parametrize("last", [CHAT, b""])
def test_a_stream_that_breaks_off(chain: Gateway, last: bytes) -> None:
    """No switch, no splice: what came, then one error event, no `[DONE]`; and it counts against the channel."""
    attempt = streaming(chain)
    commands = attempt.on_response_body(last, True, 2.0)
    assert ([ForwardBody(CHAT, False)] if last else []) == commands[:-1]
    (event,) = commands[-1:]
    assert isinstance(event, ForwardBody)
    assert event.end_of_stream
    assert "provider_cut_short" == json.loads(event.data.strip().removeprefix(b"data: "))["error"]["code"]
    assert (Phase.ANSWERED, "cluster-two") == (attempt.phase, goes_to(chain))


def test_a_providers_own_error_event(chain: Gateway) -> None:
    """It passes as it is, nothing is added, and it counts."""
    attempt = streaming(chain)
    error = b'data: {"error":{"message":"overloaded"}}\n\n'
    assert [ForwardBody(error, True)] == attempt.on_response_body(error, True, 2.0)
    assert "cluster-two" == goes_to(chain)


def test_clients_that_do_not_wait_for_the_end(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """Many close when they have read `[DONE]`, or an error: it ended well, or it counts against the channel."""
    for last, ending, expected in (
        (FINISH, "answered", "cluster-one"),
        (b'data: {"error":{"message":"overloaded"}}\n\n', "broken", "cluster-two"),
    ):
        policy = RetrySettings(fallback_models=("two/m",))
        gateway = new_gateway(new_channel("one/m", retry=policy), new_channel("two/m"))
        attempt = streaming(gateway)
        assert [ForwardBody(last, False)] == attempt.on_response_body(last, False, 2.0)
        exchange = gateway.exchanges.find(ID)
        assert exchange is not None
        attempt.on_close(2.1)
        assert (ending == "broken", expected) == (exchange.broken, goes_to(gateway))
        assert (ending == "broken") == (gateway.exchanges.find(ID) is not None)


def test_a_stream_that_is_whole_and_yet_none(chain: Gateway) -> None:
    """It broke off before anything of it had left: the next channel is asked."""
    attempt, _ = sent(chain, STREAM)
    hold(attempt)
    assert marked(attempt.on_response_body(CHAT, True, 1.0))
    assert "cluster-two" == goes_to(chain, ID)


def test_silence_after_content_counts(timed: Callable[..., Gateway]) -> None:
    """A channel that stalls in the middle of an answer is left alone for a while."""
    gateway = timed(fallback=True)
    attempt = streaming(gateway)
    attempt.on_deadline(100.0)
    assert "cluster-two" == goes_to(gateway)


def test_a_stream_that_nobody_asked_for(chain: Gateway) -> None:
    """Some send events where JSON was asked for: an error in them is an error all the same."""
    attempt, _ = sent(chain)
    hold(attempt)
    assert marked(attempt.on_response_body(b'data: {"error":{"message":"overloaded"}}\n\n', True, 1.0))


def test_the_callers_own_deadline_is_not_held_against_the_channel(chain: Gateway) -> None:
    """That one caller is in a hurry says nothing about the channel."""
    attempt, _ = sent(chain, x_plano_timeout_ms="300")
    reply = one_reply(attempt.on_deadline(0.3))
    assert (504, "cluster-one") == (reply.status, goes_to(chain))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (response_headers(503), "cluster-two"),
        (response_headers(429, retry_after="9"), "cluster-two"),
        (response_headers(401), "cluster-two"),
        (response_headers(400), "cluster-one"),
        (response_headers(404), "cluster-one"),
    ],
)
def test_a_failure_without_a_policy_is_known_to_others(
    new_gateway: NewGateway, new_channel: NewChannel, headers: list[Header], expected: str
) -> None:
    """It passes unread, but requests for which the channel is only one of several go past it."""
    policy = RetrySettings(("one/m", "two/m"), fallback_scope="fallback_list_only")
    gateway = new_gateway(new_channel("one/m"), new_channel("two/m"), new_channel("three/m", retry=policy))
    attempt, _ = sent(gateway)
    assert isinstance(attempt.on_response_headers(headers, True, 1.0)[0], ForwardHeaders)
    failing, _ = sent(gateway, b'{"model":"three/m"}', x_plano_request_id="id-3")
    failing.on_response_headers(local("connection refused"), True, 1.0)
    _, command = sent(gateway, b'{"model":"three/m"}', now_s=1.0, x_plano_request_id="id-3")
    assert expected == dict(command.set_headers)["x-plano-channel"]


def test_errors_of_ours_are_in_the_clients_protocol(single: Callable[[], Gateway]) -> None:
    """A Messages client gets Anthropic's form, also for what is refused before any channel is asked."""
    attempt = Attempt(single())
    attempt.on_request_headers(request_headers("/v1/messages"), False, 0.0)
    body = json.loads(one_reply(attempt.on_request_body(b"{", True, 0.0)).body)
    assert ("error", "invalid_request_error") == (body["type"], body["error"]["type"])


# -------------------------------------------------------------------- routing by intent

ROUTING = RoutingSettings(
    routes=(RouteSettings("code", "writing code", ("two/m",)),), socket="/s", strengths={"two/m": 3.0}
)
QUESTION = b'{"model":"one/m","messages":[{"role":"user","content":"write a parser"}]}'


def asked(gateway: Gateway, body: bytes = QUESTION, **headers: Any) -> Attempt:
    """An attempt whose request is complete."""
    attempt = Attempt(gateway)
    attempt.on_request_headers(request_headers(**headers), False, 0.0)
    assert [] == attempt.on_request_body(body, True, 0.0)
    return attempt


def test_the_router_is_asked_before_anything_is_sent(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """Its answer decides where the request goes; the client learns the route, and how sure that was."""
    attempt = asked(new_gateway(new_channel("one/m"), new_channel("two/m"), routing=ROUTING))
    assert Phase.ROUTING is attempt.phase
    assert attempt.question is not None
    assert "write a parser" == attempt.question.reading.text
    assert [] == attempt.on_deadline(99.0)
    (command,) = attempt.on_routed(Routed("code", ("two/m",), 0.875), 0.1)
    assert isinstance(command, ForwardRequest)
    assert ("x-plano-channel", "cluster-two") in command.set_headers
    assert attempt.question is None
    attempt.on_response_headers(response_headers(), False, 0.2)
    headers = one_headers(attempt.on_response_body(ANSWER, True, 0.3)[:1]).set_headers
    assert ("x-plano-route", "code") in headers
    assert ("x-plano-route-confidence", "0.88") in headers


def test_no_route_is_said_too(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """`none`, and the request goes where it would go without routing."""
    attempt = asked(new_gateway(new_channel("one/m"), new_channel("two/m"), routing=ROUTING))
    (command,) = attempt.on_routed(Routed(None, why="the router gave no answer"), 0.1)
    assert isinstance(command, ForwardRequest)
    assert ("x-plano-channel", "cluster-one") in command.set_headers
    attempt.on_response_headers(response_headers(), False, 0.2)
    headers = one_headers(attempt.on_response_body(ANSWER, True, 0.3)[:1]).set_headers
    assert ("x-plano-route", "none") in headers
    assert "x-plano-route-confidence" not in dict(headers)


def test_the_routing_service_answers_without_a_call(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """Models, route and trace; nothing is sent on."""
    gateway = new_gateway(new_channel("one/m"), new_channel("two/m"), routing=ROUTING)
    attempt = asked(gateway, path="/routing/v1/chat/completions", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")
    reply = one_reply(attempt.on_routed(Routed("code", ("two/m",), 0.9, session="k:v", pinned=True), 0.1))
    told = json.loads(reply.body)
    assert (200, ["two/m"], "code", "ab" * 16, "v", True, False) == (
        reply.status,
        told["models"],
        told["route"],
        told["trace_id"],
        told["session_id"],
        told["pinned"],
        told["switched"],
    )
    assert 0 == len(gateway.exchanges)


def test_a_client_that_left_is_not_served(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """The router's answer comes too late."""
    attempt = asked(new_gateway(new_channel("one/m"), new_channel("two/m"), routing=ROUTING))
    attempt.on_close(0.1)
    assert [] == attempt.on_routed(Routed("code", ("two/m",)), 0.2)


def test_a_wrong_route_name_is_refused(new_gateway: NewGateway, new_channel: NewChannel) -> None:
    """400 before anybody is asked."""
    attempt = Attempt(new_gateway(new_channel("one/m"), new_channel("two/m"), routing=ROUTING))
    attempt.on_request_headers(request_headers(x_plano_route="poems"), False, 0.0)
    assert 400 == one_reply(attempt.on_request_body(QUESTION, True, 0.0)).status
