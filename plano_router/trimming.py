"""Cuts what was pasted to what tells its kind: head and tail of code, logs, diffs and long texts. Pure."""

import re

#: What a router reads of one turn, in characters.
MOST_CHARACTERS = 2400
#: Of a text that is longer, so much of it is taken from its beginning: requests stand there more often than at the end.
_HEAD_SHARE = 0.6

#: Of a fenced block with more lines.
_BLOCK_HEAD, _BLOCK_TAIL = 6, 3
_LONG_LINE = 300
_FENCE = re.compile(r"(```|~~~)([^\n]*)\n(.*?)(?:\n\1|\Z)", re.DOTALL)
#: Lines as programs write them: logs, traces, diffs, listings, data.
_MACHINE_LINE = re.compile(
    r"\s*(?:\d{4}-\d\d-\d\d[T ]|\d\d:\d\d:\d\d|\[[^\]]*\d|at\s+[\w.$<>]+\(|File \"|#\d+\s|[+\-]{1,3}\s?[\w{}<(/#\"'.]"
    r"|@@ |diff --git|index [0-9a-f]{6}|E\s{2,}|INFO\b|WARN|ERROR\b|DEBUG\b|\{|\}|\"[^\"]+\":|<[/\w]|\s{4}|\t"
    r"|\d+[:|,\t])"
)
_MOST_MACHINE_LINES = 12


def trim(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text with pasted blocks cut to head and tail, and no longer than `most` characters."""
    text = _FENCE.sub(lambda block: f"```{block[2]}\n{_ends(block[3].splitlines())}\n```", text)
    text = "\n".join(_cut_runs(text.splitlines()))
    if len(text) <= most:
        return text
    head = int(most * _HEAD_SHARE)
    return f"{text[:head]}\n…\n{text[len(text) - (most - head) :]}"


def _ends(lines: list[str]) -> str:
    if len(lines) > _BLOCK_HEAD + _BLOCK_TAIL + 1:
        lines = [*lines[:_BLOCK_HEAD], "…", *lines[-_BLOCK_TAIL:]]
    return "\n".join(line[:_LONG_LINE] for line in lines)


def _cut_runs(lines: list[str]) -> list[str]:
    """Runs of lines that a program wrote are cut; what people write stays whole."""
    kept: list[str] = []
    run: list[str] = []
    for line in [*lines, ""]:
        if _MACHINE_LINE.match(line):
            run.append(line[:_LONG_LINE])
            continue
        if len(run) > _MOST_MACHINE_LINES:
            run = [*run[:_BLOCK_HEAD], "…", *run[-_BLOCK_TAIL:]]
        kept += [*run, line]
        run = []
    return kept[:-1] if kept else kept
