"""planoai.config.editing: examples put into the text of a config.yaml."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from planoai.config.editing import EditingError, add_examples, fragment

BLOCK = """\
# The whole file.
version: v0.4.0   # of the format
routing_preferences:
  - name: code      # writing
    description: >
      writing code,
      fixing it

    # Which models.
    models: [a/x]  # one

  # Talk.
  - name: chat
    models:
      - a/y   # small

    description: |
      talk


workers: 2
"""


def examples_of(text: str) -> dict[str, list[str]]:
    """The routes' examples, as YAML reads them."""
    return {each["name"]: each.get("examples", []) for each in yaml.safe_load(text)["routing_preferences"]}


def test_every_other_byte_stays() -> None:
    """New lines only, below what belongs to the route and above what follows it."""
    edited = add_examples(BLOCK, {"code": ["a", "b\n  c"], "chat": ["d"]})
    assert {"code": ["a", "b\n  c"], "chat": ["d"]} == examples_of(edited)
    expected = BLOCK.replace(
        "    models: [a/x]  # one\n",
        '    models: [a/x]  # one\n    examples:\n      - "a"\n      - |-\n        b\n          c\n',
    ).replace("      talk\n", '      talk\n    examples:\n      - "d"\n')
    assert expected == edited


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("{name: code, models: [a/x]}", '{name: code, models: [a/x], examples: ["n", "m"]}'),
        ("{name: code, examples: [o]}", '{name: code, examples: [o, "n", "m"]}'),
        ("{name: code, examples: [o, ]}", '{name: code, examples: [o, "n", "m", ]}'),
        ("{name: code, examples: []}", '{name: code, examples: ["n", "m"]}'),
        ("{examples: [o], name: code}  # x", '{examples: [o, "n", "m"], name: code}  # x'),
        ("examples: [o]\n    name: code", 'examples: [o, "n", "m"]\n    name: code'),
        (
            "examples:\n      - o\n\n      # remark\n    name: code",
            'examples:\n      - o\n      - "n"\n      - "m"\n\n      # remark\n    name: code',
        ),
        (
            "examples:\n    - o  # old\n    name: code",
            'examples:\n    - o  # old\n    - "n"\n    - "m"\n    name: code',
        ),
        ("name: code", 'name: code\n    examples:\n      - "n"\n      - "m"'),
    ],
)
def test_styles(route: str, expected: str) -> None:
    """Flow and block, with and without examples, wherever they stand; also at the end of a file without line end."""
    head = "routing_preferences:\n  - "
    edited = add_examples(head + route, {"code": ["n", "m"]})
    assert head + expected == edited.removesuffix("\n")


def test_line_ends_and_the_byte_order_mark_stay() -> None:
    """As Windows editors write them."""
    edited = add_examples("\ufeffrouting_preferences:\r\n- name: code\r\n", {"code": ["x\ny"]})
    assert "\ufeffrouting_preferences:\r\n- name: code\r\n  examples:\r\n    - |-\r\n      x\r\n      y\r\n" == edited


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_any_text_arrives(texts: list[str]) -> None:
    """Whatever a prompt holds: quotes, line breaks of any kind, control characters, emoji; half characters become ?."""
    whole = [each.encode("utf-8", "replace").decode() for each in texts]
    for text in (BLOCK, "routing_preferences: [{name: code, models: [m]}]"):
        assert whole == examples_of(add_examples(text, {"code": texts}))["code"]
    assert whole == examples_of(fragment({"code": whole}))["code"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("routing_preferences: [", "not valid YAML"),
        ("model_providers: [{model: a/b, routing_preferences: [{name: code}]}]", "top level"),
        ("routing_preferences: [{name: code, examples: text}]", "no list"),
        ("x: &r {name: code}\nrouting_preferences: [*r]", "cannot be edited safely"),
        ("x: &e [a]\nrouting_preferences: [{name: code, examples: *e}]", "cannot be edited safely"),
    ],
)
def test_what_cannot_be_edited_is_not(text: str, why: str) -> None:
    """Mistakes, the older form, and references, behind which something else would change, too."""
    with pytest.raises(EditingError, match=why):
        add_examples(text, {"code": ["x"]})


def test_nothing_to_add() -> None:
    """The text stays."""
    assert add_examples(BLOCK, {"code": []}) == BLOCK
