"""brightstaff.exhausted: what the client gets when every attempt failed."""

import json
from collections.abc import Callable

import pytest

from brightstaff import failures
from brightstaff.exchange import Exchange, KeptAnswer, Remains
from brightstaff.exhausted import exhausted_reply
from brightstaff.gateway import Gateway
from brightstaff.retry import Failure, Limits
from brightstaff.settings import Channel, RetrySettings
from brightstaff.surface import ModelCall


def answer(status: int, body: bytes = b'{"error":1}', problem: str | None = None, **headers: str) -> KeptAnswer:
    """A provider's failed answer."""
    named = {":status": str(status), "content-type": "application/json", "content-length": "11", **headers}
    return KeptAnswer([(name.replace("_", "-"), value) for name, value in named.items()], body, problem)


@pytest.fixture
def exchange(new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]) -> Exchange:
    """A request with two channels."""
    gateway = new_gateway(new_channel("one/m", retry=RetrySettings(("two/m",))), new_channel("two/m"))
    return gateway.begin("id-1", ModelCall("/chat/completions", ""), "one/m", Limits(), 0.0)


def failed(exchange: Exchange, *pairs: tuple[Failure, Remains]) -> Exchange:
    """The same exchange after these failures."""
    for failure, remains in pairs:
        exchange.failures.append(failure)
        exchange.remains.append(remains)
    return exchange


def test_a_rate_limit_tells_more_than_no_answer(exchange: Exchange) -> None:
    """Its own status and body, the smallest wait of all; nothing that only concerned the provider's connection."""
    both = failed(
        exchange,
        (
            Failure("one/m", 429, retry_after_s=30.0),
            answer(429, retry_after="30", x_plano_forged="1", connection="close"),
        ),
        (Failure("two/m", 502, retry_after_s=7.2), failures.RESET),
    )
    reply = exhausted_reply(both, 0.0)
    assert (429, b'{"error":1}') == (reply.status, reply.body)
    assert [("content-type", "application/json"), ("retry-after", "8")] == reply.headers


def test_nobody_could_be_reached(exchange: Exchange) -> None:
    """A sentence about the last one, in OpenAI's form."""
    reply = exhausted_reply(
        failed(exchange, (Failure("one/m", 502), failures.RESET), (Failure("two/m", 504), failures.TIMEOUT)), 0.0
    )
    error = json.loads(reply.body)["error"]
    assert (504, "provider_timeout") == (reply.status, error["code"])
    assert error["message"].startswith("two/m (two.example) did not answer in time.")


def test_an_answer_that_is_none(exchange: Exchange) -> None:
    """A 200 without an answer in it does not reach the client as a 200."""
    reply = exhausted_reply(failed(exchange, (Failure("one/m", 502), answer(200, b"", "error_in_200"))), 0.0)
    error = json.loads(reply.body)["error"]
    assert (502, "provider_error_in_200") == (reply.status, error["code"])
    assert "one/m (one.example) answered 200, but not with an answer (error in 200)" in error["message"]


def test_in_the_clients_protocol(new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]) -> None:
    """A Messages client gets Anthropic's form."""
    gateway = new_gateway(new_channel("one/m"))
    request = gateway.begin("id-1", ModelCall("/messages", ""), "one/m", Limits(), 0.0)
    reply = exhausted_reply(failed(request, (Failure("one/m", 504), failures.TIMEOUT)), 0.0)
    body = json.loads(reply.body)
    assert ("error", "timeout_error") == (body["type"], body["error"]["type"])


def test_the_wait_goes_on_while_others_are_tried(exchange: Exchange) -> None:
    """What is left of it, rounded up; and no other header that says something else."""
    pair = (Failure("one/m", 429, retry_after_s=30.0, at_s=10.0), answer(429, retry_after="30", retry_after_ms="30000"))
    reply = exhausted_reply(failed(exchange, pair), 14.5)
    assert [("content-type", "application/json"), ("retry-after", "26")] == reply.headers
