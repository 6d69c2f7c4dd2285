"""What is told of a request while it is under way: headers for the client, lines for the log."""

import json
import logging

from brightstaff.exchange import Exchange
from brightstaff.headers import Header, header_safe
from brightstaff.routing import ROUTE, Routed

log = logging.getLogger("brightstaff.report")

#: Set by `ingress` on every request: the identity of a request over all its attempts, unique and not the client's to
#: choose. The client gets it back.
REQUEST_ID = "x-plano-request-id"
ATTEMPTS = "x-plano-attempts"
ROUTE_CONFIDENCE = "x-plano-route-confidence"


def result_headers(exchange: Exchange, now_s: float) -> list[Header]:
    """Who answered, what was tried, and under which id the logs speak of it."""
    headers = [
        ("x-plano-model", header_safe(exchange.trail.hops[-1].channel)),
        (ATTEMPTS, exchange.trail.render(now_s)),
        (REQUEST_ID, exchange.id),
    ]
    if exchange.asked is not None:
        headers.append(("x-plano-requested-model", header_safe(exchange.asked)))
    routed = exchange.routed
    if routed is not None:
        headers.append((ROUTE, "none" if routed.route is None else header_safe(routed.route)))
        if routed.confidence is not None:
            headers.append((ROUTE_CONFIDENCE, f"{routed.confidence:.2f}"))
    return headers


def log_routed(request_id: str, routed: Routed) -> None:
    """What the router said, in the words of upstream, and what was made of it."""
    answer = routed.answer
    if answer is None:
        log.info("request_id=%s route=%s: %s", request_id, routed.route or "none", routed.why)
        return
    chosen = [] if routed.route is None else [routed.route]
    said = answer.content or json.dumps({"route": [] if routed.top is None else [routed.top]}, ensure_ascii=False)
    log.info(
        "request_id=%s plano-orchestrator determined routes content=%s selected_routes=%s response_time_ms=%d "
        "backend=%s probabilities=%s why=%s",
        request_id,
        json.dumps(said, ensure_ascii=False),
        json.dumps(chosen, ensure_ascii=False),
        round(routed.took_ms),
        answer.backend,
        json.dumps({**{name: round(p, 3) for name, p in answer.ranked}, "none": round(answer.none, 3)}),
        json.dumps(routed.why, ensure_ascii=False),
    )


def log_sent(exchange: Exchange) -> None:
    """An attempt goes out; of its key only the name."""
    if log.isEnabledFor(logging.DEBUG):
        target = exchange.target
        number = len(exchange.trail.hops)
        log.debug(
            "request_id=%s attempt=%d channel=%s key=%s", exchange.id, number, target.name, target.channel.key_name
        )


def log_retry(exchange: Exchange) -> None:
    """The last attempt failed, and another one is upcoming."""
    hop, upcoming = exchange.trail.hops[-1], exchange.upcoming
    assert upcoming is not None  # noqa: S101
    log.warning(
        "request_id=%s Retriable error detected: provider=%s, status_code=%s", exchange.id, hop.channel, hop.outcome
    )
    log.warning("request_id=%s Retry initiated: target_model=%s", exchange.id, upcoming.channel)


def log_success(exchange: Exchange) -> None:
    """The last attempt is answered; worth a line where it was not the first, or another model's."""
    hop, number = exchange.trail.hops[-1], len(exchange.trail.hops)
    if number > 1:
        log.info("request_id=%s metric.retry_success: model=%s, total_attempts=%d", exchange.id, hop.channel, number)
    if hop.other_model:
        asked = exchange.chain[0].name
        log.warning(
            "request_id=%s answered by another model: %s was asked, %s answered", exchange.id, asked, hop.channel
        )


def log_exhausted(exchange: Exchange, now_s: float) -> None:
    """Nothing is left to try."""
    log.error("request_id=%s every attempt failed: %s", exchange.id, exchange.trail.render(now_s))
