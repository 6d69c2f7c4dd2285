"""YAML becomes data, and every piece of it keeps its line."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planoai.config.problems import ConfigError
from planoai.config.source import path_text, read_document

TEXT = """\
version: v0.4.0

model_providers:
  - access_key: $KEY
    model: a/b
    retry_policy:
      fallback_models: [c/d,
                        e/f]
  - {model: c/d}
routing_preferences:
  - name: code
    description: >
      folded
      text
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("version",), 1),
        (("model_providers",), 3),
        (("model_providers", 0), 4),
        (("model_providers", 0, "access_key"), 4),
        (("model_providers", 0, "model"), 5),
        (("model_providers", 0, "retry_policy"), 6),
        (("model_providers", 0, "retry_policy", "fallback_models"), 7),
        (("model_providers", 0, "retry_policy", "fallback_models", 1), 8),
        (("model_providers", 1, "model"), 9),
        (("routing_preferences", 0, "description"), 12),
    ],
)
def test_lines(path: tuple[str | int, ...], line: int) -> None:
    """Scalars are found where they stand, objects and lists where their key stands."""
    assert line == read_document(TEXT, "f").line_of(path)


@pytest.mark.parametrize(
    ("path", "line"), [(("model_providers", 1, "name"), 9), (("routing",), 1), (("model_providers", 7), 3), ((), 1)]
)
def test_line_of_what_is_not_there(path: tuple[str | int, ...], line: int) -> None:
    """What is missing is looked for where it would belong."""
    assert line == read_document(TEXT, "f").line_of(path)


def test_data() -> None:
    """Values have the types of YAML; keys, dates and half numbers are text."""
    text = "on: yes\n404: x\nwhen: 2024-01-01\nbad: 2024-99-99\nn: 1\nf: 1.5\nnothing:\n"
    assert (
        {
            "on": True,
            "404": "x",
            "when": "2024-01-01",
            "bad": "2024-99-99",
            "n": 1,
            "f": 1.5,
            "nothing": None,
        }
    ) == read_document(text, "f").data


def test_quotes_are_noted() -> None:
    """A quoted scalar can be told from a plain one."""
    document = read_document("a: 'x'\nb: \"x\"\nc: x\n", "f")
    assert {("a",), ("b",)} == document.quoted


def test_merge_keys() -> None:
    """`<<` brings in keys with their own lines; keys of the object itself win, the first of several sources wins."""
    text = "a: &a {x: 1, y: 2}\nb: &b\n  y: 3\n  z: 4\nc:\n  <<: [*a, *b]\n  x: 9\nd: {<<: *b}\n"
    document = read_document(text, "f")
    assert {"x": 9, "y": 2, "z": 4} == document.data["c"]
    assert {"y": 3, "z": 4} == document.data["d"]
    assert (7, 1, 4) == tuple(document.line_of(("c", key)) for key in "xyz")
    assert [] == document.problems


@pytest.mark.parametrize(
    "text",
    [
        "a: &a\n  <<: *a\n",
        "a: {<<: 5}\n",
        "a: !!set {x}\n",
        "a: !!omap [x: 1]\n",
        "a: !!python/object:os.system x\n",
        "a: [\n",
        "? [a]\n: b\n",
        "%YAML 9.9\n---\na: b\n",
        "a: &x &y b\n",
        "a: 'b\n",
        "[" * 5000,
        'a: "\\q"\n',
        "a: b: c\n",
        "- a\nb: c\n",
        "a: {b: c\n",
        "a: `b`\n",
        "a: %b\n",
        "&a !b *c\n",
        "--- >\n",
    ],
)
def test_refused(text: str) -> None:
    """What cannot be read is refused with one problem that has a remedy."""
    with pytest.raises(ConfigError) as caught:
        read_document(text, "f")
    (problem,) = caught.value.problems
    assert "error" == problem.severity
    assert problem.remedy


def test_multiplying_references_are_refused() -> None:
    """Nested references that would fill the memory are refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 9)]
    with pytest.raises(ConfigError, match="beyond all measure"):
        read_document("\n".join(lines), "f")


def test_repeated_keys_are_all_told() -> None:
    """Every key that is written twice is reported with both lines; the first value counts."""
    document = read_document("a: 1\na: 2\nb:\n  c: 1\n  c: 2\n", "f")
    assert [
        (2, "first on line 1"),
        (5, "first on line 4"),
    ] == [(problem.line, problem.message.rpartition(", ")[2]) for problem in document.problems]
    assert {"a": 1, "b": {"c": 1}} == document.data


def test_byte_order_mark() -> None:
    """A byte order mark is no part of the first key."""
    assert {"a": 1} == read_document("\ufeffa: 1\n", "f").data


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader fail in another way than with a ConfigError."""
    with contextlib.suppress(ConfigError):
        assert isinstance(read_document(text, "f").data, dict)


@given(st.text(st.characters(codec="ascii", exclude_characters="\n\r"), min_size=8, max_size=30))
def test_syntax_errors_quote_nothing(secret: str) -> None:
    """A key that breaks the YAML is not in the message about it."""
    secret = f"K3y{secret}K3y"
    for text in (
        f"access_key: *{secret}",
        f"access_key: !{secret}",
        f"access_key: &{secret} &b",
        f"a: b\naccess_key:{secret}",
        f"access_key: @{secret}",
    ):
        message = ""
        try:
            read_document(text + "\n", "f")
        except ConfigError as error:
            message = str(error)
        assert "K3y" not in message


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), ""),
        (("model_providers", 0, "base_url"), "model_providers[a/b].base_url"),
        (("model_providers", 1, "name"), "model_providers[c/d].name"),
        (("routing_preferences", 0, "models", 0), "routing_preferences[code].models[0]"),
        (("model_providers", 9, "name"), "model_providers[9].name"),
        (("x", "y"), "x.y"),
    ],
)
def test_path_text(path: tuple[str | int, ...], expected: str) -> None:
    """List items are called by their model or name, or else by their number."""
    assert expected == path_text(path, read_document(TEXT, "f").data)
