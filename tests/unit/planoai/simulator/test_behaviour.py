"""planoai.simulator.behaviour: behaviours from data, and what is said about wrong ones."""

import msgspec
import pytest

from planoai.simulator.behaviour import (
    BEHAVIOUR_FIELDS,
    HEALTHY,
    Behaviour,
    ScriptError,
    behaviour_from,
    behaviour_from_json,
    header_moment,
)


def test_nothing_is_healthy() -> None:
    """An empty object is a healthy provider, and writing it out gives the empty object again."""
    assert behaviour_from({}) == HEALTHY
    assert msgspec.to_builtins(HEALTHY) == {}


def test_number_is_a_status() -> None:
    """A bare number stands for its status."""
    assert behaviour_from(429) == Behaviour(status=429)


def test_survives_json() -> None:
    """A behaviour with every kind of value is the same after a trip through JSON."""
    behaviour = behaviour_from_json(
        b'{"status":503,"headers":{"retry-after":2,"x":["a","b"],"date":null},"body_bytes":"AAH/","close":true}'
    )
    assert behaviour.body_bytes == b"\x00\x01\xff"
    assert behaviour_from_json(msgspec.json.encode(behaviour)) == behaviour


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"statsu": 1}, "statsu: unknown field `statsu`; did you mean `status`?"),
        ({"status": 42}, "status: expected int >= 200"),
        ({"status": "x"}, "status: expected int, got str"),
        ({"content": True}, "content: expected str | null, got bool; put text in quotes"),
        ({"delay_before_headers_s": -1}, "delay_before_headers_s: expected float >= 0.0"),
        ({"probability": 1.5}, "probability: expected float <= 1.0"),
        ({"tool_calls": [{"nam": "x"}]}, "tool_calls[0]"),
        ({"body": "x", "empty_body": True}, "only one of `body` and `empty_body` can be the body; keep one"),
        ({"headers": {"a b": "c"}}, "`a b` is no name of a header; use letters, digits and dashes"),
        ({"headers": {"a": "b\r\nc: d"}}, "the value of header `a` holds a line break; write it on one line"),
        ({"headers": {"retry-after": "@tomorrow"}}, "`@tomorrow` (header `retry-after`) is no moment; write"),
        ({"chunks": 10_000_000, "chunk_bytes": 1_000_000}, "`chunks` times `chunk_bytes` is more than"),
        ("429", "a behaviour is an object such as {status: 429} or a status, not text"),
        (None, "a behaviour is an object such as {status: 429} or a status, not null"),
        (True, "a behaviour is an object such as {status: 429} or a status, not true or false"),
    ],
)
def test_mistakes_are_explained(data: object, message: str) -> None:
    """Every mistake names its place, what is wrong and what would be right."""
    with pytest.raises(ScriptError) as caught:
        behaviour_from(data)
    assert message in str(caught.value)


def test_unknown_field_lists_the_known_ones() -> None:
    """A name that resembles none is answered with all."""
    with pytest.raises(ScriptError) as caught:
        behaviour_from({"zzz": 1})
    assert all(name in str(caught.value) for name in BEHAVIOUR_FIELDS)


def test_broken_json() -> None:
    """JSON that is none is called so."""
    with pytest.raises(ScriptError, match="this is no JSON"):
        behaviour_from_json("{")


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("@http-date+30", ("http-date", 30.0)),
        ("@rfc3339-1.5", ("rfc3339", -1.5)),
        ("@unix", ("unix", 0.0)),
        ("30", None),
        ("@unix+", None),
    ],
)
def test_header_moments(value: str, moment: object) -> None:
    """Only the documented forms are moments."""
    assert moment == header_moment(value)
