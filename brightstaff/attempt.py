"""One attempt: a state machine from what Envoy reports to what Envoy shall do. No I/O, no clock of its own.

    READING ──body complete──► WAITING ──headers──► HOLDING ──enough seen──► STREAMING ──end──► DONE
       └─ answered from here ─► ANSWERED ◄── failure ───┴── silence ─┘      (a retry: DONE)

While an answer is held nothing of it has left: the attempt can still be given up for another one.

The edge (`service`) feeds it messages and carries out the commands that it returns.
"""

import logging
from enum import Enum, auto

from brightstaff import failures, retry
from brightstaff.answers import answer_locally, error_reply, foreign_origin, unknown_model
from brightstaff.catalog import Target, UnknownModelError
from brightstaff.commands import Command, ForwardBody, ForwardHeaders, ForwardRequest, ForwardTrailers, Reply
from brightstaff.errors import APIError
from brightstaff.exchange import Exchange
from brightstaff.gateway import Gateway
from brightstaff.headers import Header, added_to_request, header_safe, removed_from_request, removed_from_response
from brightstaff.origins import response_headers
from brightstaff.request_body import BadRequestError, RequestBody, read_request_body
from brightstaff.surface import ModelCall, classify
from brightstaff.trail import Hop

log = logging.getLogger("brightstaff.attempt")

#: Set by `ingress` on every request: the identity of a request over all its attempts, unique and not the client's to
#: choose.
REQUEST_ID = "x-plano-request-id"
#: Tells `ingress` to send the request again.
RETRY = "x-plano-retry"


#: A JSON answer is held until it is complete, but no more of it than this many bytes.
_HELD_BYTES = 64 * 1024


#: A body over the limit is read on, and thrown away, up to this many times the limit before the answer is sent.
_DRAINED_TIMES = 4


class Phase(Enum):
    """Where an attempt stands."""

    READING = auto()
    WAITING = auto()
    HOLDING = auto()
    STREAMING = auto()
    DONE = auto()
    """What still comes from the provider is passed on: Envoy wants an answer to each of its messages."""
    ANSWERED = auto()
    """The last word is ours and has been said: Envoy takes no message after it."""


class Attempt:
    """One ext_proc stream. Every method takes the time (monotonic seconds) and returns the commands to carry out."""

    def __init__(self, gateway: Gateway) -> None:
        self.phase = Phase.READING
        self.deadline_s: float | None = None
        """When `on_deadline` is due, unless something else happens before."""
        self._gateway = gateway
        self._headers: list[Header] = []
        self._fields: dict[str, str] = {}
        self._request_id = ""
        self._page_headers: list[Header] = []
        """For the browser, when a page asked."""
        self._call: ModelCall | None = None
        self._chunks: list[bytes] = []
        self._received_bytes = 0
        self._exchange: Exchange | None = None
        self._target: Target | None = None
        self._hop: Hop | None = None
        self._is_event_stream = False
        self._held_headers: list[Header] = []
        self._held: list[bytes] = []
        self._held_bytes = 0

    # ---------------------------------------------------------------- the request

    def on_request_headers(self, headers: list[Header], end_of_stream: bool, now_s: float) -> list[Command]:
        """The first message of every attempt."""
        self._headers = headers
        self._fields = fields = dict(headers)
        self._request_id = fields.get(REQUEST_ID, "")
        origin = fields.get("origin")
        if origin is not None:
            if not self._gateway.origins.allows(origin):
                return self._reply(error_reply(foreign_origin(origin), self._request_id))
            self._page_headers = response_headers(origin)
        endpoint = classify(fields.get(":method", ""), fields.get(":path", "/"))
        if not isinstance(endpoint, ModelCall):
            return self._reply(answer_locally(endpoint, self._gateway))
        self._call = endpoint
        announced = fields.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._gateway.max_request_bytes * _DRAINED_TIMES:
            return self._reply(error_reply(self._gateway.too_large(), self._request_id))
        return self._dispatch(now_s, trailers=False) if end_of_stream else []

    def on_request_body(self, data: bytes, end_of_stream: bool, now_s: float) -> list[Command]:
        """Some of the client's body. It is sent on when it is complete, for only then is it known where to."""
        if self.phase is not Phase.READING:
            return []
        self._received_bytes += len(data)
        if self._received_bytes > self._gateway.max_request_bytes:
            # Most clients read an answer only after they have sent everything; what they still send is thrown away.
            self._chunks.clear()
            if end_of_stream or self._received_bytes > self._gateway.max_request_bytes * _DRAINED_TIMES:
                return self._reply(error_reply(self._gateway.too_large(), self._request_id))
            return []
        self._chunks.append(data)
        return self._dispatch(now_s, trailers=False) if end_of_stream else []

    def on_request_trailers(self, now_s: float) -> list[Command]:
        """The client's request ended with trailers."""
        if self.phase is not Phase.READING:
            return []
        if self._received_bytes > self._gateway.max_request_bytes:
            return self._reply(error_reply(self._gateway.too_large(), self._request_id))
        return self._dispatch(now_s, trailers=True)

    def _dispatch(self, now_s: float, *, trailers: bool) -> list[Command]:
        """The request is complete: decide where this attempt goes."""
        assert self._call is not None, "only model calls are dispatched"  # noqa: S101
        raw = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        exchange = self._gateway.exchanges.resume(self._request_id)
        try:
            body = read_request_body(self._call, raw, self._fields.get("content-type", ""))
            if exchange is None:
                exchange = self._begin(body, now_s)
        except BadRequestError as error:
            return self._reply(error_reply(error.error, self._request_id))
        except UnknownModelError as error:
            return self._reply(error_reply(unknown_model(error.args[0], self._gateway.catalog), self._request_id))
        self._exchange = exchange
        if exchange.upcoming is None:  # the attempt before ended without an answer: its stream was cut
            return self._after_failure(failures.RESET, now_s, resend=False) or self._send(
                exchange, body, now_s, trailers=trailers
            )
        return self._send(exchange, body, now_s, trailers=trailers)

    def _begin(self, body: RequestBody, now_s: float) -> Exchange:
        assert self._call is not None  # noqa: S101
        target = self._gateway.catalog.resolve(body.model)
        exchange = Exchange(self._request_id, self._call, body.model, target.channel.retry, target, now_s)
        self._gateway.exchanges.start(exchange)
        return exchange

    def _send(self, exchange: Exchange, body: RequestBody, now_s: float, *, trailers: bool) -> list[Command]:
        target = exchange.upcoming
        assert target is not None  # noqa: S101
        exchange.upcoming = None
        self._target = target
        self._hop = exchange.hop = exchange.trail.start(target.name, now_s)
        log.debug(
            "request_id=%s attempt=%d channel=%s key=%s",
            exchange.id,
            len(exchange.trail.hops),
            target.name,
            target.channel.key_name,
        )
        data = body.for_model(target.model)
        self.phase = Phase.WAITING
        self._set_deadline(now_s)
        added = added_to_request(target, exchange.call.suffix, exchange.call.query, self._headers, len(data))
        if body.streams:
            # A stream has to be read here: its first event may be an error, and its end may need an event of ours.
            added.append(("accept-encoding", "identity"))
        names = {name for name, _ in added}
        removed = [name for name in removed_from_request(self._headers) if name not in names]
        return [ForwardRequest(added, removed, data, trailers)]

    # ---------------------------------------------------------------- the response

    def on_response_headers(self, headers: list[Header], end_of_stream: bool, now_s: float) -> list[Command]:
        """The provider's answer begins, or `egress` says that there is none."""
        if self.phase is Phase.ANSWERED:
            return []
        if self.phase is not Phase.WAITING or self._exchange is None or self._exchange.hop is None:
            return [ForwardHeaders([], [])]
        fields = dict(headers)
        local = fields.get(self._gateway.local_header)
        if local is not None:
            log.debug("request_id=%s egress says: %s", self._exchange.id, local)
            return self._after_failure(failures.read_local_failure(local), now_s)
        status = int(fields.get(":status", "0"))
        following = self._next_target(status)
        if following is not None:
            return self._mark_for_retry(following, status, now_s)
        content_type = fields.get("content-type", "").lower()
        self._is_event_stream = content_type.startswith("text/event-stream")
        self._held_headers = headers
        if end_of_stream or not (self._is_event_stream or "json" in content_type):
            return self._release(now_s, end_of_stream=end_of_stream)
        self.phase = Phase.HOLDING
        return []

    def on_response_body(self, data: bytes, end_of_stream: bool, now_s: float) -> list[Command]:
        """Some of the provider's answer."""
        if self.phase is Phase.ANSWERED:
            return []
        if self.phase is Phase.STREAMING:
            if end_of_stream:
                self.finish()
            else:
                self._set_deadline(now_s)
            return [ForwardBody(data, end_of_stream)]
        if self.phase is not Phase.HOLDING:
            return [ForwardBody(data, end_of_stream)]
        self._held.append(data)
        self._held_bytes += len(data)
        enough = self._held_bytes > (0 if self._is_event_stream else _HELD_BYTES)
        if enough or end_of_stream:
            return self._release(now_s, end_of_stream=end_of_stream)
        self._set_deadline(now_s)
        return []

    def on_response_trailers(self, now_s: float) -> list[Command]:
        """The provider's answer ended with trailers."""
        if self.phase is Phase.ANSWERED:
            return []
        released = self._release(now_s, end_of_stream=False) if self.phase is Phase.HOLDING else []
        if self.phase is Phase.STREAMING:
            self.finish()
        return [*released, ForwardTrailers()]

    def _release(self, now_s: float, *, end_of_stream: bool) -> list[Command]:
        """This answer it is: from here on it goes to the client as it comes."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        attempts = len(exchange.trail.hops)
        status = int(dict(self._held_headers).get(":status", "0"))
        exchange.trail.hops[-1].end(str(status), now_s)
        if attempts > 1 and status < 400:
            log.info(
                "request_id=%s metric.retry_success: model=%s, total_attempts=%d",
                exchange.id, exchange.trail.hops[-1].channel, attempts,
            )  # fmt: skip
        commands: list[Command] = [
            ForwardHeaders(
                [*self._result_headers(now_s), *self._page_headers], removed_from_response(self._held_headers)
            )
        ]
        if self._held or (end_of_stream and self.phase is Phase.HOLDING):
            commands.append(ForwardBody(b"".join(self._held), end_of_stream))
            self._held.clear()
        self.phase = Phase.STREAMING
        self._set_deadline(now_s)
        if end_of_stream:
            self.finish()
        return commands

    def _result_headers(self, now_s: float) -> list[Header]:
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        headers = [
            ("x-plano-model", header_safe(exchange.trail.hops[-1].channel)),
            ("x-plano-attempts", exchange.trail.render(now_s)),
            (REQUEST_ID, exchange.id),
        ]
        if exchange.asked is not None:
            headers.append(("x-plano-requested-model", header_safe(exchange.asked)))
        return headers

    # ---------------------------------------------------------------- failures

    def _next_target(self, status: int) -> Target | None:
        """Where to try next after this status; None to pass the answer on."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        tried = [hop.channel for hop in exchange.trail.hops]
        decision = retry.decide(exchange.policy, tried, status, self._gateway.max_attempts)
        return self._gateway.catalog.find(decision.channel) if isinstance(decision, retry.TryNext) else None

    def _note_retry(self, following: Target, outcome: str) -> None:
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        failed = exchange.trail.hops[-1].channel
        log.warning("request_id=%s Retriable error detected: provider=%s, status_code=%s", exchange.id, failed, outcome)
        log.warning("request_id=%s Retry initiated: target_model=%s", exchange.id, following.name)

    def _mark_for_retry(self, following: Target, status: int, now_s: float) -> list[Command]:
        """Let `ingress` see only a mark: it drops this answer and sends the request again."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        exchange.trail.hops[-1].end(str(status), now_s)
        self._note_retry(following, str(status))
        exchange.upcoming = following
        self._gateway.exchanges.rest(exchange, now_s)
        self._end()
        return [ForwardHeaders([(RETRY, "1")], [])]

    def _after_failure(self, failure: failures.LocalFailure, now_s: float, *, resend: bool = True) -> list[Command]:
        """No answer from the provider. Without `resend` the next attempt is this one: nothing to send back then."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        hop = exchange.trail.hops[-1]
        hop.end(failure.word, now_s)
        following = self._next_target(failure.status)
        if following is None:
            failed = self._gateway.catalog.find(hop.channel)
            assert failed is not None, "what was tried is configured"  # noqa: S101
            error = APIError(failure.status, f"provider_{failure.word}", failures.sentence(failure, failed))
            log.error("request_id=%s %s", exchange.id, error.message)
            reply = error_reply(error, exchange.id)
            reply.headers.extend(self._result_headers(now_s)[1:])
            return self._reply(reply)
        self._note_retry(following, failure.word)
        exchange.upcoming = following
        if not resend:
            return []
        self._gateway.exchanges.rest(exchange, now_s)
        self._end(Phase.ANSWERED)
        return [Reply(failure.status, [(RETRY, "1")], b"", "plano_retry")]

    # ---------------------------------------------------------------- time, and the end

    def on_deadline(self, now_s: float) -> list[Command]:
        """`deadline_s` has passed and nothing came."""
        exchange, target = self._exchange, self._target
        if exchange is None or target is None or self.phase in (Phase.READING, Phase.DONE, Phase.ANSWERED):
            return []
        if self.phase in (Phase.WAITING, Phase.HOLDING):
            return self._after_failure(failures.TIMEOUT, now_s)
        # Silence in the middle of an answer: no switch is possible any more, but the client learns why it ends.
        message = failures.sentence(failures.TIMEOUT, target).replace(
            "did not answer in time", "fell silent in the middle of its answer"
        )
        log.error("request_id=%s %s", exchange.id, message)
        if not self._is_event_stream:
            return self._reply(error_reply(APIError(504, "provider_stalled", message), exchange.id))
        self.finish(Phase.ANSWERED)
        # The blank line ends whatever was begun, so that the error is an event of its own.
        return [ForwardBody(b"\n\ndata: " + APIError(504, "provider_stalled", message).body() + b"\n\n", True)]

    def _set_deadline(self, now_s: float) -> None:
        assert self._target is not None  # noqa: S101
        channel = self._target.channel
        first_token_s = channel.first_token_timeout_s
        waiting = self.phase in (Phase.WAITING, Phase.HOLDING) and first_token_s is not None
        self.deadline_s = now_s + (first_token_s if waiting and first_token_s is not None else channel.idle_timeout_s)

    def _reply(self, reply: Reply) -> list[Command]:
        reply.headers.extend(self._page_headers)
        self.finish(Phase.ANSWERED)
        return [reply]

    def finish(self, phase: Phase = Phase.DONE) -> None:
        """The client has its whole answer: nothing is kept of the exchange."""
        if self._exchange is not None:
            self._gateway.exchanges.close(self._exchange)
        self._end(phase)

    def _end(self, phase: Phase = Phase.DONE) -> None:
        self.phase = phase
        self.deadline_s = None

    def on_close(self, now_s: float) -> None:
        """Envoy closed the stream. Before the end that means: the client left, or the provider broke off.

        Which of the two shows when `ingress` sends the request again, or does not.
        """
        exchange = self._exchange
        if exchange is not None and self.phase not in (Phase.DONE, Phase.ANSWERED):
            log.info("request_id=%s closed before its end: %s", exchange.id, exchange.trail.render(now_s))
            if exchange.hop is self._hop:  # not when the next attempt was quicker than the news of this one's end
                self._gateway.exchanges.rest(exchange, now_s)
        self._end()
