"""planoai.simulator.protocols.openai_responses: bodies and events of Responses."""

import json
from typing import Any

from planoai.simulator.answer import Answer, make_answer
from planoai.simulator.behaviour import Behaviour, ToolCall
from planoai.simulator.protocols.openai_responses import response_json, response_stream
from planoai.simulator.request_facts import read_request


def answer(**fields: Any) -> Answer:
    facts = read_request("POST", "/v1/responses", [], b'{"model": "m", "input": "hi"}')
    return make_answer(facts, Behaviour(**fields), "sim-1")


def events(given: Answer) -> list[Any]:
    parts = response_stream(given)
    assert parts.done == ()
    listed = [*parts.opening, *(event for chunk in parts.content for event in chunk), *parts.closing]
    data = [json.loads(event.data) for event in listed]
    assert [event.name for event in listed] == [each["type"] for each in data]
    assert list(range(len(data))) == [each["sequence_number"] for each in data]
    return data


def test_body() -> None:
    """The message and the calls are items of the output."""
    body = json.loads(response_json(answer(content="yes", tool_calls=[ToolCall("f", {"x": 1})])))
    assert ("resp_sim-1", "response", "completed") == (body["id"], body["object"], body["status"])
    message, call = body["output"]
    assert message["content"][0]["text"] == "yes"
    assert ("function_call", "f", '{"x": 1}') == (call["type"], call["name"], call["arguments"])
    assert body["usage"]["total_tokens"] == body["usage"]["input_tokens"] + body["usage"]["output_tokens"]


def test_cut_short() -> None:
    """An answer that reached its limit is incomplete, also at the end of a stream."""
    body = json.loads(response_json(answer(finish_reason="length", usage="missing")))
    assert ("incomplete", {"reason": "max_output_tokens"}, None) == (
        body["status"],
        body["incomplete_details"],
        body["usage"],
    )
    assert events(answer(finish_reason="length"))[-1]["type"] == "response.incomplete"


def test_stream_of_text() -> None:
    """Item and part are added, filled and done, and the last event has all of it."""
    got = events(answer(content="a b"))
    assert [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ] == [each["type"] for each in got]
    assert got[6]["text"] == "a b"
    assert got[-1]["response"] == json.loads(response_json(answer(content="a b")))


def test_stream_of_text_and_calls() -> None:
    """Every item has its own index and is done before the next one begins."""
    calls = [ToolCall("f", {"x": 1}), ToolCall("g", {"y": 2})]
    got = events(answer(content="a", tool_calls=calls, tool_call_chunks=1))
    assert [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2] == [
        each["output_index"] for each in got if "output_index" in each
    ]
    done = [each for each in got if each["type"] == "response.function_call_arguments.done"]
    assert ['{"x": 1}', '{"y": 2}'] == [each["arguments"] for each in done]
    assert [each["item"] for each in got if each["type"] == "response.output_item.done"] == got[-1]["response"][
        "output"
    ]
