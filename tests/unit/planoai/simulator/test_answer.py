"""planoai.simulator.answer: what a healthy provider says, and when it calls tools."""

import json
from typing import Any

import pytest

from planoai.simulator.answer import Answer, make_answer
from planoai.simulator.behaviour import Behaviour, ToolCall
from planoai.simulator.request_facts import read_request

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT_TOOLS = [
    {"type": "function", "function": {"name": "other"}},
    {"type": "function", "function": {"name": "weather", "parameters": WEATHER}},
]
ASK = [{"role": "user", "content": "Please use the tool."}]
RESULT = {"role": "tool", "content": "sunny"}
FLAT_TOOL = {"type": "function", "name": "f", "parameters": WEATHER}
ANTHROPIC_TOOL = {"name": "f", "input_schema": WEATHER}
CITY = {"city": "text"}
NAMED = {"type": "function", "function": {"name": "weather"}}


def answer(behaviour: Behaviour | None = None, **body: Any) -> Answer:
    data = json.dumps({"model": "m", **body}).encode()
    return make_answer(read_request("POST", "/v1/chat/completions", [], data), behaviour or Behaviour(), "sim-1")


def test_names_model_and_last_words() -> None:
    """An answer shows what arrived."""
    assert answer(messages=[{"role": "user", "content": "hello"}]).content.text() == "m was asked: hello"


def test_scripted_words() -> None:
    """Content, reasoning and reason to end as prescribed."""
    got = answer(Behaviour(content="yes", reasoning="let me see", finish_reason="length"))
    assert ("yes", "let me see", "length") == (got.content.text(), got.reasoning.text(), got.finish_reason)


@pytest.mark.parametrize(
    ("body", "called"),
    [
        ({"messages": ASK}, []),
        ({"tools": CHAT_TOOLS, "messages": [{"role": "user", "content": "hello"}]}, []),
        ({"tools": CHAT_TOOLS, "messages": ASK}, [("other", {})]),
        ({"tools": CHAT_TOOLS, "messages": ASK, "tool_choice": "none"}, []),
        ({"tools": CHAT_TOOLS, "tool_choice": "required"}, [("other", {})]),
        ({"tools": CHAT_TOOLS, "tool_choice": {"type": "any"}}, [("other", {})]),
        ({"tools": CHAT_TOOLS, "tool_choice": NAMED}, [("weather", CITY)]),
        ({"tools": [FLAT_TOOL], "tool_choice": "required"}, [("f", CITY)]),
        ({"tools": [ANTHROPIC_TOOL], "tool_choice": {"type": "tool", "name": "f"}}, [("f", CITY)]),
        ({"tools": CHAT_TOOLS, "tool_choice": "required", "messages": [*ASK, RESULT]}, []),
        ({"tools": ["nonsense", {"function": 5}], "tool_choice": "required"}, []),
    ],
)
def test_tools_by_request(body: dict[str, Any], called: list[tuple[str, Any]]) -> None:
    """A tool is called when the request demands or the user asks, in any protocol's form; not after its result."""
    got = answer(**body)
    assert called == [(use.name, json.loads(use.arguments)) for use in got.tool_uses]
    assert ("tool_calls" if called else "stop") == got.finish_reason


def test_scripted_tools() -> None:
    """Prescribed calls, several at once; an empty list means none."""
    got = answer(Behaviour(tool_calls=[ToolCall("a", {"x": 1}), ToolCall("b", '{"y"')]))
    assert [("call_sim-1_0", "a", '{"x": 1}'), ("call_sim-1_1", "b", '{"y"')] == [
        (use.call_id, use.name, use.arguments) for use in got.tool_uses
    ]
    assert answer(Behaviour(tool_calls=[]), tools=CHAT_TOOLS, messages=ASK).tool_uses == ()


@pytest.mark.parametrize(
    ("field", "items"),
    [
        ("messages", [{"role": "tool", "content": "sunny"}]),
        ("input", [{"type": "function_call_output", "output": "sunny"}]),
        ("messages", [{"role": "user", "content": [{"type": "tool_result", "content": "sunny"}]}]),
    ],
)
def test_tool_result_is_repeated(field: str, items: list[Any]) -> None:
    """After a tool's result the answer shows that it arrived, in each protocol."""
    body: dict[str, Any] = {field: items}
    assert answer(None, **body).content.text() == "m read the tool's result: sunny"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ({"response_format": {"type": "json_object"}}, {"model": "m"}),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": WEATHER}}}, {"city": "text"}),
        ({"text": {"format": {"type": "json_schema", "schema": WEATHER}}}, {"city": "text"}),
    ],
)
def test_structured_output(body: dict[str, Any], value: object) -> None:
    """Demanded JSON is JSON that fits."""
    assert value == json.loads(answer(**body).content.text())


def test_usage() -> None:
    """Numbers that add up, that do not, or none."""
    correct, wrong = answer().usage, answer(Behaviour(usage="wrong")).usage
    assert correct is not None
    assert correct.prompt + correct.completion == correct.total
    assert wrong is not None
    assert wrong.prompt + wrong.completion != wrong.total
    assert answer(Behaviour(usage="missing")).usage is None


@pytest.mark.parametrize(("count", "pieces"), [(1, ['{"x": 1}']), (3, ['{"x', '": ', "1}"]), (99, list('{"x": 1}'))])
def test_pieces_of_arguments(count: int, pieces: list[str]) -> None:
    """Arguments are cut into at most so many pieces."""
    (use,) = answer(Behaviour(tool_calls=[ToolCall("a", {"x": 1})])).tool_uses
    assert pieces == use.pieces(count)
