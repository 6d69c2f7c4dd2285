"""What a router reads of a request: the latest intent of the user, without what agents wrap around it. Pure.

Understands the bodies of chat completions, completions, Anthropic's Messages and OpenAI's Responses.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from plano_router.boilerplate import is_housekeeping, strip_boilerplate
from plano_router.trimming import MOST_CHARACTERS, trim

#: So many turns before the newest are of interest, as upstream has it.
_MOST_TURNS = 16
#: A turn of less than this leans on the one before: "and in Rust?", "do it". A CJK character says more than a letter.
_SHORT_TURN = 40
_CJK_WEIGHT = 2.5
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class Kind(Enum):
    """What a request is, as far as routing goes."""

    TURN = "turn"
    """The user said something."""
    TOOL_LOOP = "tool loop"
    """An agent goes on with what it was doing: the newest message is the result of a tool, or the model's own."""
    HOUSEKEEPING = "housekeeping"
    """An agent asks for a title, a topic or a summary of the conversation."""
    EMPTY = "empty"
    """There is nothing to read."""


@dataclass(frozen=True)
class Turn:
    """One thing that was said."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Reading:
    """What there is to decide by."""

    kind: Kind
    text: str
    """The newest turn of the user, cleaned and cut."""
    context: str = ""
    """The user's turn before, where the newest is too short to stand alone."""
    turns: tuple[Turn, ...] = ()
    """The conversation up to the newest turn of the user, cleaned and cut, the last ones."""
    fingerprint: str = ""
    """Of the system prompt, the tools and the first turn: the same for all requests of a conversation."""


def read_request(suffix: str, body: Mapping[str, object]) -> Reading:
    """Read the body of a request to the endpoint `suffix` (`/chat/completions` and so on)."""
    messages = list(_messages(suffix, body))
    system = "\n".join(text for role, text, _ in messages if role == "system" and text)
    newest = next((message for message in reversed(messages) if message[0] != "system"), None)
    said = [(role, strip_boilerplate(text)) for role, text, _ in messages if role in ("user", "assistant") and text]
    said = [(role, text) for role, text in said if text]
    users = [text for role, text in said if role == "user"]
    if newest is None or not users:
        return Reading(Kind.EMPTY, "")
    last_user = max(index for index, (role, _) in enumerate(said) if role == "user")
    conversation = said[max(0, last_user + 1 - _MOST_TURNS) : last_user + 1]
    kind = Kind.TURN
    if is_housekeeping(system, users[-1]):
        kind = Kind.HOUSEKEEPING
    elif newest[0] != "user" or newest[2] or not strip_boilerplate(newest[1]):
        kind = Kind.TOOL_LOOP
    return Reading(
        kind=kind,
        text=trim(users[-1]),
        context=trim(users[-2], MOST_CHARACTERS // 2) if len(users) > 1 and is_short(users[-1]) else "",
        turns=tuple(Turn("user" if role == "user" else "assistant", trim(text)) for role, text in conversation),
        fingerprint=_fingerprint(system, body.get("tools"), users[0]),
    )


def read_text(text: str) -> Reading:
    """The reading of a bare prompt."""
    return read_request("/chat/completions", {"messages": [{"role": "user", "content": text}]})


def is_short(text: str) -> bool:
    """Whether a turn of the user is too short to be understood without the one before."""
    return len(text) + (_CJK_WEIGHT - 1) * len(_CJK.findall(text)) < _SHORT_TURN


def _fingerprint(system: str, tools: object, first: str) -> str:
    digest = hashlib.blake2b(digest_size=12)
    names = [_tool_name(tool) for tool in tools] if isinstance(tools, list) else []
    for field in (system, *sorted(names), first):
        digest.update(field.encode("utf-8", "surrogatepass"))
        digest.update(b"\x1f")
    return digest.hexdigest()


def _tool_name(tool: object) -> str:
    if not isinstance(tool, Mapping):
        return ""
    function = tool.get("function")
    name = function.get("name") if isinstance(function, Mapping) else tool.get("name", tool.get("type"))
    return name if isinstance(name, str) else ""


#: Role, text, and whether the message carries the result of a tool.
_Message = tuple[str, str, bool]


def _messages(suffix: str, body: Mapping[str, object]) -> Iterator[_Message]:
    """Every message of the request in order; roles are system, user, assistant and tool."""
    if suffix == "/responses":
        yield from _of_responses(body)
        return
    if suffix == "/completions":
        prompt = body.get("prompt")
        first = prompt[0] if isinstance(prompt, list) and prompt else prompt
        yield "user", first if isinstance(first, str) else "", False
        return
    if suffix == "/messages":
        yield "system", _text(body.get("system")), False
    for message in _mappings(body.get("messages")):
        yield _message(message)


def _of_responses(body: Mapping[str, object]) -> Iterator[_Message]:
    """https://platform.openai.com/docs/api-reference/responses/create: `instructions`, and `input` as text or items."""
    instructions, given = body.get("instructions"), body.get("input")
    if isinstance(instructions, str):
        yield "system", instructions, False
    if isinstance(given, str):
        yield "user", given, False
    for item in _mappings(given):
        kind = item.get("type", "message")
        if kind == "message":
            yield _message(item)
        elif isinstance(kind, str) and kind.endswith("_output"):
            yield "tool", "", True
        elif isinstance(kind, str) and kind.endswith("_call"):
            yield "assistant", "", False


def _message(message: Mapping[str, object]) -> _Message:
    role, content = message.get("role"), message.get("content")
    if role in ("system", "developer"):
        return "system", _text(content), False
    if role in ("tool", "function"):
        return "tool", "", True
    if role == "assistant":
        return "assistant", _text(content), False
    results = any(part.get("type") == "tool_result" for part in _mappings(content))
    text = _text(content)
    # Beside the results of tools a user may have typed something; reminders of the agent are no such thing.
    return "user", text, results and not strip_boilerplate(text)


def _text(content: object) -> str:
    """The text of a message: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    texts = [part.get("text") for part in _mappings(content) if part.get("type") in _TEXT_PARTS]
    return "\n".join(text for text in texts if isinstance(text, str))


_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})


def _mappings(value: object) -> Sequence[Mapping[str, object]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
