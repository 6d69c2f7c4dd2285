"""Adds examples to the routes of a config.yaml: in its text, so that every other byte stays. Pure.

Where the text cannot be edited safely nothing is: what comes out is read again and compared with what was meant.
"""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from planoai.config.problems import ConfigError
from planoai.config.source import read_document

#: What YAML would break, or refuse, inside double quotes as JSON writes them.
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
#: What a literal block cannot hold as it is.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY = "examples"


class EditingError(Exception):
    """The text is not of a kind that can be edited. The message says why."""


def add_examples(text: str, examples: Mapping[str, Sequence[str]]) -> str:
    """`text` with these examples added to the routes of these names, behind those that are there.

    Raises EditingError. Lone surrogates, which are no text, become question marks.
    """
    examples = {name: [_clean(each) for each in new] for name, new in examples.items() if new}
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix(mark)
    try:
        before = read_document(body, "").data
        root = yaml.compose(body, Loader=yaml.SafeLoader)
    except (ConfigError, yaml.YAMLError):
        raise EditingError("it is not valid YAML") from None
    edits = [_edit(body, node, examples[name]) for name, node in _route_nodes(root).items() if name in examples]
    if len(edits) < len(examples):
        raise EditingError("its routes are not written under `routing_preferences` at the top level")
    edited = body
    for position, addition in sorted(edits, reverse=True):
        edited = edited[:position] + addition + edited[position:]
    if not _is_as_meant(before, edited, examples):
        raise EditingError("it is written in a way that cannot be edited safely (anchors or merges, say)")
    return mark + edited


def fragment(examples: Mapping[str, Sequence[str]]) -> str:
    """The examples as YAML, to be copied by hand."""
    lines = ["routing_preferences:"]
    for name, new in examples.items():
        lines += [f"  - name: {_quoted(name)}", f"    {_KEY}:", *_items(new, 6)]
    return "\n".join(lines) + "\n"


def _is_as_meant(before: dict[str, Any], edited: str, examples: Mapping[str, Sequence[str]]) -> bool:
    try:
        after = read_document(edited, "").data
    except ConfigError:
        return False
    meant = copy.deepcopy(before)
    for route in meant["routing_preferences"]:
        new = examples.get(str(route.get("name")), ())
        if new:
            route[_KEY] = [*(route.get(_KEY) or []), *new]
    return bool(meant == after)


def _route_nodes(root: yaml.Node | None) -> dict[str, yaml.MappingNode]:
    """The routes at the top level by their names."""
    found: dict[str, yaml.MappingNode] = {}
    routes = _value(root, "routing_preferences")
    for node in routes.value if isinstance(routes, yaml.SequenceNode) else ():
        name = _value(node, "name")
        if isinstance(node, yaml.MappingNode) and isinstance(name, yaml.ScalarNode):
            found[name.value] = node
    return found


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs: list[tuple[yaml.Node, yaml.Node]] = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for each, value in pairs if each.value == key), None)


def _edit(text: str, route: yaml.MappingNode, new: Sequence[str]) -> tuple[int, str]:
    """Where something is put in, and what."""
    existing = _value(route, _KEY)
    if existing is None:
        if route.flow_style:
            inside = f", {_KEY}: [{', '.join(map(_quoted, new))}]"
            return _end(text, route.value[-1][1]), inside
        column = route.value[0][0].start_mark.column
        return _below(text, route, [f"{' ' * column}{_KEY}:", *_items(new, column + 2)])
    if not isinstance(existing, yaml.SequenceNode):
        raise EditingError(f"`{_KEY}` of a route is no list")
    if existing.flow_style:
        added = ", ".join(map(_quoted, new))
        if not existing.value:
            return existing.start_mark.index + 1, added
        return _end(text, existing.value[-1]), f", {added}"
    return _below(text, existing, _items(new, existing.start_mark.column))


def _below(text: str, node: yaml.Node, lines: Sequence[str]) -> tuple[int, str]:
    """New lines under the last one of a node; a remark at its end stays there."""
    newline = "\r\n" if "\r\n" in text else "\n"
    block = newline.join(lines) + newline
    position = _end(text, node)
    if position and text[position - 1] == "\n":  # the end of a literal or folded text
        return position, block
    line_end = text.find("\n", position)
    if line_end < 0:
        return len(text), newline + block
    return line_end + 1, block


def _end(text: str, node: yaml.Node) -> int:
    """Where the last character of a node stands: what follows it in the file (remarks, blank lines) is not its own."""
    if isinstance(node, yaml.ScalarNode):
        end = node.end_mark.index
        if node.style in ("|", ">"):
            end = _without_blank_lines(text, end)
        return int(end)
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(text, last[1] if isinstance(last, tuple) else last)


def _without_blank_lines(text: str, end: int) -> int:
    """The blank lines behind a text belong to what follows."""
    kept = text[:end].rstrip()
    line_end = text.find("\n", len(kept))
    return end if line_end < 0 else min(end, line_end + 1)


def _items(texts: Sequence[str], column: int) -> list[str]:
    indent = " " * column
    lines: list[str] = []
    for each in texts:
        if _fits_a_block(each):
            lines.append(f"{indent}- |-")
            lines += [f"{indent}  {line}" if line else "" for line in each.split("\n")]
        else:
            lines.append(f"{indent}- {_quoted(each)}")
    return lines


def _fits_a_block(text: str) -> bool:
    """Whether a text has several lines that can stand in the file as they are."""
    return "\n" in text and text == text.strip() and not _CONTROL.search(text) and not _UNPRINTABLE.search(text)


def _quoted(text: str) -> str:
    """In double quotes: JSON, which YAML reads alike, but for a few characters."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
