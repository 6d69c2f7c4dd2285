"""OpenAI's chat completions and (old) completions: JSON bodies and stream chunks.

https://platform.openai.com/docs/api-reference/chat/object and …/chat/streaming
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from planoai.simulator.answer import CREATED, Answer, Usage
from planoai.simulator.protocols.stream import Chunk, StreamParts, json_bytes
from planoai.simulator.sse import DONE, Event


def chat_json(answer: Answer) -> bytes:
    """The body of `chat.completion`."""
    text = answer.content.text()
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text or (None if answer.tool_uses else ""),
        "refusal": None,
    }
    if len(answer.reasoning):
        message["reasoning_content"] = answer.reasoning.text()
    if answer.tool_uses:
        message["tool_calls"] = [_tool_call(use.call_id, use.name, use.arguments) for use in answer.tool_uses]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
    body: dict[str, Any] = {
        "id": f"chatcmpl-{answer.number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": answer.model,
        "choices": [choice],
    }
    if answer.usage is not None:
        body["usage"] = usage_json(answer.usage)
    return json_bytes(body)


def chat_stream(answer: Answer) -> StreamParts:
    """The events of a chat stream."""
    build = _ChunkBuilder(answer, f"chatcmpl-{answer.number}", "chat.completion.chunk")
    role: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
    opening = () if answer.role_delta in {"merged", "none"} else (build.delta(role),)
    return StreamParts(opening, _chat_content(answer, build), build.closing({"delta": {}}), (DONE,))


def completion_json(answer: Answer) -> bytes:
    """The body of `text_completion`."""
    choice = {"text": answer.content.text(), "index": 0, "logprobs": None, "finish_reason": answer.finish_reason}
    body: dict[str, Any] = {
        "id": f"cmpl-{answer.number}",
        "object": "text_completion",
        "created": CREATED,
        "model": answer.model,
        "choices": [choice],
    }
    if answer.usage is not None:
        body["usage"] = usage_json(answer.usage)
    return json_bytes(body)


def completion_stream(answer: Answer) -> StreamParts:
    """The events of a stream of text completions."""
    build = _ChunkBuilder(answer, f"cmpl-{answer.number}", "text_completion")
    content = _repeated(answer.content, lambda piece: build.choice({"text": piece}, None))
    return StreamParts((), content, build.closing({"text": ""}), (DONE,))


def usage_json(usage: Usage) -> dict[str, int]:
    """`usage` of a chat answer."""
    return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": usage.total}


def _tool_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _chat_content(answer: Answer, build: "_ChunkBuilder") -> Iterator[Chunk]:
    first: dict[str, Any] = {"role": "assistant"} if answer.role_delta == "merged" else {}
    last: dict[str, Any] | None = None
    chunk: Chunk = ()
    for delta in _deltas(answer):
        if first:
            yield (build.delta({**first, **delta}),)
            first = {}
            continue
        if delta is not last:
            last, chunk = delta, (build.delta(delta),)
        yield chunk


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    """What is said, piece by piece; repeated pieces are the same object."""
    for piece in answer.reasoning:
        yield {"reasoning_content": piece}
    for piece in answer.content.head:
        yield {"content": piece}
    yield from itertools.repeat({"content": answer.content.filler}, answer.content.filler_count)
    for index, use in enumerate(answer.tool_uses):
        if answer.tool_call_chunks == 1:
            yield {"tool_calls": [{"index": index, **_tool_call(use.call_id, use.name, use.arguments)}]}
            continue
        yield {"tool_calls": [{"index": index, **_tool_call(use.call_id, use.name, "")}]}
        for piece in use.pieces(answer.tool_call_chunks - 1):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _repeated(pieces: Iterable[str], build: Callable[[str], Event]) -> Iterator[Chunk]:
    """A chunk for each piece; a piece that is the same object as the one before is not built again."""
    last: str | None = None
    chunk: Chunk = ()
    for piece in pieces:
        if piece is not last:
            chunk = (build(piece),)
            last = piece
        yield chunk


class _ChunkBuilder:
    """Chunks of one stream: what is equal in all of them is serialised once."""

    def __init__(self, answer: Answer, chunk_id: str, kind: str) -> None:
        head = {"id": chunk_id, "object": kind, "created": CREATED, "model": answer.model}
        self._head = json_bytes(head)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}' if answer.usage_chunk else b"]}"
        self._answer = answer

    def choice(self, fields: dict[str, Any], finish_reason: str | None) -> Event:
        choice = json_bytes({"index": 0, **fields, "logprobs": None, "finish_reason": finish_reason})
        return Event(self._head + choice + self._tail)

    def delta(self, delta: dict[str, Any]) -> Event:
        return self.choice({"delta": delta}, None)

    def closing(self, last_fields: dict[str, Any]) -> tuple[Event, ...]:
        """The chunk that says why it ends, and the one with the usage when it is wanted."""
        finish = self.choice(last_fields, self._answer.finish_reason)
        usage = self._answer.usage
        if not self._answer.usage_chunk or usage is None:
            return (finish,)
        return (finish, Event(self._head + b'],"usage":' + json_bytes(usage_json(usage)) + b"}"))
