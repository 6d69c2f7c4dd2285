"""OpenAI's Responses: JSON body and events of a stream.

https://platform.openai.com/docs/api-reference/responses and …/responses-streaming
"""

from collections.abc import Iterator
from typing import Any

from planoai.simulator.answer import CREATED, Answer, ToolUse
from planoai.simulator.protocols.stream import Chunk, StreamParts, event, json_bytes
from planoai.simulator.sse import Event


def response_json(answer: Answer) -> bytes:
    """The body of a `response`."""
    return json_bytes(_response(answer, _status(answer), _output(answer)))


def response_stream(answer: Answer) -> StreamParts:
    """The events of a stream of a response."""
    events = _Events(answer)
    return StreamParts(events.opening(), events.chunks(), events.closing(), ())


def _status(answer: Answer) -> str:
    return "incomplete" if answer.finish_reason == "length" else "completed"


def _response(answer: Answer, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    ended = status != "in_progress"
    body: dict[str, Any] = {
        "id": f"resp_{answer.number}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "metadata": {},
        "model": answer.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }
    if ended and answer.usage is not None:
        body["usage"] = {
            "input_tokens": answer.usage.prompt,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": answer.usage.completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.usage.total,
        }
    return body


def _output(answer: Answer) -> list[dict[str, Any]]:
    items = [_message_item(answer, answer.content.text())] if len(answer.content) else []
    return items + [_call_item(use, "completed", use.arguments) for use in answer.tool_uses]


def _message_item(answer: Answer, text: str | None) -> dict[str, Any]:
    """The item of a message; without text, as it is when it begins."""
    return {
        "type": "message",
        "id": f"msg_{answer.number}",
        "status": "in_progress" if text is None else "completed",
        "role": "assistant",
        "content": [] if text is None else [_text_part(text)],
    }


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call_item(use: ToolUse, status: str, arguments: str) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{use.call_id}",
        "status": status,
        "call_id": use.call_id,
        "name": use.name,
        "arguments": arguments,
    }


class _Events:
    """The numbered events of one stream. Opening, chunks and closing are read in this order."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._number = -1
        #: What ends the item that is open.
        self._pending: list[dict[str, Any]] = []

    def opening(self) -> Chunk:
        response = _response(self._answer, "in_progress", [])
        return (
            self._event({"type": "response.created", "response": response}),
            self._event({"type": "response.in_progress", "response": response}),
        )

    def chunks(self) -> Iterator[Chunk]:
        index = 0
        if len(self._answer.content):
            yield from self._message(index)
            index += 1
        for use in self._answer.tool_uses:
            yield from self._call(index, use)
            index += 1

    def closing(self) -> Iterator[Event]:
        yield from self._ended_item()
        status = _status(self._answer)
        yield self._event(
            {"type": f"response.{status}", "response": _response(self._answer, status, _output(self._answer))}
        )

    def _message(self, index: int) -> Iterator[Chunk]:
        item_id = f"msg_{self._answer.number}"
        place = {"item_id": item_id, "output_index": index, "content_index": 0}
        begun: Chunk = (
            self._event(
                {"type": "response.output_item.added", "output_index": index, "item": _message_item(self._answer, None)}
            ),
            self._event({"type": "response.content_part.added", **place, "part": _text_part("")}),
        )
        for piece in self._answer.content:
            yield (*begun, self._event({"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}))
            begun = ()
        text = self._answer.content.text()
        item = _message_item(self._answer, text)
        self._pending = [
            {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **place, "part": _text_part(text)},
            {"type": "response.output_item.done", "output_index": index, "item": item},
        ]

    def _call(self, index: int, use: ToolUse) -> Iterator[Chunk]:
        begun: Chunk = (
            *self._ended_item(),
            self._event(
                {
                    "type": "response.output_item.added",
                    "output_index": index,
                    "item": _call_item(use, "in_progress", ""),
                }
            ),
        )
        place = {"item_id": f"fc_{use.call_id}", "output_index": index}
        for piece in use.pieces(self._answer.tool_call_chunks):
            yield (*begun, self._event({"type": "response.function_call_arguments.delta", **place, "delta": piece}))
            begun = ()
        self._pending = [
            {"type": "response.function_call_arguments.done", **place, "name": use.name, "arguments": use.arguments},
            {
                "type": "response.output_item.done",
                "output_index": index,
                "item": _call_item(use, "completed", use.arguments),
            },
        ]

    def _ended_item(self) -> Chunk:
        ended = tuple(self._event(each) for each in self._pending)
        self._pending = []
        return ended

    def _event(self, fields: dict[str, Any]) -> Event:
        self._number += 1
        return event({**fields, "sequence_number": self._number}, fields["type"])
