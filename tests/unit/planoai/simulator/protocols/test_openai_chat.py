"""planoai.simulator.protocols.openai_chat: bodies and chunks of chat and text completions."""

import json
from typing import Any

import pytest

from planoai.simulator.answer import Answer, make_answer
from planoai.simulator.behaviour import Behaviour, ToolCall
from planoai.simulator.protocols.openai_chat import chat_json, chat_stream, completion_json, completion_stream
from planoai.simulator.protocols.stream import StreamParts
from planoai.simulator.request_facts import read_request


def answer(behaviour: Behaviour | None = None, **body: Any) -> Answer:
    data = json.dumps({"model": "m", "prompt": "hi", **body}).encode()
    return make_answer(read_request("POST", "/v1/chat/completions", [], data), behaviour or Behaviour(), "sim-1")


def chunks(parts: StreamParts) -> list[Any]:
    events = [*parts.opening, *(event for chunk in parts.content for event in chunk), *parts.closing]
    assert [b"[DONE]"] == [event.data for event in parts.done]
    return [json.loads(event.data) for event in events]


def deltas(parts: StreamParts) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(parts)]


def test_body() -> None:
    """One choice with the message and the usage."""
    body = json.loads(chat_json(answer(Behaviour(content="yes", reasoning="hm"))))
    assert ("chatcmpl-sim-1", "chat.completion", "m") == (body["id"], body["object"], body["model"])
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"] == {"role": "assistant", "content": "yes", "refusal": None, "reasoning_content": "hm"}
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} == set(body["usage"])


def test_body_with_tools_and_without_usage() -> None:
    """Tool calls without content; usage left out."""
    body = json.loads(chat_json(answer(Behaviour(tool_calls=[ToolCall("f", {"x": 1})], usage="missing"))))
    message = body["choices"][0]["message"]
    assert message["content"] is None
    call = {"id": "call_sim-1_0", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    assert [call] == message["tool_calls"]
    assert "usage" not in body


def test_stream() -> None:
    """Role, reasoning, content, and the chunk with the reason to end; the same head in all."""
    got = chunks(chat_stream(answer(Behaviour(content="a b", reasoning="hm"))))
    assert {("chatcmpl-sim-1", "chat.completion.chunk", "m")} == {
        (each["id"], each["object"], each["model"]) for each in got
    }
    assert [
        {"role": "assistant", "content": "", "refusal": None},
        {"reasoning_content": "hm"},
        {"content": "a "},
        {"content": "b"},
        {},
    ] == [each["choices"][0]["delta"] for each in got]
    assert [None, None, None, None, "stop"] == [each["choices"][0]["finish_reason"] for each in got]
    assert all("usage" not in each for each in got)


def test_usage_chunk_only_when_asked() -> None:
    """With include_usage there is a last chunk without choices, and `usage: null` in all others."""
    got = chunks(chat_stream(answer(stream_options={"include_usage": True})))
    assert all(each["usage"] is None for each in got[:-1])
    assert got[-1]["choices"] == []
    assert got[-1]["usage"]["total_tokens"] > 0


def test_missing_usage_has_no_chunk() -> None:
    """A provider that counts nothing sends no usage although it was asked."""
    got = chunks(chat_stream(answer(Behaviour(usage="missing"), stream_options={"include_usage": True})))
    assert all(each["choices"] for each in got)


@pytest.mark.parametrize(
    ("behaviour", "first"),
    [
        (Behaviour(content="a b", role_delta="merged"), {"role": "assistant", "content": "a "}),
        (Behaviour(content="a b", role_delta="none"), {"content": "a "}),
        (Behaviour(reasoning="hm", role_delta="merged"), {"role": "assistant", "reasoning_content": "hm"}),
        (Behaviour(content="", chunks=2, role_delta="merged"), {"role": "assistant", "content": "token "}),
    ],
)
def test_role_delta(behaviour: Behaviour, first: dict[str, str]) -> None:
    """The role comes with the first piece of whatever it is, or not at all; never twice."""
    got = deltas(chat_stream(answer(behaviour)))
    assert first == got[0]
    assert all("role" not in each for each in got[1:])


def test_tool_calls_in_pieces() -> None:
    """Parallel calls have their own index; arguments come in pieces after the name."""
    behaviour = Behaviour(tool_calls=[ToolCall("f", {"x": 1}), ToolCall("g")], role_delta="none")
    got = [each["tool_calls"][0] for each in deltas(chat_stream(answer(behaviour))) if each]
    assert [0, 0, 0, 1, 1, 1] == [each["index"] for each in got]
    assert ["f", "g"] == [each["function"]["name"] for each in got if "id" in each]
    assert "".join(each["function"]["arguments"] for each in got if each["index"] == 0) == '{"x": 1}'


def test_tool_call_in_one_chunk() -> None:
    """Some providers send the whole call at once."""
    behaviour = Behaviour(tool_calls=[ToolCall("f", {"x": 1})], tool_call_chunks=1, role_delta="none")
    first, last = deltas(chat_stream(answer(behaviour)))
    assert ("f", '{"x": 1}') == (
        first["tool_calls"][0]["function"]["name"],
        first["tool_calls"][0]["function"]["arguments"],
    )
    assert last == {}


def test_repeated_chunks_are_built_once() -> None:
    """A long stream repeats one event."""
    content = list(chat_stream(answer(Behaviour(content="", chunks=100))).content)
    assert len(content) == 100
    assert content[0] is content[99]


def test_completions() -> None:
    """The old protocol has text where chat has messages."""
    body = json.loads(completion_json(answer()))
    assert ("text_completion", "m was asked: hi") == (body["object"], body["choices"][0]["text"])
    assert "usage" not in json.loads(completion_json(answer(Behaviour(usage="missing"))))
    got = chunks(completion_stream(answer()))
    assert "".join(each["choices"][0]["text"] for each in got) == "m was asked: hi"
    assert got[-1]["choices"][0]["finish_reason"] == "stop"
