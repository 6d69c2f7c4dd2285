"""Anthropic's Messages: JSON body and events of a stream.

https://docs.anthropic.com/en/api/messages and …/messages-streaming
"""

import json
from collections.abc import Iterator
from typing import Any

from planoai.simulator.answer import Answer
from planoai.simulator.protocols.stream import Chunk, StreamParts, event, json_bytes
from planoai.simulator.sse import Event

#: Chat's finish reason → stop reason.
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}

_SIGNATURE = "c2lt"

PING = event({"type": "ping"}, "ping")


def message_json(answer: Answer) -> bytes:
    """The body of a `message`."""
    blocks: list[dict[str, Any]] = []
    if len(answer.reasoning):
        blocks.append({"type": "thinking", "thinking": answer.reasoning.text(), "signature": _SIGNATURE})
    if len(answer.content):
        blocks.append({"type": "text", "text": answer.content.text()})
    blocks += [
        {"type": "tool_use", "id": f"toolu_{use.call_id}", "name": use.name, "input": _tool_input(use.arguments)}
        for use in answer.tool_uses
    ]
    output = answer.usage.completion if answer.usage is not None else 0
    return json_bytes(_message(answer, blocks, _stop_reason(answer), output))


def message_stream(answer: Answer) -> StreamParts:
    """The events of a stream of a message."""
    start = event({"type": "message_start", "message": _message(answer, [], None, 1)}, "message_start")
    blocks = _Blocks(answer)
    return StreamParts((start,), blocks.chunks(), blocks.closing(), ())


def count_tokens_json(prompt_tokens: int) -> bytes:
    """The body of the answer to `count_tokens`."""
    return json_bytes({"input_tokens": prompt_tokens})


def _tool_input(arguments: str) -> dict[str, Any]:
    """Arguments as the object that this protocol wants; scripted ones that are none become empty."""
    try:
        value = json.loads(arguments)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}


def _message(answer: Answer, blocks: list[dict[str, Any]], stop_reason: str | None, output: int) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": f"msg_{answer.number}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": None,
    }
    if answer.usage is not None:
        message["usage"] = {"input_tokens": answer.usage.prompt, "output_tokens": output}
    return message


def _stop_reason(answer: Answer) -> str:
    return _STOP_REASONS.get(answer.finish_reason, answer.finish_reason)


def _delta(index: int, delta: dict[str, Any]) -> Event:
    return event({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")


class _Blocks:
    """The content blocks of one stream, one after the other; keeps count of the one that is open."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._index = -1

    def chunks(self) -> Iterator[Chunk]:
        for number, piece in enumerate(self._answer.reasoning):
            started = self._next({"type": "thinking", "thinking": "", "signature": ""}) if number == 0 else ()
            yield (*started, _delta(self._index, {"type": "thinking_delta", "thinking": piece}))
        signature: Chunk = ()
        if len(self._answer.reasoning):
            signature = (_delta(self._index, {"type": "signature_delta", "signature": _SIGNATURE}),)
        last: str | None = None
        chunk: Chunk = ()
        for number, piece in enumerate(self._answer.content):
            started = (*signature, *self._next({"type": "text", "text": ""})) if number == 0 else ()
            if piece is not last or started:
                chunk = (_delta(self._index, {"type": "text_delta", "text": piece}),)
                last = piece
            yield (*started, *chunk)
        for use in self._answer.tool_uses:
            block = {"type": "tool_use", "id": f"toolu_{use.call_id}", "name": use.name, "input": {}}
            started = self._next(block)
            for piece in use.pieces(self._answer.tool_call_chunks):
                yield (*started, _delta(self._index, {"type": "input_json_delta", "partial_json": piece}))
                started = ()

    def closing(self) -> Iterator[Event]:
        yield from self._stop()
        end: dict[str, Any] = {
            "type": "message_delta",
            "delta": {"stop_reason": _stop_reason(self._answer), "stop_sequence": None},
        }
        usage = self._answer.usage
        if usage is not None:
            end["usage"] = {"output_tokens": usage.completion}
        yield event(end, "message_delta")
        yield event({"type": "message_stop"}, "message_stop")

    def _next(self, block: dict[str, Any]) -> Chunk:
        ended = self._stop()
        self._index += 1
        start = {"type": "content_block_start", "index": self._index, "content_block": block}
        return (*ended, event(start, "content_block_start"))

    def _stop(self) -> Chunk:
        if self._index < 0:
            return ()
        return (event({"type": "content_block_stop", "index": self._index}, "content_block_stop"),)
