"""YAML text to data, with the line of every key and value, so that each later message can say where.

Stricter than PyYAML: a key written twice is a mistake, keys are always text (`on:` is "on"), dates stay text.
"""

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from planoai.config.problems import ConfigError, Path, Problem, shorten

#: Far above any real configuration; stops aliases that multiply.
_MOST_NODES = 200_000

_MERGE_TAG = "tag:yaml.org,2002:merge"
_MAP_TAG = "tag:yaml.org,2002:map"
_SEQ_TAG = "tag:yaml.org,2002:seq"

_QUOTE_REMEDY = 'Put the value in quotes: key: "value".'
_INDENT_REMEDY = (
    "Check the indentation: keys of one object begin in the same column, two spaces deeper than their parent."
)


@dataclass
class Document:
    """The data of a YAML file and where each piece of it stands."""

    data: dict[str, Any] = field(repr=False)
    #: 1-based line of the key of a mapping entry, by its path.
    key_lines: dict[Path, int] = field(default_factory=dict)
    #: 1-based line on which the value begins.
    value_lines: dict[Path, int] = field(default_factory=dict)
    #: Scalars as they are written in the file (may be secrets).
    texts: dict[Path, str] = field(default_factory=dict, repr=False)
    #: Which of them stand in quotes.
    quoted: set[Path] = field(default_factory=set)
    #: Mistakes that do not stop the reading: keys written twice.
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, path: Path, *, at_key: bool = False) -> int:
        """The line to show for `path`: of the value if it is a scalar, else of its key; else of what is around it."""
        for end in range(len(path), 0, -1):
            here = path[:end]
            whole = end == len(path)
            if whole and not at_key and here in self.texts:
                return self.value_lines[here]
            if here in self.key_lines:
                return self.key_lines[here]
            if here in self.value_lines:
                return self.value_lines[here]
        return self.value_lines[()]


def read_document(text: str, file: str) -> Document:
    """The data in `text`; `file` is its name for messages.

    Raises ConfigError when the text is no YAML, is empty, or is not a mapping of keys to values.
    """
    text = text.removeprefix("\ufeff")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, text, file)]) from None
    except RecursionError:
        message, remedy = "lists or objects are nested too deeply", "Remove the brackets that are not needed."
        raise ConfigError([Problem("error", file, None, "", None, message, remedy)]) from None
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        raise ConfigError(
            [
                Problem(
                    "error",
                    file,
                    None,
                    "",
                    None,
                    "the file is empty",
                    "Write `model_providers:` with at least one model; `planoai init` writes a first configuration.",
                )
            ]
        )
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            [
                Problem(
                    "error",
                    file,
                    node.start_mark.line + 1,
                    "",
                    None,
                    f"the file holds {_kind(node)} where keys and values were expected",
                    "Begin with `version: v0.4.0` and `model_providers:`; a key is followed by a colon and a space.",
                )
            ]
        )
    builder = _Builder(file)
    builder.document.data = builder.mapping(node, ())
    return builder.document


class _Builder:
    """Turns composed nodes into data, noting positions on the way."""

    def __init__(self, file: str) -> None:
        self.document = Document(data={})
        self._file = file
        self._constructor = yaml.constructor.SafeConstructor()
        self._open: set[int] = set()
        self._nodes = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            self._refuse(
                node, "the file grows beyond all measure through its `*` references", "Write the values out instead."
            )
        self.document.value_lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            self.document.texts[path] = node.value
            if node.style in ("'", '"'):
                self.document.quoted.add(path)
            return self._scalar(node)
        if id(node) in self._open:
            self._refuse(node, "a `*` reference contains itself", "Write the value out instead.")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, path)
            if node.tag != _SEQ_TAG:
                self._refuse_tag(node)
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        finally:
            self._open.discard(id(node))

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        if node.tag != _MAP_TAG:
            self._refuse_tag(node)
        self.document.value_lines.setdefault(path, node.start_mark.line + 1)
        data: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE_TAG:
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(
                    key_node,
                    f"{_kind(key_node)} stands where a key was expected",
                    "Put values that contain { or [ in quotes.",
                )
            key = key_node.value
            line = key_node.start_mark.line + 1
            if key in data:
                self._repeated(key, path, line)
                continue
            self.document.key_lines[(*path, key)] = line
            data[key] = self.value(value_node, (*path, key))
        for mapping_node in merged:
            if not isinstance(mapping_node, yaml.MappingNode):
                self._refuse(mapping_node, "`<<` takes a mapping only", "Write the keys out instead.")
            data = self._merge(mapping_node, path, data)
        return data

    def _merge(self, node: yaml.MappingNode, path: Path, data: dict[str, Any]) -> dict[str, Any]:
        """`data` with the keys of `node` that it does not have yet (https://yaml.org/type/merge.html)."""
        if id(node) in self._open:
            self._refuse(node, "a `*` reference contains itself", "Write the value out instead.")
        missing = yaml.MappingNode(
            node.tag,
            [pair for pair in node.value if pair[0].tag == _MERGE_TAG or pair[0].value not in data],
            node.start_mark,
            node.end_mark,
        )
        self._open.add(id(node))
        try:
            return data | self.mapping(missing, path)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            value = self._constructor.construct_object(node)
        except yaml.YAMLError:
            self._refuse_tag(node)
        except ValueError:
            # Looks like a date or a number and is none.
            return node.value
        return value if value is None or isinstance(value, str | int | float) else node.value

    def _repeated(self, key: str, path: Path, line: int) -> None:
        first = self.document.key_lines[(*path, key)]
        # A header's name may be a piece of another header's value that was not quoted.
        name = "a header" if "headers" in path else f"`{shorten(key, 40)}`"
        self.document.problems.append(
            Problem(
                "error",
                self._file,
                line,
                path_text(path if "headers" in path else (*path, key), {}),
                None,
                f"{name} is written twice in the same object, first on line {first}",
                "Keep one of the two lines. A new list item begins with a dash.",
            )
        )

    def _refuse_tag(self, node: yaml.Node) -> NoReturn:
        # The tag is not quoted: a key that begins with `!` would be read as one.
        self._refuse(node, "a value begins with `!`, which YAML reads as a tag", _QUOTE_REMEDY)

    def _refuse(self, node: yaml.Node, message: str, remedy: str) -> NoReturn:
        line = node.start_mark.line + 1
        raise ConfigError([*self.document.problems, Problem("error", self._file, line, "", None, message, remedy)])


def path_text(path: Path, data: object) -> str:
    """`path` as text; items of a list are named by their `model` or `name` where `data` has one."""
    text = ""
    here: Any = data
    for part in path:
        if isinstance(part, str):
            here = here.get(part) if isinstance(here, dict) else None
            text += f".{part}" if text else part
            continue
        here = here[part] if isinstance(here, list) and part < len(here) else None
        text += f"[{_label(here) or part}]"
    return text


def _label(item: object) -> str | None:
    if not isinstance(item, dict):
        return None
    for key in ("model", "name"):
        label = item.get(key)
        if isinstance(label, str) and label and len(label) <= 60 and label.isprintable():
            return label
    return None


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "an object" if isinstance(node, yaml.MappingNode) else "a text"


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """What PyYAML found, in words of ours; never quotes from the file, which may hold keys."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Problem(
            "error",
            file,
            line,
            "",
            None,
            f"the character U+{error.character:04X} is not allowed in YAML",
            "Remove the control character; it often comes with text copied from elsewhere.",
        )
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem("error", file, None, "", None, "the file is not YAML", _INDENT_REMEDY)
    context, problem = error.context or "", error.problem or ""
    where = error.problem_mark or error.context_mark
    begin = error.context_mark or where
    said = f"{context}; {problem}"
    known = next((entry for entry in _SYNTAX if re.search(entry[0], said)), None)
    if known is None:
        # Names of anchors and tags stand in quotes, and may be (parts of) a key that was not quoted.
        unquoted = re.sub(r"'[^']{2,}'", "…", problem)
        known = ("", False, f"not valid YAML: {unquoted}", _INDENT_REMEDY)
    _, at_begin, message, remedy = known
    mark = begin if at_begin else where
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Problem("error", file, line, "", None, f"{message}, at column {column}", remedy)


#: What PyYAML says (a pattern), whether the mistake is where the construct began, our words, the remedy.
_SYNTAX = (
    (r"'\\t'", False, "a tab where YAML allows only spaces", "Indent with spaces."),
    (
        r"scanning a quoted scalar",
        True,
        "a quoted text is not closed",
        "Add the missing quote, or use the other kind of quotes around a text that contains one.",
    ),
    (
        r"mapping values are not allowed",
        False,
        "a colon where no key is possible",
        f"{_INDENT_REMEDY} Put a value that contains `: ` in quotes.",
    ),
    (
        r"could not find expected ':'",
        True,
        "a key without a colon and a space after it",
        "Write `key: value`, with a space after the colon.",
    ),
    (
        r"undefined alias|scanning an alias",
        False,
        "a value begins with `*`, which YAML reads as a reference",
        _QUOTE_REMEDY,
    ),
    (r"anchor", False, "a value begins with `&`, which YAML reads as an anchor", _QUOTE_REMEDY),
    (r"tag", False, "a value begins with `!`, which YAML reads as a tag", _QUOTE_REMEDY),
    (
        r"expected a single document",
        False,
        "a second document begins here",
        "Keep one document in the file: remove the line `---`.",
    ),
    (r"cannot start any token", False, "a value begins with a character that YAML reserves", _QUOTE_REMEDY),
    (
        r"flow (sequence|mapping)",
        True,
        "a `[` or `{` is not closed, or a comma is missing in it",
        "Close the bracket, and put a comma between the items.",
    ),
    (r"block (mapping|collection|sequence)", False, "this line does not fit the lines above it", _INDENT_REMEDY),
    (r"unknown escape character", False, "a `\\` in double quotes that YAML does not know", "Use single quotes."),
)
