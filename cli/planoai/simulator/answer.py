"""An ordinary answer, in no protocol yet: what it says, which tools it calls, why it ends, what it cost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planoai.simulator.behaviour import Behaviour
from planoai.simulator.behaviour import ToolCall as ScriptedCall
from planoai.simulator.content import Content, cut_content
from planoai.simulator.request_facts import RequestFacts, texts_of
from planoai.simulator.sample_json import sample

#: The time of every answer (2026-01-01T00:00:00Z), so that equal requests get equal answers.
CREATED = 1_767_225_600

#: In the user's words, this makes the simulated model call the first tool.
TOOL_PHRASE = "use the tool"

_BYTES_PER_TOKEN = 4

_NOTHING = Content(())


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One call of a tool; arguments as JSON text."""

    call_id: str
    name: str
    arguments: str

    def pieces(self, count: int) -> list[str]:
        """The arguments in `count` pieces, fewer when they are shorter, at least one."""
        size = max(-(-len(self.arguments) // count), 1)
        return (
            [""]
            if not self.arguments
            else [self.arguments[start : start + size] for start in range(0, len(self.arguments), size)]
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as counted by nobody: a quarter of the bytes in, a chunk of the stream out."""

    prompt: int
    completion: int
    total: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a healthy provider says to a request."""

    #: Ends every id in the answer; unique for each request of a simulator.
    number: str
    model: str
    content: Content
    reasoning: Content
    tool_uses: tuple[ToolUse, ...]
    tool_call_chunks: int
    #: In the words of OpenAI's chat protocol.
    finish_reason: str
    usage: Usage | None
    #: Of a chat stream: a last chunk with the usage is wanted.
    usage_chunk: bool
    #: "first_token", "early", "merged" or "none".
    role_delta: str


def make_answer(facts: RequestFacts, behaviour: Behaviour, number: str) -> Answer:
    """The answer to a request that can be answered."""
    tool_uses = _tool_uses(facts, behaviour, number)
    content = _NOTHING if tool_uses and behaviour.content is None else _content(facts, behaviour)
    reasoning = cut_content(behaviour.reasoning, None, None) if behaviour.reasoning else _NOTHING
    options = facts.body.get("stream_options")
    return Answer(
        number=number,
        model=facts.model or "unknown",
        content=content,
        reasoning=reasoning,
        tool_uses=tool_uses,
        tool_call_chunks=behaviour.tool_call_chunks,
        finish_reason=behaviour.finish_reason or ("tool_calls" if tool_uses else "stop"),
        usage=_usage(facts, behaviour, len(content) + len(reasoning) + 5 * len(tool_uses)),
        usage_chunk=isinstance(options, dict) and options.get("include_usage") is True,
        role_delta=behaviour.role_delta,
    )


def _content(facts: RequestFacts, behaviour: Behaviour) -> Content:
    text = behaviour.content if behaviour.content is not None else _words(facts)
    return cut_content(text, behaviour.chunks, behaviour.chunk_bytes)


def _words(facts: RequestFacts) -> str:
    structured = _structured_output(facts.body)
    if structured is not None:
        return structured
    said = _tool_result(facts.body)
    if said is not None:
        return f"{facts.model} read the tool's result: {said}"
    return f"{facts.model} was asked: {facts.last_user_text()}"


def _structured_output(body: Mapping[str, Any]) -> str | None:
    """JSON when the request demands it: `response_format` (chat) or `text.format` (Responses)."""
    wanted = body.get("response_format")
    if not isinstance(wanted, dict):
        text = body.get("text")
        wanted = text.get("format") if isinstance(text, dict) else None
    if not isinstance(wanted, dict):
        return None
    match wanted.get("type"):
        case "json_object":
            return json.dumps({"model": body.get("model")})
        case "json_schema":
            inner = wanted.get("json_schema", wanted)
            return json.dumps(sample(inner.get("schema") if isinstance(inner, dict) else None))
        case _:
            return None


def _tool_result(body: Mapping[str, Any]) -> str | None:
    """What a tool said, when the conversation ends with that."""
    items = body.get("messages") or body.get("input")
    last = items[-1] if isinstance(items, list) and items else None
    if not isinstance(last, dict):
        return None
    if last.get("role") == "tool":
        return " ".join(texts_of(last.get("content")))[:200]
    if last.get("type") == "function_call_output":
        return " ".join(texts_of(last.get("output")))[:200]
    if isinstance(last.get("content"), list):
        for part in last["content"]:
            if isinstance(part, dict) and part.get("type") == "tool_result":
                return " ".join(texts_of(part.get("content")))[:200]
    return None


def _tool_uses(facts: RequestFacts, behaviour: Behaviour, number: str) -> tuple[ToolUse, ...]:
    calls = behaviour.tool_calls
    if calls is None:
        call = _call_by_itself(facts)
        calls = [] if call is None else [call]
    return tuple(
        ToolUse(
            f"call_{number}_{index}",
            call.name,
            call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments),
        )
        for index, call in enumerate(calls)
    )


def _call_by_itself(facts: RequestFacts) -> ScriptedCall | None:
    """The call that the request provokes: by `tool_choice`, or by the words of the user. None after a tool's result."""
    tools = [tool for tool in map(_declared, _list(facts.body.get("tools"))) if tool is not None]
    if not tools or _tool_result(facts.body) is not None:
        return None
    choice = facts.body.get("tool_choice")
    if choice == "none":
        return None
    wanted = _chosen_name(choice)
    kind = choice.get("type") if isinstance(choice, dict) else choice
    if wanted is None and kind not in {"required", "any"} and TOOL_PHRASE not in facts.last_user_text().lower():
        return None
    name, schema = next((tool for tool in tools if tool[0] == wanted), tools[0])
    return ScriptedCall(name, sample(schema) or {})


def _chosen_name(choice: Any) -> str | None:
    """The tool that `tool_choice` names, in any of the protocols."""
    if not isinstance(choice, dict):
        return None
    inner = choice.get("function")
    name = inner.get("name") if isinstance(inner, dict) else choice.get("name")
    return name if isinstance(name, str) else None


def _declared(tool: Any) -> tuple[str, Any] | None:
    """Name and schema of a function that a request declares: chat, Responses or Anthropic form."""
    if not isinstance(tool, dict):
        return None
    inner = tool.get("function") if isinstance(tool.get("function"), dict) else tool
    name = inner.get("name") if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not isinstance(name, str):
        return None
    return name, inner.get("parameters") or inner.get("input_schema")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _usage(facts: RequestFacts, behaviour: Behaviour, completion: int) -> Usage | None:
    prompt = max(facts.body_bytes // _BYTES_PER_TOKEN, 1)
    match behaviour.usage:
        case "missing":
            return None
        case "wrong":
            return Usage(prompt, completion, 1)
        case _:
            return Usage(prompt, completion, prompt + completion)
