"""brightstaff.json_body: reading a body once, and replacing one value without touching another byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.json_body import BadJSONError, JSONBody

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=6) | st.just("model"), children, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"model":"a/b"}', b'{"model":"b"}'),
        (b'{"model": "a/b", "x": 1}', b'{"model": "b", "x": 1}'),
        (
            b' {\n\t"x" : {"model":"a/b"} ,\r\n "model" : "a/b" }\n',
            b' {\n\t"x" : {"model":"a/b"} ,\r\n "model" : "b" }\n',
        ),
        (b'{"\\u006dodel":"a\\/b"}', b'{"\\u006dodel":"b"}'),
        (
            b'{"mo\\u0064el":"\\u0061/b","y":"\\"model\\":\\"a/b\\""}',
            b'{"mo\\u0064el":"b","y":"\\"model\\":\\"a/b\\""}',
        ),
        (b'{"model":"a/b","messages":[],"model":"c"}', b'{"model":"b","messages":[],"model":"b"}'),
        (b'{"model":{"model":"}"},"model":[1,{"a":"]"}],"model":"a/b"}', b'{"model":"b","model":"b","model":"b"}'),
        (b'{"model":12.5e3,"model":null}', b'{"model":"b","model":"b"}'),
        (b'{"model":1,"model":12}', b'{"model":"b","model":"b"}'),
        (b'{"x":[{"model":"a/b"},"model"],"model":"a/b"}', b'{"x":[{"model":"a/b"},"model"],"model":"b"}'),
        ('{"x":"模型 \\n","model":"a/b"}'.encode(), '{"x":"模型 \\n","model":"b"}'.encode()),
        (b"{}", b'{"model":"b"}'),
        (b' { "x":1}', b' {"model":"b", "x":1}'),
    ],
)
def test_only_the_value_changes(before: bytes, after: bytes) -> None:
    """Escapes, duplicates, nested keys, any order and any whitespace: the rest of the body keeps its bytes."""
    assert after == JSONBody(before).with_value("model", "b")


@given(
    members=st.lists(st.tuples(st.text(max_size=8) | st.just("model"), json_values), max_size=6),
    indent=st.none() | st.integers(0, 3),
    ascii_only=st.booleans(),
)
def test_any_object_keeps_everything_else(
    members: list[tuple[str, object]], indent: int | None, ascii_only: bool
) -> None:
    """For arbitrary documents the changed body parses to the same members with every top-level `model` replaced."""
    items = ",".join(
        f"{json.dumps(k, ensure_ascii=ascii_only)}: {json.dumps(v, indent=indent, ensure_ascii=ascii_only)}"
        for k, v in members
    )
    body = ("{" + items + "}").encode("utf-8", "surrogatepass")
    try:
        parsed = JSONBody(body)
    except BadJSONError:
        return  # lone surrogates and the like are refused as a whole
    changed = json.loads(parsed.with_value("model", "new").decode(), object_pairs_hook=list)
    expected = json.loads(body.decode(), object_pairs_hook=list)
    if not any(key == "model" for key, _ in expected):
        expected.insert(0, ("model", None))
    assert [(k, "new" if k == "model" else v) for k, v in expected] == changed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"a":}',
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":1}x',
        b"\xff",
        b"NaN",
        b"[" * 100000,
    ],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """Everything but one valid JSON object is a BadJSONError, never another exception."""
    with pytest.raises(BadJSONError):
        JSONBody(body)


def test_the_last_of_repeated_keys_counts() -> None:
    """What is read agrees with what most parsers read."""
    assert JSONBody(b'{"model":"a","model":"b"}').get("model") == "b"


def test_absent_keys() -> None:
    """A missing key reads as None and is told apart from an explicit null."""
    body = JSONBody(b'{"a":null}')
    assert (None, True, False) == (body.get("b"), "a" in body, "b" in body)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"a":1,"b":2}', b'{"b":2}'),
        (b'{"b":2,"a":1}', b'{"b":2}'),
        (b'{"b":2, "a" : [1, {"a": 2}] , "c": 3 }', b'{"b":2,"c": 3 }'),
        (b'{"a":1}', b"{}"),
        (b'{"a":1,"b":2,"a":3}', b'{"b":2}'),
        (b'{ "b": {"a": 1} }', b'{ "b": {"a": 1} }'),
    ],
)
def test_a_key_is_taken_out(raw: bytes, expected: bytes) -> None:
    """With its comma; what stays keeps its bytes, and what is nested is another key."""
    assert expected == JSONBody(raw).without("a")


_VALUES = st.integers() | st.text(max_size=5) | st.lists(st.text())


@given(st.dictionaries(st.text(max_size=4), _VALUES, max_size=6), st.text(max_size=4))
def test_taking_out_equals_deleting(value: dict[str, object], key: str) -> None:
    """For every object and key."""
    value[key] = [1, {"x": "}"}]
    rest = {name: each for name, each in value.items() if name != key}
    assert rest == json.loads(JSONBody(json.dumps(value).encode()).without(key))
