"""brightstaff.report: what clients and the log are told of a request."""

import logging
from collections.abc import Callable

import pytest

from brightstaff import failures
from brightstaff.exchange import Exchange
from brightstaff.gateway import Gateway
from brightstaff.report import log_exhausted, log_retry, log_sent, log_success, result_headers
from brightstaff.retry import Failure, Limits
from brightstaff.settings import Channel, RetrySettings
from brightstaff.surface import ModelCall


@pytest.fixture
def exchange(new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]) -> Exchange:
    """A request whose first attempt runs; a channel with another model follows."""
    gateway = new_gateway(new_channel("one/m", retry=RetrySettings(("two/n",)), default=True), new_channel("two/n"))
    found = gateway.begin("id-1", ModelCall("/chat/completions", ""), "modèle", Limits(), 0.0)
    found.start_attempt(0.0)
    return found


def fail(exchange: Exchange) -> None:
    """The attempt that runs fails with 429."""
    exchange.trail.hops[-1].end("429", 0.5)
    exchange.fail(Failure(exchange.target.name, 429), failures.RESET, 0.5, 0.5)


def test_headers_for_the_client(exchange: Exchange) -> None:
    """In a form that a header can carry; without a model that was asked for, nothing is said of it."""
    exchange.trail.hops[-1].end("200", 0.25)
    told = dict(result_headers(exchange, 1.0))
    assert ("one/m", "one/m=200/250ms", "id-1") == (
        told["x-plano-model"],
        told["x-plano-attempts"],
        told["x-plano-request-id"],
    )
    assert told["x-plano-requested-model"].isascii()
    exchange.asked = None
    assert "x-plano-requested-model" not in dict(result_headers(exchange, 1.0))


def test_the_lines_of_a_failover(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    """In words on which scripts rely."""
    with caplog.at_level(logging.INFO, "brightstaff"):
        log_success(exchange)
        fail(exchange)
        log_retry(exchange)
        exchange.start_attempt(1.0)
        exchange.trail.hops[-1].other_model = True
        log_success(exchange)
    assert [
        "request_id=id-1 Retriable error detected: provider=one/m, status_code=429",
        "request_id=id-1 Retry initiated: target_model=two/n",
        "request_id=id-1 metric.retry_success: model=two/n, total_attempts=2",
        "request_id=id-1 answered by another model: one/m was asked, two/n answered",
    ] == caplog.messages


def test_the_end_of_all_attempts(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    """With the whole trail."""
    fail(exchange)
    log_exhausted(exchange, 1.0)
    assert ["request_id=id-1 every attempt failed: one/m=429/500ms"] == caplog.messages


def test_what_is_sent_is_told_at_debug_level(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    """The key by its name only."""
    with caplog.at_level(logging.DEBUG, "brightstaff"):
        log_sent(exchange)
    assert ["request_id=id-1 attempt=1 channel=one/m key=$ONE_KEY"] == caplog.messages
    caplog.clear()
    with caplog.at_level(logging.INFO, "brightstaff"):
        log_sent(exchange)
    assert [] == caplog.messages
