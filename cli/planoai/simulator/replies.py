"""What is sent for a request under a behaviour: head, and the body as bytes or as timed steps. No I/O."""

import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from msgspec import UNSET

from planoai.simulator.answer import Answer, make_answer
from planoai.simulator.behaviour import Behaviour, HeaderValue, header_moment
from planoai.simulator.protocols import anthropic_messages, openai_chat, openai_other, openai_responses
from planoai.simulator.protocols.errors import error_body, error_event
from planoai.simulator.protocols.stream import Chunk, StreamParts, json_bytes
from planoai.simulator.request_facts import Endpoint, RequestFacts
from planoai.simulator.sse import DONE, Event, Framing
from planoai.simulator.steps import Cut, Stall, Step, Wait, Write, compressed, ended_after, split, whole

Headers = list[tuple[str, str]]

_JSON = "application/json"
_SSE = "text/event-stream; charset=utf-8"

#: A larger body is sent in steps, so that a slow reader does not hold all of it in buffers.
_LARGEST_AT_ONCE_BYTES = 256 * 1024

_SPEECH_BYTES = 9_600

_SERIALISE: dict[Endpoint, Callable[[Answer], bytes]] = {
    Endpoint.CHAT: openai_chat.chat_json,
    Endpoint.COMPLETIONS: openai_chat.completion_json,
    Endpoint.MESSAGES: anthropic_messages.message_json,
    Endpoint.RESPONSES: openai_responses.response_json,
}
_STREAM: dict[Endpoint, Callable[[Answer], StreamParts]] = {
    Endpoint.CHAT: openai_chat.chat_stream,
    Endpoint.COMPLETIONS: openai_chat.completion_stream,
    Endpoint.MESSAGES: anthropic_messages.message_stream,
    Endpoint.RESPONSES: openai_responses.response_stream,
}
_NEED_MODEL = {*_SERIALISE, Endpoint.EMBEDDINGS, Endpoint.SPEECH, Endpoint.TRANSCRIPTIONS}


@dataclass(slots=True)
class Reply:
    """What the server carries out: wait, then refuse, or send the head and then `body` or `steps`."""

    status: int
    headers: Headers
    #: All of the body, to be sent with the head.
    body: bytes | None = None
    steps: Iterator[Step] | None = None
    #: Of a body in steps; None: unknown, sent in chunks.
    content_length: int | None = None
    delay_before_headers_s: float = 0
    refuse: bool = False
    close: bool = False


@dataclass(frozen=True, slots=True)
class _Payload:
    """A body that is there as a whole."""

    content_type: str
    data: bytes
    status: int | None = None


def make_reply(
    facts: RequestFacts, behaviour: Behaviour, number: str, *, now_s: Callable[[], float], models: Sequence[str]
) -> Reply:
    """The reply to a request. `number` tells it from others; `now_s` gives seconds since the epoch."""
    if behaviour.refuse:
        return Reply(0, [], refuse=True, delay_before_headers_s=behaviour.delay_before_headers_s)
    payload = _scripted(facts, behaviour, number)
    if payload is None:
        payload = _refusal(facts, number)
    if payload is None and _is_stream(facts, behaviour):
        return _stream_reply(facts, behaviour, number, now_s)
    if payload is None:
        payload = _answer(facts, behaviour, number, models)
    return _payload_reply(payload, behaviour, number, now_s)


def _is_stream(facts: RequestFacts, behaviour: Behaviour) -> bool:
    if facts.endpoint not in _STREAM:
        return False
    return facts.stream if behaviour.answer_as == "asked" else behaviour.answer_as == "sse"


def _scripted(facts: RequestFacts, behaviour: Behaviour, number: str) -> _Payload | None:
    """The body that the behaviour prescribes; None when there is to be an ordinary answer."""
    if behaviour.body is not UNSET:
        return _given(behaviour.body)
    if behaviour.body_bytes is not None:
        return _Payload("application/octet-stream", behaviour.body_bytes)
    if behaviour.empty_body or 300 <= behaviour.status < 400:
        return _Payload(_JSON, b"")
    in_json = not _is_stream(facts, behaviour)
    given = behaviour.error_body_in_200 or (behaviour.error_event if in_json else False)
    if given:
        return _Payload(_JSON, json_bytes(given if isinstance(given, dict) else error_body(facts, 503, number)))
    if behaviour.status >= 400:
        return _Payload(_JSON, json_bytes(error_body(facts, behaviour.status, number)))
    if behaviour.empty_stream and in_json:
        return _Payload(_JSON, b"")
    return None


def _given(body: Any) -> _Payload:
    """A body from a script, with the media type that it looks like."""
    if not isinstance(body, str):
        return _Payload(_JSON, json_bytes(body))
    begin = body.lstrip()[:6]
    if begin.startswith(("data:", "event:", ":")):
        kind = _SSE
    elif begin.startswith(("{", "[")):
        kind = _JSON
    elif begin.startswith("<"):
        kind = "text/html; charset=utf-8"
    else:
        kind = "text/plain; charset=utf-8"
    return _Payload(kind, body.encode())


def _refusal(facts: RequestFacts, number: str) -> _Payload | None:
    """What every provider refuses: unknown paths, wrong methods, bodies that are none."""
    status, message = 0, ""
    if facts.endpoint is Endpoint.UNKNOWN:
        status, message = 404, f"Invalid URL ({facts.method} {facts.path})"
    elif facts.method != facts.endpoint.method:
        status, message = 405, f"Not allowed to {facts.method} on {facts.path}; use {facts.endpoint.method}."
    elif facts.body_error is not None:
        status, message = 400, facts.body_error
    elif facts.endpoint in _NEED_MODEL and facts.model is None:
        status, message = 400, "you must provide a model parameter"
    if not status:
        return None
    body = error_body(facts, status, number, message)
    if facts.endpoint is Endpoint.UNKNOWN:
        body["error"]["code"] = "unknown_url"
    return _Payload(_JSON, json_bytes(body), status)


def _answer(facts: RequestFacts, behaviour: Behaviour, number: str, models: Sequence[str]) -> _Payload:
    """The ordinary answer of each endpoint, in one piece."""
    serialise = _SERIALISE.get(facts.endpoint)
    if serialise is not None:
        return _Payload(_JSON, serialise(make_answer(facts, behaviour, number)))
    prompt_tokens = max(facts.body_bytes // 4, 1)
    match facts.endpoint:
        case Endpoint.EMBEDDINGS:
            data = openai_other.embeddings_json(facts.body, facts.model or "", prompt_tokens)
        case Endpoint.MODERATIONS:
            data = openai_other.moderations_json(facts.body, facts.model, number)
        case Endpoint.IMAGES:
            data = openai_other.images_json(facts.body)
        case Endpoint.SPEECH:
            size = _SPEECH_BYTES if behaviour.chunks is None else behaviour.chunks * (behaviour.chunk_bytes or 1)
            return _Payload(*openai_other.speech(facts.body, size))
        case Endpoint.TRANSCRIPTIONS:
            heard = behaviour.content or f"{facts.model} heard {facts.body.get('file', 'nothing')}"
            return _Payload(*openai_other.transcription(facts.body, heard))
        case Endpoint.COUNT_TOKENS:
            data = anthropic_messages.count_tokens_json(prompt_tokens)
        case Endpoint.MODEL:
            data = json_bytes(openai_other.model_json(facts.path.rpartition("/models/")[2]))
        case _:
            data = openai_other.models_json(models)
    return _Payload(_JSON, data)


def _payload_reply(payload: _Payload, behaviour: Behaviour, number: str, now_s: Callable[[], float]) -> Reply:
    data = gzip.compress(payload.data, compresslevel=1, mtime=0) if behaviour.gzip else payload.data
    content_type = payload.content_type if data else None
    reply = Reply(
        payload.status or behaviour.status,
        _headers(content_type, behaviour, number, now_s),
        delay_before_headers_s=behaviour.delay_before_headers_s,
        close=behaviour.close,
    )
    if _at_once(behaviour) and len(data) <= _LARGEST_AT_ONCE_BYTES:
        reply.body = data
        return reply
    reply.content_length = None if behaviour.chunked else len(data)
    steps: Iterable[Step] = whole(data)
    if behaviour.delay_before_first_token_s:
        steps = itertools.chain([Wait(behaviour.delay_before_first_token_s)], steps)
    reply.steps = _travelling(steps, behaviour)
    return reply


def _at_once(behaviour: Behaviour) -> bool:
    return not (
        behaviour.delay_before_first_token_s
        or behaviour.split
        or behaviour.chunked
        or behaviour.cut_after_bytes is not None
        or behaviour.stall_after_bytes is not None
    )


def _stream_reply(facts: RequestFacts, behaviour: Behaviour, number: str, now_s: Callable[[], float]) -> Reply:
    if behaviour.empty_stream:
        steps: Iterable[Step] = ()
    else:
        framing = Framing(behaviour.crlf, not behaviour.data_without_space, behaviour.multiline_data)
        if behaviour.only_done:
            steps = [Write(framing.frame(DONE))]
        else:
            parts = _STREAM[facts.endpoint](make_answer(facts, behaviour, number))
            error = error_event(facts, behaviour.error_event, number) if behaviour.error_event else None
            steps = stream_steps(parts, behaviour, framing, error)
    if behaviour.gzip:
        steps = compressed(steps)
    return Reply(
        behaviour.status,
        [*_headers(_SSE, behaviour, number, now_s), ("cache-control", "no-cache")],
        steps=_travelling(steps, behaviour),
        delay_before_headers_s=behaviour.delay_before_headers_s,
        close=behaviour.close,
    )


def stream_steps(parts: StreamParts, behaviour: Behaviour, framing: Framing, error: Event | None) -> Iterator[Step]:
    """A stream with its waits; ends early by an error event, a cut or a stall."""

    def framed(events: Iterable[Event]) -> bytes:
        return b"".join(map(framing.frame, events))

    early = behaviour.role_delta == "early"
    if early and parts.opening:
        yield Write(framed(parts.opening))
    yield from _keep_alive(behaviour, framing)
    if behaviour.delay_before_first_token_s:
        yield Wait(behaviour.delay_before_first_token_s)
    error_first = error is not None and behaviour.error_event_at == 0
    if not early and parts.opening and not error_first:
        yield Write(framed(parts.opening))
    sent = 0
    for step in _content_steps(parts.content, behaviour, framed, _last_chunk(behaviour, error)):
        yield step
        sent += isinstance(step, Write)
    if sent == behaviour.cut_after_chunks:
        yield Cut(behaviour.cut_with == "reset")
    elif sent == behaviour.stall_after_chunks:
        yield Stall()
    elif error is not None:
        yield Write(framed([error, *(parts.done if behaviour.done_after_error else ())]))
    else:
        yield Write(framed([*parts.closing, *(() if behaviour.no_done else parts.done)]))


def _last_chunk(behaviour: Behaviour, error: Event | None) -> int | None:
    """After how many chunks of content a stream is ended by force; None: it is not."""
    ends = (
        behaviour.cut_after_chunks,
        behaviour.stall_after_chunks,
        behaviour.error_event_at if error is not None else None,
    )
    return min((end for end in ends if end is not None), default=None)


def _content_steps(
    content: Iterable[Chunk], behaviour: Behaviour, framed: Callable[[Chunk], bytes], most: int | None
) -> Iterator[Step]:
    """The chunks of content, with the waits between them; equal chunks are framed once."""
    last: Chunk = ()
    data = b""
    for number, chunk in enumerate(itertools.islice(content, most)):
        if number and behaviour.delay_between_tokens_s:
            yield Wait(behaviour.delay_between_tokens_s)
        if chunk is not last:
            last, data = chunk, framed(chunk)
        yield Write(data)


def _keep_alive(behaviour: Behaviour, framing: Framing) -> Iterator[Step]:
    """What says before the first token that the connection still lives."""
    beats = [framing.comment("keep-alive")] * behaviour.comments
    beats += [framing.frame(anthropic_messages.PING)] * behaviour.pings
    for beat in beats:
        yield Write(beat)
        yield Wait(behaviour.comment_interval_s)


def _travelling(steps: Iterable[Step], behaviour: Behaviour) -> Iterator[Step]:
    """The steps as the wire gets them: split, stalled, cut."""
    if behaviour.stall_after_bytes is not None:
        steps = ended_after(steps, behaviour.stall_after_bytes, Stall())
    if behaviour.cut_after_bytes is not None:
        steps = ended_after(steps, behaviour.cut_after_bytes, Cut(behaviour.cut_with == "reset"))
    if behaviour.split is not None:
        steps = split(steps, behaviour.split, behaviour.split_interval_s)
    return iter(steps)


def _headers(content_type: str | None, behaviour: Behaviour, number: str, now_s: Callable[[], float]) -> Headers:
    headers = [] if content_type is None else [("content-type", content_type)]
    headers.append(("x-request-id", f"req_{number}"))
    if behaviour.gzip:
        headers.append(("content-encoding", "gzip"))
    if not behaviour.headers:
        return headers
    replaced = {name.lower() for name in behaviour.headers}
    headers = [(name, value) for name, value in headers if name not in replaced]
    for name, value in behaviour.headers.items():
        values = value if isinstance(value, list) else [] if value is None else [value]
        headers += [(name, _header_text(each, now_s)) for each in values]
    return headers


def _header_text(value: HeaderValue, now_s: Callable[[], float]) -> str:
    """A header's value; a moment such as `@http-date+30` is worked out."""
    moment = header_moment(value) if isinstance(value, str) else None
    if moment is None:
        return str(value)
    form, offset_s = moment
    when_s = now_s() + offset_s
    match form:
        case "http-date":
            return format_datetime(datetime.fromtimestamp(round(when_s), UTC), usegmt=True)
        case "rfc3339":
            return datetime.fromtimestamp(when_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case "unix-ms":
            return str(round(when_s * 1000))
        case _:
            return str(round(when_s))
