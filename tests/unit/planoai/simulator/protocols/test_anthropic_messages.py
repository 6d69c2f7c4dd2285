"""planoai.simulator.protocols.anthropic_messages: bodies and events of Messages."""

import json
from typing import Any

from planoai.simulator.answer import Answer, make_answer
from planoai.simulator.behaviour import Behaviour, ToolCall
from planoai.simulator.protocols.anthropic_messages import count_tokens_json, message_json, message_stream
from planoai.simulator.request_facts import read_request


def answer(**fields: Any) -> Answer:
    facts = read_request("POST", "/v1/messages", [], b'{"model": "m", "messages": []}')
    return make_answer(facts, Behaviour(**fields), "sim-1")


def events(given: Answer) -> list[Any]:
    parts = message_stream(given)
    assert parts.done == ()
    listed = [*parts.opening, *(event for chunk in parts.content for event in chunk), *parts.closing]
    data = [json.loads(event.data) for event in listed]
    assert [event.name for event in listed] == [each["type"] for each in data]
    return data


def test_body() -> None:
    """Thinking, text and tool use are blocks, in this order."""
    body = json.loads(message_json(answer(content="yes", reasoning="hm", tool_calls=[ToolCall("f", {"x": 1})])))
    assert ("msg_sim-1", "message", "assistant", "m", "tool_use") == (
        body["id"],
        body["type"],
        body["role"],
        body["model"],
        body["stop_reason"],
    )
    assert ["thinking", "text", "tool_use"] == [block["type"] for block in body["content"]]
    assert body["content"][2] == {"type": "tool_use", "id": "toolu_call_sim-1_0", "name": "f", "input": {"x": 1}}
    assert {"input_tokens", "output_tokens"} == set(body["usage"])


def test_stop_reasons_and_missing_usage() -> None:
    """Chat's words become Anthropic's; unknown ones stay."""
    words = [json.loads(message_json(answer(finish_reason=word)))["stop_reason"] for word in ("stop", "length", "odd")]
    assert ["end_turn", "max_tokens", "odd"] == words
    assert "usage" not in json.loads(message_json(answer(usage="missing")))


def test_broken_arguments_become_an_empty_object() -> None:
    """This protocol has no place for arguments that are no object."""
    body = json.loads(message_json(answer(tool_calls=[ToolCall("f", '{"x"'), ToolCall("g", "5")])))
    assert [{}, {}] == [block["input"] for block in body["content"]]


def test_stream() -> None:
    """Each block is opened, filled and closed before the next; the end says why, and what it cost."""
    got = events(answer(content="a b", reasoning="hm", tool_calls=[ToolCall("f", {"x": 1})], tool_call_chunks=2))
    assert [
        ("message_start", None),
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("content_block_delta", 0),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
        ("content_block_delta", 1),
        ("content_block_stop", 1),
        ("content_block_start", 2),
        ("content_block_delta", 2),
        ("content_block_delta", 2),
        ("content_block_stop", 2),
        ("message_delta", None),
        ("message_stop", None),
    ] == [(each["type"], each.get("index")) for each in got]
    kinds = [each["delta"]["type"] for each in got if each["type"] == "content_block_delta"]
    assert [
        "thinking_delta",
        "signature_delta",
        "text_delta",
        "text_delta",
        "input_json_delta",
        "input_json_delta",
    ] == kinds
    assert got[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert got[-2]["usage"]["output_tokens"] > 0
    assert "".join(each["delta"].get("partial_json", "") for each in got if "delta" in each) == '{"x": 1}'


def test_stream_without_content() -> None:
    """No block is closed that was not opened."""
    got = events(answer(content="", usage="missing"))
    assert ["message_start", "message_delta", "message_stop"] == [each["type"] for each in got]
    assert "usage" not in got[1]


def test_repeated_chunks_are_built_once() -> None:
    """A long stream repeats one event."""
    content = list(message_stream(answer(content="", chunks=100)).content)
    assert content[1][-1] is content[99][-1]


def test_count_tokens() -> None:
    """The number that was counted."""
    assert json.loads(count_tokens_json(7)) == {"input_tokens": 7}
