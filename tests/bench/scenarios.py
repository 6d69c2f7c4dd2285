"""What is sent and what is answered: requests of several sizes, and streams. Pure.

The answer that a request wants stands in its prompt, which every gateway passes on: one upstream serves all contenders
alike, and none of them needs to be told.
"""

import json
import re
from dataclasses import dataclass
from typing import Literal

import msgspec

from .http_messages import Message

#: What clients ask for, and (without its prefix) what the provider is asked for.
MODEL = "bench/model"
PATH = "/v1/chat/completions"

CHUNKS_IN_A_STREAM = 100
#: Between the chunks of a paced stream: 200 tokens a second, a fast model.
PACE_S = 0.005

AnswerKind = Literal["json", "burst", "paced"]

_KIND = re.compile(rb"answer:(json|burst|paced)\.")
#: Stands once in every chunk of a stream, and nowhere else.
_TOKEN = b'"content":"tok'
#: Prose as prompts have it: words, line breaks, quotes, an indented line of code and a few characters beyond ASCII.
_PROSE = (
    "The gateway reads the request, picks a channel and passes the answer on.\n"
    '    if error == "rate limited": channel = following(channel)  # \\"elsewhere\\"\n'
    "Ein Gruß, 你好, and a line that ends here…\n"
)


class _Choice(msgspec.Struct):
    finish_reason: str


class _Completion(msgspec.Struct):
    choices: list[_Choice]


_completion = msgspec.json.Decoder(_Completion)


@dataclass(frozen=True)
class Scenario:
    """One kind of request."""

    name: str
    request_bytes: int
    """Of the body; met to within a few bytes."""
    kind: AnswerKind
    title: str

    @property
    def is_stream(self) -> bool:
        """Whether the answer is an event stream."""
        return self.kind != "json"


SCENARIOS = (
    Scenario("json-1k", 1_000, "json", "1 KB request, JSON answer of 1 KB"),
    Scenario("json-100k", 100_000, "json", "100 KB request, JSON answer of 1 KB"),
    Scenario("json-1m", 1_000_000, "json", "1 MB request, JSON answer of 1 KB"),
    Scenario("stream", 1_000, "burst", f"stream of {CHUNKS_IN_A_STREAM} chunks, as fast as it goes"),
    Scenario("stream-paced", 1_000, "paced", f"stream of {CHUNKS_IN_A_STREAM} chunks, {PACE_S * 1000:g} ms apart"),
)
CONNECTIONS = (1, 16, 64)


@dataclass(frozen=True)
class Cell:
    """One combination that is measured."""

    scenario: Scenario
    connections: int

    @property
    def name(self) -> str:
        """As `--only` takes it."""
        return f"{self.scenario.name}@{self.connections}"


def cells(only: tuple[str, ...] = ()) -> list[Cell]:
    """All combinations, or those that `only` names: `json-1k`, `json-1k@16`, `@16`. Raises ValueError."""
    everything = [Cell(scenario, connections) for scenario in SCENARIOS for connections in CONNECTIONS]
    if not only:
        return everything
    chosen: set[Cell] = set()
    for name in only:
        found = [c for c in everything if name in (c.name, c.scenario.name, f"@{c.connections}")]
        if not found:
            names = ", ".join(each.name for each in SCENARIOS)
            raise ValueError(f"there is no scenario {name!r}; there are {names}, each also as NAME@1, NAME@16, NAME@64")
        chosen.update(found)
    return [cell for cell in everything if cell in chosen]


def scenario_named(name: str) -> Scenario:
    """The scenario of this name. Raises KeyError."""
    return {each.name: each for each in SCENARIOS}[name]


def request_body(scenario: Scenario) -> bytes:
    """A chat completion of the scenario's size, as an SDK would write it."""

    def document(prompt: str) -> bytes:
        fields: dict[str, object] = {"model": MODEL}
        if scenario.is_stream:
            fields["stream"] = True
        fields["messages"] = [{"role": "user", "content": f"answer:{scenario.kind}. {prompt}"}]
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()

    prose_bytes = len(document(_PROSE)) - len(document(""))
    available = scenario.request_bytes - len(document(""))
    body = document(_PROSE * (available // prose_bytes))
    # White space between the last two brackets: still the same document, and of the right size.
    return body[:-1] + b" " * (scenario.request_bytes - len(body)) + body[-1:]


def request(scenario: Scenario, authority: str) -> bytes:
    """The whole HTTP request, with the headers of an official SDK."""
    body = request_body(scenario)
    fields = {
        "host": authority,
        "accept": "application/json",
        "accept-encoding": "identity",  # LiteLLM would compress, the others pass on what the upstream sent
        "authorization": "Bearer the-clients-own",
        "content-type": "application/json",
        "user-agent": "OpenAI/Python 2.0.0",
        "x-stainless-async": "async:asyncio",
        "x-stainless-lang": "python",
        "x-stainless-os": "Linux",
        "x-stainless-retry-count": "0",
        "x-stainless-runtime": "CPython",
        "content-length": str(len(body)),
    }
    head = f"POST {PATH} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return head.encode() + b"\r\n" + body


def wanted(body: bytes) -> AnswerKind:
    """Which answer a request wants; a probe without any gets the short one."""
    found = _KIND.search(body)
    match found and found.group(1):
        case b"burst":
            return "burst"
        case b"paced":
            return "paced"
        case _:
            return "json"


def json_answer() -> bytes:
    """A whole HTTP answer with a chat completion of 1 KB."""
    message = {"role": "assistant", "content": "Word after word. " * 42}
    document = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL.partition("/")[2],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 100, "total_tokens": 200},
    }
    body = json.dumps(document).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def stream_answer() -> list[bytes]:
    """A whole HTTP answer with an event stream, in the pieces in which it is sent: the head goes with the first chunk.

    No two chunks are the same: some gateways take repeated ones for a model that has gone astray.
    """
    start = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "model"}

    def event(delta: dict[str, str], finish_reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return b"data: " + json.dumps({**start, "choices": [choice]}, separators=(",", ":")).encode() + b"\n\n"

    def chunk(data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data)

    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    pieces = [chunk(event({"content": f"tok{number:03} "}, None)) for number in range(CHUNKS_IN_A_STREAM)]
    pieces[0] = head + pieces[0]
    pieces.append(chunk(event({}, "stop") + b"data: [DONE]\n\n") + chunk(b""))
    return pieces


def fault_in(answer: Message, scenario: Scenario) -> str:
    """What is wrong with an answer; empty when it is whole and good."""
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:200]!r}"
    body = answer.body
    if not scenario.is_stream:
        try:
            _completion.decode(body)
        except msgspec.MsgspecError as error:
            return f"not a chat completion ({error}): {body[:200]!r}"
        return ""
    tokens = body.replace(b'"content": ', b'"content":').count(_TOKEN)
    if tokens != CHUNKS_IN_A_STREAM:
        return f"{tokens} chunks instead of {CHUNKS_IN_A_STREAM}: {body[:200]!r}…"
    return "" if body.rstrip().endswith(b"data: [DONE]") else f"a stream without its end: …{body[-100:]!r}"
