"""One attempt: a state machine from what Envoy reports to what Envoy shall do. No I/O, no clock of its own.

    READING ──body complete──► (ROUTING) ──► WAITING ──headers──► HOLDING ──enough seen──► STREAMING ──end──► DONE
       └─ answered from here ─► ANSWERED ◄── failure ───┴── silence ─┘      (a retry: DONE)

While an answer is held nothing of it has left: the attempt can still be given up for another one.

The edge (`service`) feeds it messages and carries out the commands that it returns.
"""

import logging
from collections.abc import Sequence
from enum import Enum, auto

from brightstaff import failures, routing
from brightstaff.answers import answer_locally, decision_reply, error_reply, foreign_origin, unknown_model
from brightstaff.caller import read_limits
from brightstaff.catalog import UnknownModelError
from brightstaff.commands import Command, ForwardBody, ForwardHeaders, ForwardRequest, ForwardTrailers, Reply
from brightstaff.conditions import Setback
from brightstaff.decisions import Ending
from brightstaff.errors import APIError
from brightstaff.exchange import Exchange, KeptAnswer
from brightstaff.exhausted import RETRY_AFTER_HEADERS, exhausted_reply, retry_after_headers
from brightstaff.framing import if_cut
from brightstaff.gateway import Gateway
from brightstaff.headers import Header, added_to_request, removed_from_request, removed_from_response
from brightstaff.origins import response_headers
from brightstaff.report import REQUEST_ID, log_exhausted, log_retry, log_routed, log_sent, log_success, result_headers
from brightstaff.request_body import BadRequestError, RequestBody, read_request_body
from brightstaff.retry import NO_POLICY, Failure, TryNext, most_useful
from brightstaff.retry_after import retry_after_s
from brightstaff.routing import Routed, Undecided
from brightstaff.sse import WAIT, FirstEvents
from brightstaff.stream_end import StreamEnd
from brightstaff.surface import ModelCall, classify
from brightstaff.trail import Hop
from brightstaff.verdict import Fault, Verdict, judge_answer, judge_status

log = logging.getLogger("brightstaff.attempt")

#: Tells `ingress` to send the request again.
RETRY = "x-plano-retry"


#: A JSON answer is held until it is complete, but no more of it than this many bytes.
_HELD_BYTES = 64 * 1024


#: A body over the limit is read on, and thrown away, up to this many times the limit before the answer is sent.
_DRAINED_TIMES = 4


_CUT_SHORT = Verdict(Fault.CHANNEL, failures.CUT_SHORT.word)


#: So long is waited for the rest of an error's body before it is judged by what is there.
_ERROR_BODY_S = 2.0


class Phase(Enum):
    """Where an attempt stands."""

    READING = auto()
    ROUTING = auto()
    """The request is complete, and the router was asked."""
    BACKING_OFF = auto()
    """The request is complete, and its time has not come."""
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
        self.question: Undecided | None = None
        """For the router; `on_routed` is due when it has answered."""
        self._gateway = gateway
        self._headers: list[Header] = []
        self._fields: dict[str, str] = {}
        self.request_id = ""
        self._page_headers: list[Header] = []
        """For the browser, when a page asked."""
        self._call: ModelCall | None = None
        self._chunks: list[bytes] = []
        self._received_bytes = 0
        self._exchange: Exchange | None = None
        self._body: RequestBody | None = None
        self._trailers = False
        self._hop: Hop | None = None
        self._status = 0
        self._is_event_stream = False
        self._first_events: FirstEvents | None = None
        self._stream_end: StreamEnd | None = None
        self._first_token_due_s: float | None = None
        self._first_byte_s = 0.0
        self._held_headers: list[Header] = []
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._headers_only = False

    # ---------------------------------------------------------------- the request

    def on_request_headers(self, headers: list[Header], end_of_stream: bool, now_s: float) -> list[Command]:
        """The first message of every attempt."""
        self._headers = headers
        self._fields = fields = dict(headers)
        self.request_id = fields.get(REQUEST_ID, "")
        origin = fields.get("origin")
        if origin is not None:
            if not self._gateway.origins.allows(origin):
                return self._refuse(foreign_origin(origin), now_s)
            self._page_headers = response_headers(origin)
        endpoint = classify(fields.get(":method", ""), fields.get(":path", "/"))
        if not isinstance(endpoint, ModelCall):
            return self._reply(answer_locally(endpoint, self._gateway), now_s)
        self._call = endpoint
        announced = fields.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._gateway.max_request_bytes * _DRAINED_TIMES:
            return self._refuse(self._gateway.too_large(), now_s)
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
                return self._refuse(self._gateway.too_large(), now_s)
            return []
        self._chunks.append(data)
        return self._dispatch(now_s, trailers=False) if end_of_stream else []

    def on_request_trailers(self, now_s: float) -> list[Command]:
        """The client's request ended with trailers."""
        if self.phase is not Phase.READING:
            return []
        if self._received_bytes > self._gateway.max_request_bytes:
            return self._refuse(self._gateway.too_large(), now_s)
        return self._dispatch(now_s, trailers=True)

    def _dispatch(self, now_s: float, *, trailers: bool) -> list[Command]:
        """The request is complete: decide where this attempt goes."""
        assert self._call is not None, "only model calls are dispatched"  # noqa: S101
        raw = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._trailers = trailers
        exchange = self._gateway.exchanges.resume(self.request_id)
        try:
            body = self._body = read_request_body(self._call, raw, self._fields.get("content-type", ""))
            if exchange is None:
                plan = routing.plan(self._gateway.routing, self._call, body, self._fields)
                if isinstance(plan, Undecided):
                    self.phase, self.question = Phase.ROUTING, plan
                    return []
                return self._begin(plan, now_s)
        except BadRequestError as error:
            return self._refuse(error.error, now_s)
        self._exchange = exchange
        return self._go_on(now_s)

    def on_routed(self, routed: Routed, now_s: float) -> list[Command]:
        """What became of `question`."""
        self.question = None
        return self._begin(routed, now_s) if self.phase is Phase.ROUTING else []

    def _begin(self, routed: Routed | None, now_s: float) -> list[Command]:
        """The first attempt of a request."""
        assert self._call is not None  # noqa: S101
        assert self._body is not None  # noqa: S101
        if routed is not None:
            routed = self._gateway.by_speed(routed, streams=self._body.streams, now_s=now_s)
            log_routed(self.request_id, routed)
        if self._call.decision_only:
            return self._reply(decision_reply(routed, self._body.model, self._fields, self.request_id), now_s)
        try:
            limits = read_limits(self._fields, now_s, self._gateway.max_attempts)
            self._exchange = self._gateway.begin(
                self.request_id, self._call, self._body.model, limits, now_s, routed, streams=self._body.streams
            )
        except BadRequestError as error:
            return self._refuse(error.error, now_s)
        except UnknownModelError as error:
            return self._refuse(unknown_model(error.args[0], self._gateway.catalog), now_s)
        return self._go_on(now_s)

    def _go_on(self, now_s: float) -> list[Command]:
        """It is known where the request may go: this attempt begins, now or when its time has come."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        if exchange.upcoming is None:  # the attempt before ended without an answer: its stream was cut
            self._note_failure(failures.RESET, now_s)
            if exchange.upcoming is None:
                return self._give_up(now_s)
        if exchange.not_before_s > now_s:
            self.phase = Phase.BACKING_OFF
            self.deadline_s = exchange.not_before_s
            return []
        return self._send(now_s)

    def _send(self, now_s: float) -> list[Command]:
        exchange, body = self._exchange, self._body
        assert exchange is not None  # noqa: S101
        assert body is not None  # noqa: S101
        target = self._gateway.start_attempt(exchange, now_s)
        self._hop = exchange.hop
        log_sent(exchange)
        data = body.for_model(target.model)
        self.phase = Phase.WAITING
        if body.streams and target.channel.first_token_timeout_s is not None:
            self._first_token_due_s = now_s + target.channel.first_token_timeout_s
        self._set_deadline(now_s)
        added = added_to_request(target, exchange.call.suffix, exchange.call.query, self._headers, len(data))
        if body.streams:
            # A stream has to be read here: its first event may be an error, and its end may need an event of ours.
            added.append(("accept-encoding", "identity"))
        names = {name for name, _ in added}
        removed = [name for name in removed_from_request(self._headers) if name not in names]
        return [ForwardRequest(added, removed, data, self._trailers)]

    # ---------------------------------------------------------------- the response

    def on_response_headers(self, headers: list[Header], end_of_stream: bool, now_s: float) -> list[Command]:
        """The provider's answer begins, or `egress` says that there is none."""
        if self.phase is Phase.ANSWERED:
            return []
        if self.phase is not Phase.WAITING or self._exchange is None or self._exchange.hop is None:
            return [ForwardHeaders([], removed_from_response(headers))]
        fields = dict(headers)
        local = fields.get(self._gateway.local_header)
        if local is not None:
            log.debug("request_id=%s egress says: %s", self._exchange.id, local)
            return self._after_failure(failures.read_local_failure(local), now_s)
        self._held_headers = headers
        self._first_byte_s = now_s
        self._status = int(fields.get(":status", "0"))
        content_type = fields.get("content-type", "").lower()
        self._is_event_stream = content_type.startswith("text/event-stream")
        if self._is_event_stream and "content-encoding" not in fields:
            # Also where no stream was asked for: some send one all the same.
            self._first_events = FirstEvents(self._exchange.call.suffix)
            self._stream_end = StreamEnd(self._exchange.call.suffix)
        # Without a type it may be anything, also nothing.
        readable = self._is_event_stream or not content_type or "json" in content_type or "html" in content_type
        failed = self._status >= 400 and self._exchange.policy is not None
        if not (readable or failed):
            return self._release(now_s, end_of_stream=end_of_stream)
        self.phase = Phase.HOLDING
        if end_of_stream:
            self._headers_only = True
            return self._judge(now_s, end_of_stream=True)
        if failed:
            self.deadline_s = now_s + _ERROR_BODY_S
        return []

    def on_response_body(self, data: bytes, end_of_stream: bool, now_s: float) -> list[Command]:
        """Some of the provider's answer."""
        if self.phase is Phase.ANSWERED:
            return []
        if self.phase is Phase.STREAMING:
            return self._pass_on(data, now_s, end_of_stream=end_of_stream)
        if self.phase is not Phase.HOLDING:
            return [ForwardBody(data, end_of_stream)]
        self._held.append(data)
        self._held_bytes += len(data)
        if self._status < 400:
            self._set_deadline(now_s)
        if self._is_event_stream and self._status < 400:
            return self._judge_events(data, now_s, end_of_stream=end_of_stream)
        if end_of_stream or self._held_bytes > _HELD_BYTES:
            return self._judge(now_s, end_of_stream=end_of_stream)
        return []

    def on_response_trailers(self, now_s: float) -> list[Command]:
        """The provider's answer ended with trailers."""
        if self.phase is Phase.ANSWERED:
            return []
        if self.phase is not Phase.HOLDING:
            if self.phase is Phase.STREAMING:
                self._finish_answer(now_s)
            return [ForwardTrailers()]
        commands = self._judge(now_s, end_of_stream=False)
        if isinstance(commands[0], ForwardHeaders):
            self._finish_answer(now_s)
            commands.append(ForwardTrailers())
        return commands

    def _pass_on(self, data: bytes, now_s: float, *, end_of_stream: bool) -> list[Command]:
        """Some of an answer that has begun to reach the client."""
        end = self._stream_end
        if end is not None and self._is_event_stream and self._status < 400:
            told_before = end.has_error
            end.feed(data)
            if end.has_error and not told_before:
                # At once: many clients close the connection when they read it.
                self._hold_broken_stream_against(Fault.CHANNEL, "error_in_stream", now_s)
            if end_of_stream and end.is_cut_short:
                return [*([ForwardBody(data, False)] if data else []), *self._break_off(failures.CUT_SHORT, now_s)]
        if end_of_stream:
            self._finish_answer(now_s)
        else:
            self._set_deadline(now_s)
        return [ForwardBody(data, end_of_stream)]

    def _finish_answer(self, now_s: float) -> None:
        """The provider has sent all of its answer."""
        exchange = self._exchange
        if exchange is not None and exchange.broken:
            self.finish(now_s, "broken", self._status)
            return
        if exchange is not None and self._status < 400:
            self._gateway.note_end(exchange, now_s)
        self.finish(now_s, "answered" if self._status < 400 else "failed", self._status)

    def _break_off(self, failure: failures.LocalFailure, now_s: float) -> list[Command]:
        """No switch is possible any more once content is out, but the client learns why its stream ends."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        error = APIError(failure.status, f"provider_{failure.word}", failures.sentence(failure, exchange.target))
        log.error("request_id=%s %s", exchange.id, error.message)
        fault = Fault.TIMEOUT if failure.status == 504 else Fault.CHANNEL
        self._hold_broken_stream_against(fault, failure.word, now_s)
        if not self._is_event_stream:
            # Of no length that was announced, and without a form for errors: only the end of the connection says it.
            return self._reply(error_reply(error, exchange.id, exchange.call.suffix), now_s, "broken")
        self.finish(now_s, "broken", self._status, Phase.ANSWERED)
        # The blank line ends whatever was begun, so that the error is an event of its own.
        return [ForwardBody(b"\n\n" + error.event(exchange.call.suffix), True)]

    def _hold_broken_stream_against(self, fault: Fault, cause: str, now_s: float) -> None:
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        hop = exchange.trail.hops[-1]
        exchange.broken = True
        hop.after_content = True
        hop.fault = fault.name.lower()
        hop.outcome = cause
        self._gateway.hold_against(exchange, Setback(fault, cause, self._status, timeout=fault is Fault.TIMEOUT), now_s)

    def _judge_events(self, data: bytes, now_s: float, *, end_of_stream: bool) -> list[Command]:
        """What has come of a stream may be an answer already, or a failure, or neither yet."""
        exchange, events = self._exchange, self._first_events
        if exchange is None or exchange.policy is None or events is None:
            seen = self._held_bytes > 0 or end_of_stream
            return self._release(now_s, end_of_stream=end_of_stream) if seen else []
        decision = events.feed(data)
        if decision is WAIT and end_of_stream:
            decision = events.end()
        if isinstance(decision, Verdict) and decision.fault is not Fault.CALLER:
            return self._reject(decision, now_s, end_of_stream=end_of_stream)
        if end_of_stream and self._stream_end is not None:
            self._stream_end.feed(b"".join(self._held))
            if self._stream_end.is_cut_short:
                # Nothing of it has left yet.
                return self._reject(_CUT_SHORT, now_s, end_of_stream=True)
        if decision is not WAIT or end_of_stream or self._held_bytes > _HELD_BYTES:
            return self._release(now_s, end_of_stream=end_of_stream)
        return []

    def _judge(self, now_s: float, *, end_of_stream: bool) -> list[Command]:
        """What is held is an answer, or a failure of the channel. Without a policy nobody asks."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        if exchange.policy is None:
            return self._release(now_s, end_of_stream=end_of_stream)
        fields = dict(self._held_headers)
        encoded = fields.get("content-encoding", "identity").lower() != "identity"
        if encoded and self._status < 400:
            return self._release(now_s, end_of_stream=end_of_stream)
        body = b"" if encoded else b"".join(self._held)
        verdict = judge_answer(self._status, fields.get("content-type", "").lower(), body, exchange.call.suffix)
        if verdict is None:
            return self._release(now_s, end_of_stream=end_of_stream)
        return self._reject(verdict, now_s, end_of_stream=end_of_stream)

    def _callers_faults(self) -> tuple[Fault, ...]:
        """What the channel is not to blame for: with `passthrough_auth` the key is the caller's own, too."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        return (Fault.CALLER, Fault.KEY) if exchange.target.channel.passthrough_auth else (Fault.CALLER,)

    def _reject(self, verdict: Verdict, now_s: float, *, end_of_stream: bool) -> list[Command]:
        """The answer is none. Try elsewhere if that is possible; otherwise it is what the client gets."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        body = b"".join(self._held)
        # The word says more than the status where the words of the answer do.
        word = verdict.cause
        status = self._status if self._status >= 400 else 502
        hint_s = retry_after_s(dict(self._held_headers), body, self._gateway.wall_clock())
        failure = Failure(
            channel=exchange.trail.hops[-1].channel,
            status=status,
            channel_at_fault=verdict.cause != str(self._status) and verdict.fault not in self._callers_faults(),
            retry_after_s=hint_s,
            at_s=now_s,
        )
        problem = None if self._status >= 400 else verdict.cause
        exchange.trail.hops[-1].end(str(self._status) if self._status >= 400 else word, now_s)
        setback = None
        if verdict.fault not in self._callers_faults():
            setback = Setback(verdict.fault, word, status, verdict.fault is Fault.TIMEOUT, hint_s)
        decision = self._gateway.fail(exchange, failure, setback, KeptAnswer(self._held_headers, body, problem), now_s)
        if isinstance(decision, TryNext):
            log_retry(exchange)
            self._gateway.exchanges.rest(exchange, now_s)
            self._end(Phase.ANSWERED)
            # `ingress` sees only a mark: it drops this answer and sends the request again.
            return [Reply(failure.status, [(RETRY, "1")], b"", "plano_retry")]
        if setback is None and self._status >= 400:
            # The caller's mistake: it is what the client has to know, whatever came before.
            return self._release(now_s, end_of_stream=end_of_stream)
        if problem is None and most_useful(exchange.failures) == len(exchange.failures) - 1:
            wait = retry_after_headers(exchange, now_s)
            if wait:
                self._held_headers = [each for each in self._held_headers if each[0] not in RETRY_AFTER_HEADERS]
            return self._release(now_s, end_of_stream=end_of_stream, wait=wait)
        return self._give_up(now_s)

    def _release(self, now_s: float, *, end_of_stream: bool, wait: Sequence[Header] = ()) -> list[Command]:
        """This answer it is: from here on it goes to the client as it comes."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        hop = exchange.trail.hops[-1]
        judged = hop.outcome is not None
        hop.end(str(self._status), now_s)
        if self._status < 400:
            self._note_success(exchange, now_s)
        elif not judged:
            self._note_unjudged(exchange, now_s)
        removed = removed_from_response(self._held_headers)
        if wait:
            removed = [*removed, *RETRY_AFTER_HEADERS]
        if self._stream_end is not None:
            # An event of ours may have to end it.
            removed = [*removed, "content-length"]
        added = [*result_headers(exchange, now_s), *self._page_headers, *wait]
        if self._stream_end is not None and self._status == 200 and not self._headers_only:
            added.append(if_cut(exchange.call.suffix, exchange.id))
        commands: list[Command] = [ForwardHeaders(added, removed)]
        held = b"".join(self._held)
        ends_with_body = end_of_stream and self.phase is Phase.HOLDING and not self._headers_only
        self._held.clear()
        self.phase = Phase.STREAMING
        if held or ends_with_body:
            commands += self._pass_on(held, now_s, end_of_stream=end_of_stream)
        elif end_of_stream:
            self._finish_answer(now_s)
        else:
            self._set_deadline(now_s)
        return commands

    def _note_success(self, exchange: Exchange, now_s: float) -> None:
        hop = exchange.trail.hops[-1]
        # Of a stream, what counts is its first content.
        self._gateway.note_answer(exchange, now_s if self._is_event_stream else self._first_byte_s, now_s)
        hop.other_model = exchange.target.model != exchange.chain[0].model
        log_success(exchange)

    def _note_unjudged(self, exchange: Exchange, now_s: float) -> None:
        """A failure that nobody reads, because there is no policy: its status speaks for itself."""
        verdict = judge_status(self._status)
        if verdict is None or verdict.fault in self._callers_faults():
            self._gateway.hold_against(exchange, None, now_s)
            return
        hint_s = retry_after_s(dict(self._held_headers), b"", self._gateway.wall_clock())
        timeout = verdict.fault is Fault.TIMEOUT
        hop = exchange.trail.hops[-1]
        hop.fault, hop.retry_after_s = verdict.fault.name.lower(), hint_s
        exchange.why_no_more = NO_POLICY
        self._gateway.hold_against(
            exchange, Setback(verdict.fault, verdict.cause, self._status, timeout, hint_s), now_s
        )

    # ---------------------------------------------------------------- failures

    def _note_failure(self, failure: failures.LocalFailure, now_s: float, *, channel_at_fault: bool = True) -> None:
        """The last attempt got no answer; what follows is then in the exchange."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        hop = exchange.trail.hops[-1]
        # A good beginning that never reached the client counts for nothing.
        hop.outcome = None
        hop.end(failure.word, now_s)
        timeout = failure.word == failures.TIMEOUT.word
        noted = Failure(hop.channel, failure.status, timeout=timeout, at_s=now_s)
        fault = Fault.TIMEOUT if timeout else Fault.CHANNEL
        setback = Setback(fault, failure.word, failure.status, timeout) if channel_at_fault else None
        if isinstance(self._gateway.fail(exchange, noted, setback, failure, now_s), TryNext):
            log_retry(exchange)

    def _after_failure(
        self, failure: failures.LocalFailure, now_s: float, *, channel_at_fault: bool = True
    ) -> list[Command]:
        """No answer from the provider: another attempt, or the end."""
        self._note_failure(failure, now_s, channel_at_fault=channel_at_fault)
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        if exchange.upcoming is None:
            return self._give_up(now_s)
        self._gateway.exchanges.rest(exchange, now_s)
        self._end(Phase.ANSWERED)
        return [Reply(failure.status, [(RETRY, "1")], b"", "plano_retry")]

    def _give_up(self, now_s: float) -> list[Command]:
        """Nothing is left to try: the client gets the failure that tells most."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        reply = exhausted_reply(exchange, now_s)
        log_exhausted(exchange, now_s)
        reply.headers.extend(result_headers(exchange, now_s))
        return self._reply(reply, now_s)

    # ---------------------------------------------------------------- time, and the end

    def on_deadline(self, now_s: float) -> list[Command]:
        """`deadline_s` has passed and nothing came."""
        exchange = self._exchange
        if exchange is None or self.phase in (Phase.READING, Phase.ROUTING, Phase.DONE, Phase.ANSWERED):
            return []
        if self.phase is Phase.BACKING_OFF:
            return self._send(now_s)
        target = exchange.target
        if self.phase is Phase.HOLDING and self._status >= 400:
            return self._judge(now_s, end_of_stream=False)
        if self.phase in (Phase.WAITING, Phase.HOLDING):
            due_s = self._first_token_due_s
            if due_s is not None and due_s <= now_s:
                self._first_token_due_s = None
                timeout = Failure(target.name, failures.TIMEOUT.status, timeout=True)
                if not self._gateway.would_follow(exchange, timeout, now_s):
                    # Never fatal on the last candidate: a slow answer is better than none.
                    self._set_deadline(now_s)
                    return []
                return self._after_failure(failures.TIMEOUT, now_s)
            callers_s = exchange.limits.deadline_s
            # That the caller does not want to wait longer says nothing about the channel.
            return self._after_failure(failures.TIMEOUT, now_s, channel_at_fault=callers_s is None or callers_s > now_s)
        return self._break_off(failures.STALLED, now_s)

    def _set_deadline(self, now_s: float) -> None:
        """Something moved: the idle time begins anew, the deadline of the first token stands."""
        exchange = self._exchange
        assert exchange is not None  # noqa: S101
        idle_s = now_s + exchange.target.channel.idle_timeout_s
        waiting = self.phase in (Phase.WAITING, Phase.HOLDING)
        others = (self._first_token_due_s, exchange.limits.deadline_s) if waiting else ()
        self.deadline_s = min([idle_s, *(each for each in others if each is not None)])

    def _refuse(self, error: APIError, now_s: float) -> list[Command]:
        suffix = "" if self._call is None else self._call.suffix
        return self._reply(error_reply(error, self.request_id, suffix), now_s)

    def _reply(self, reply: Reply, now_s: float, ending: Ending = "failed") -> list[Command]:
        reply.headers.extend(self._page_headers)
        self.finish(now_s, ending, reply.status, Phase.ANSWERED)
        return [reply]

    def finish(self, now_s: float, ending: Ending, status: int, phase: Phase = Phase.DONE) -> None:
        """The client has all that it gets: nothing is kept of the exchange."""
        if self._exchange is not None:
            self._gateway.close(self._exchange, ending, status, now_s)
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
            end = self._stream_end
            if self.phase is Phase.STREAMING and end is not None and end.has_begun and end.is_complete:
                # Clients do not wait for what comes after `[DONE]`.
                self._finish_answer(now_s)
                return
            log.info("request_id=%s closed before its end: %s", exchange.id, exchange.trail.render(now_s))
            if exchange.hop is self._hop:  # not when the next attempt was quicker than the news of this one's end
                if self._hop is not None:
                    self._gateway.hold_against(exchange, None, now_s)
                self._gateway.exchanges.rest(exchange, now_s)
        self._end()
