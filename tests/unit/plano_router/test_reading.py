"""plano_router.reading: what is read of a request, in every protocol."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_router.reading import Kind, is_short, read_request, read_text

USER = {"role": "user", "content": "write a parser for this format, with tests please"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}


def kind_of(*messages: dict[str, Any]) -> Kind:
    """The kind of a chat with these messages."""
    return read_request("/chat/completions", {"messages": list(messages)}).kind


@pytest.mark.parametrize(
    ("suffix", "body"),
    [
        ("/chat/completions", {"messages": [{"role": "system", "content": "s"}, USER]}),
        ("/chat/completions", {"messages": [{"role": "user", "content": [{"type": "text", "text": USER["content"]}]}]}),
        ("/messages", {"system": [{"type": "text", "text": "s"}], "messages": [USER]}),
        ("/responses", {"instructions": "s", "input": USER["content"]}),
        ("/responses", {"input": [{"role": "user", "content": [{"type": "input_text", "text": USER["content"]}]}]}),
        ("/completions", {"prompt": USER["content"]}),
        ("/completions", {"prompt": [USER["content"], "other"]}),
    ],
)
def test_every_protocol(suffix: str, body: dict[str, Any]) -> None:
    """The newest turn of the user, whatever it is wrapped in."""
    reading = read_request(suffix, body)
    assert (Kind.TURN, USER["content"]) == (reading.kind, reading.text)


@pytest.mark.parametrize(
    ("suffix", "body"),
    [
        (
            "/chat/completions",
            {"messages": [USER, CALL, {"role": "tool", "tool_call_id": "1", "content": "what is 2+2"}]},
        ),
        ("/chat/completions", {"messages": [USER, {"role": "assistant", "content": "I begin"}]}),
        (
            "/messages",
            {
                "messages": [
                    USER,
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "1"}]},
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": "1", "content": "x"},
                            {"type": "text", "text": "<system-reminder>todo list</system-reminder>"},
                        ],
                    },
                ]
            },
        ),
        ("/responses", {"input": [USER, {"type": "function_call"}, {"type": "function_call_output", "output": "x"}]}),
    ],
)
def test_tool_loops(suffix: str, body: dict[str, Any]) -> None:
    """The user said nothing new; what was said last is read all the same."""
    reading = read_request(suffix, body)
    assert (Kind.TOOL_LOOP, USER["content"]) == (reading.kind, reading.text)


def test_words_beside_a_tool_result_are_a_turn() -> None:
    """The user interrupted the agent."""
    content = [{"type": "tool_result", "tool_use_id": "1"}, {"type": "text", "text": "stop, explain it to me first"}]
    reading = read_request("/messages", {"messages": [USER, {"role": "user", "content": content}]})
    assert (Kind.TURN, "stop, explain it to me first") == (reading.kind, reading.text)


def test_short_turns_lean_on_the_one_before() -> None:
    """Long ones stand alone."""
    short = read_request("/chat/completions", {"messages": [USER, CALL, {"role": "user", "content": "and in rust?"}]})
    long_ = read_request("/chat/completions", {"messages": [{"role": "user", "content": "hi"}, USER]})
    assert (USER["content"], "") == (short.context, long_.context)


@pytest.mark.parametrize(
    ("text", "expected"), [("do it", True), ("把它改成并发的", True), ("x" * 40, False), ("把" * 16, False)]
)
def test_short(text: str, expected: bool) -> None:
    """A CJK character says more than a letter."""
    assert expected == is_short(text)


@pytest.mark.parametrize(
    "body", [{}, {"messages": []}, {"messages": "x"}, {"messages": [{"role": "system", "content": "x"}]}]
)
def test_nothing_to_read(body: dict[str, Any]) -> None:
    """No user said anything."""
    assert Kind.EMPTY is read_request("/chat/completions", body).kind


def test_housekeeping() -> None:
    """An agent's own request."""
    system = {"role": "system", "content": "Generate a concise title for this conversation."}
    assert Kind.HOUSEKEEPING is kind_of(system, USER)


def test_the_fingerprint_is_the_conversations() -> None:
    """System, tools and first turn tell it; what comes later does not."""
    tools = [{"type": "function", "function": {"name": "b"}}, {"name": "a"}]
    first = read_request("/chat/completions", {"messages": [USER], "tools": tools})
    later = read_request(
        "/chat/completions", {"messages": [USER, CALL, {"role": "user", "content": "x"}], "tools": tools[::-1]}
    )
    other = read_request("/chat/completions", {"messages": [USER]})
    assert first.fingerprint == later.fingerprint
    assert first.fingerprint != other.fingerprint


def test_turns() -> None:
    """The conversation for a language model: no tools, no system, sixteen turns at most."""
    messages = [USER, CALL, {"role": "tool", "content": "x"}, {"role": "assistant", "content": "done"}] * 12
    turns = read_request("/chat/completions", {"messages": [*messages, USER]}).turns
    assert 16 == len(turns)
    assert ("user", USER["content"]) == (turns[-1].role, turns[-1].text)
    assert {"user", "assistant"} == {turn.role for turn in turns}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tools", "function", "name"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(["/chat/completions", "/messages", "/responses", "/completions"]), _JSON, _JSON)
def test_nonsense_is_no_reason_to_fail(suffix: str, first: object, second: object) -> None:
    """Whatever a client sends, it is read without an error."""
    body = {"messages": [first, second], "input": [second], "prompt": first, "system": second, "tools": first}
    read_request(suffix, body)


def test_a_bare_prompt() -> None:
    """As `planoai route` reads it."""
    assert (Kind.TURN, "hi") == (read_text("hi").kind, read_text("hi").text)
