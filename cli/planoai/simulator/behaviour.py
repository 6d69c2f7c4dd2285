"""What the simulated provider does with one request: a `Behaviour`, written in Python, JSON or YAML.

Every field has a default, and the defaults together are a healthy provider. Each field is one thing that real providers
do, right or wrong; they can be combined. `docs/simulator.md` has the table for users, in the same order.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta

#: Most bytes of content that one answer may be told to have.
MOST_CONTENT_BYTES = 256 * 1024 * 1024

_MOST_SECONDS = 86_400.0

Status = Annotated[int, Meta(ge=200, le=599)]
Seconds = Annotated[float, Meta(ge=0, le=_MOST_SECONDS)]
Count = Annotated[int, Meta(ge=0, le=10_000_000)]
AtLeastOne = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=0, le=MOST_CONTENT_BYTES)]
SomeBytes = Annotated[int, Meta(ge=1, le=MOST_CONTENT_BYTES)]
Probability = Annotated[float, Meta(ge=0, le=1)]
HeaderValue = str | int | float | list[str] | None

T = TypeVar("T")


class ToolCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call of a tool: its name, and its arguments as an object or as the text of one."""

    name: str
    arguments: Any = msgspec.field(default_factory=dict)


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What happens to a request. Times in seconds, sizes in bytes of the body as it is sent (after compression)."""

    # The answer's head and, for what is no ordinary answer, its body.
    #: From 400 on the body is an error in the protocol of the path, unless a body is given.
    status: Status = 200
    #: Added to the answer, or replacing what it has; null removes. `@http-date+30`, `@rfc3339+30`, `@unix+30` and
    #: `@unix-ms+30` as the whole value stand for the moment 30 seconds from now.
    headers: dict[str, HeaderValue] = {}
    #: Text is sent as it is, an object or list as JSON; replaces the answer, also of a stream.
    body: Any = UNSET
    #: The same for any bytes (base64 in JSON and YAML).
    body_bytes: bytes | None = None
    #: No byte of body.
    empty_body: bool = False
    #: Status as given (200), body an error: `true` for the protocol's usual one, or the JSON itself.
    error_body_in_200: bool | dict[str, Any] = False
    #: A JSON answer to who asked for a stream, or the other way round.
    answer_as: Literal["asked", "json", "sse"] = "asked"

    # When.
    delay_before_headers_s: Seconds = 0
    #: Between the headers and the first token; of a JSON answer, the first byte of the body.
    delay_before_first_token_s: Seconds = 0
    delay_between_tokens_s: Seconds = 0

    # What an ordinary answer says.
    #: Instead of naming the model and repeating the last words of the user.
    content: str | None = None
    #: Sent before the content, as `reasoning_content` (chat) or a `thinking` block (Anthropic).
    reasoning: str | None = None
    #: Number of content chunks of a stream; a JSON answer has the content of all of them.
    chunks: Count | None = None
    #: Bytes of text in each chunk.
    chunk_bytes: SomeBytes | None = None
    #: Tools to call, whatever the request says; an empty list: none.
    tool_calls: list[ToolCall] | None = None
    #: In how many pieces the arguments of a call are streamed; 1: the whole call in one chunk.
    tool_call_chunks: AtLeastOne = 3
    #: In the words of OpenAI's chat protocol; the other protocols get their word for it.
    finish_reason: str | None = None
    #: `wrong`: the sum is not the sum of the parts.
    usage: Literal["correct", "wrong", "missing"] = "correct"

    # Streams.
    #: When the first delta, with nothing but the role, is sent: with the first token, right after the headers, as one
    #: chunk with the first content, or never. Anthropic's `message_start` and the like know only the first two.
    role_delta: Literal["first_token", "early", "merged", "none"] = "first_token"
    #: SSE comments before the first token, each followed by `comment_interval_s`; then comes the delay.
    comments: Count = 0
    #: Anthropic's `ping` events, likewise, after the comments.
    pings: Count = 0
    comment_interval_s: Seconds = 0
    #: An error event ends the stream: `true` for the protocol's usual one, or the JSON itself.
    error_event: bool | dict[str, Any] = False
    #: After how many content chunks; 0: the very first event (with an early role delta, the second).
    error_event_at: Count = 0
    #: The headers of a stream, and then its regular end.
    empty_stream: bool = False
    #: A stream that consists of `[DONE]`.
    only_done: bool = False
    no_done: bool = False
    #: `[DONE]` also after an error event.
    done_after_error: bool = False

    # Broken connections.
    #: Reset the connection instead of answering.
    refuse: bool = False
    #: Cut the connection after n bytes of body; 0: after the headers.
    cut_after_bytes: Bytes | None = None
    #: The same after n content chunks of a stream.
    cut_after_chunks: Count | None = None
    cut_with: Literal["reset", "close"] = "reset"
    #: Send nothing more after n bytes of body, and keep the connection open.
    stall_after_bytes: Bytes | None = None
    stall_after_chunks: Count | None = None

    # How the bytes travel.
    gzip: bool = False
    #: Write the body in pieces of n bytes.
    split: SomeBytes | None = None
    split_interval_s: Seconds = 0
    #: Lines of a stream end with CR LF.
    crlf: bool = False
    #: `data:{…}` instead of `data: {…}`.
    data_without_space: bool = False
    #: The JSON of an event over several `data:` lines.
    multiline_data: bool = False
    #: No content-length, also for JSON.
    chunked: bool = False
    #: Close the connection after the answer.
    close: bool = False

    # When it applies, within a rule.
    #: With this probability; otherwise the next rule is asked.
    probability: Probability = 1
    #: For so many requests; by default one for each behaviour of a list, and no end for the last.
    times: AtLeastOne | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself. Raises ValueError."""
        given = [name for name, there in self._bodies() if there]
        if len(given) > 1:
            raise ValueError(f"only one of {' and '.join(f'`{name}`' for name in given)} can be the body; keep one")
        if self.chunks is not None and self.chunks * (self.chunk_bytes or 1) > MOST_CONTENT_BYTES:
            raise ValueError(f"`chunks` times `chunk_bytes` is more than {MOST_CONTENT_BYTES} bytes; make one smaller")
        for name, value in self.headers.items():
            check_header(name, value)

    def _bodies(self) -> tuple[tuple[str, bool], ...]:
        return (
            ("body", self.body is not UNSET),
            ("body_bytes", self.body_bytes is not None),
            ("empty_body", self.empty_body),
            ("error_body_in_200", self.error_body_in_200 is not False),
        )


#: A healthy provider.
HEALTHY = Behaviour()

#: RFC 9110, section 5.6.2: the characters of a header's name.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_MOMENT = re.compile(r"@(http-date|rfc3339|unix|unix-ms)([+-]\d+(?:\.\d+)?)?")


def header_moment(value: str) -> tuple[str, float] | None:
    """Form and offset in seconds of a header value such as `@http-date+30`; None for an ordinary value."""
    found = _HEADER_MOMENT.fullmatch(value)
    return None if found is None else (found[1], float(found[2] or 0))


def check_header(name: str, value: HeaderValue) -> None:
    """Refuse what cannot stand in a header. Raises ValueError."""
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(f"`{name}` is no name of a header; use letters, digits and dashes")
    for text in value if isinstance(value, list) else [value]:
        if not isinstance(text, str):
            continue
        if any(character in text for character in "\r\n\0"):
            raise ValueError(f"the value of header `{name}` holds a line break; write it on one line")
        if text.startswith("@") and header_moment(text) is None:
            raise ValueError(
                f"`{text}` (header `{name}`) is no moment; write @http-date+30, @rfc3339+30, @unix+30 or @unix-ms+30"
            )


class ScriptError(ValueError):
    """Something is wrong in a behaviour or rule. `path` leads to it; the message says what is wrong and what to do."""

    def __init__(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> None:
        self.path = tuple(path)
        self.message = message
        #: The key at `path` is meant, not its value.
        self.at_key = at_key
        place = path_text(self.path)
        super().__init__(f"{place}: {message}" if place else message)


def path_text(path: Sequence[str | int]) -> str:
    """A path as text: `rules[0].behaviours[1].status`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def convert_strictly(value: Any, wanted: type[T], fields: Sequence[str], path: Sequence[str | int] = ()) -> T:
    """`value`, plain data, as `wanted`. Raises ScriptError with the place, what is wrong and what would be right."""
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise _mistake(str(error), fields, path) from None


def behaviour_from(value: Any, path: Sequence[str | int] = ()) -> Behaviour:
    """A behaviour from plain data: an object with its fields, or a number, short for its status. Raises ScriptError."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = {"status": value}
    if not isinstance(value, Mapping):
        raise ScriptError(path, f"a behaviour is an object such as {{status: 429}} or a status, not {kind_of(value)}")
    return convert_strictly(value, Behaviour, BEHAVIOUR_FIELDS, path)


def behaviour_from_json(text: str | bytes) -> Behaviour:
    """A behaviour from JSON text. Raises ScriptError."""
    return behaviour_from(decode_json(text))


def decode_json(text: str | bytes) -> Any:
    """Plain data from JSON text. Raises ScriptError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScriptError((), f"this is no JSON: {error}") from None


def kind_of(value: Any) -> str:
    """What `value` is, in the words of JSON."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "an object"
        case _:
            return "a list"


#: The names of all fields, in order.
BEHAVIOUR_FIELDS: tuple[str, ...] = Behaviour.__struct_fields__

_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*)`")
_PATH_PART = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]|\[\.\.\.\]")


def _in_our_words(what: str) -> str:
    """Ours begin in lower case and quote what they mean; msgspec's are "Expected `int` >= 200"."""
    if not what.startswith("Expected"):
        return what
    plain = f"e{what[1:]}".replace("`", "")
    # YAML takes yes, off, 12 and the like for something else than text.
    unquoted = plain.startswith("expected str") and plain.endswith(("got bool", "got int", "got float"))
    return f"{plain}; put text in quotes" if unquoted else plain


def _mistake(text: str, fields: Sequence[str], base: Sequence[str | int]) -> ScriptError:
    """What msgspec says ("… - at `$.behaviours[0].status`"), in our words and with the place as a path."""
    what, _, place = text.partition(" - at `")
    path: list[str | int] = list(base)
    for name, index in _PATH_PART.findall(place):
        if name:
            path.append(name)
        elif index:
            path.append(int(index))
    unknown = _UNKNOWN_FIELD.fullmatch(what)
    if unknown is None:
        return ScriptError(path, _in_our_words(what))
    name = unknown[1]
    near = get_close_matches(name, fields, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(fields)}"
    return ScriptError((*path, name), f"unknown field `{name}`; {hint}", at_key=True)
