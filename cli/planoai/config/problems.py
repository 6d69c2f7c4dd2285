"""What is wrong with a configuration, and how it is shown: where it is, what was found, what to do about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "warning", "notice"]

#: Where something stands in the configuration: mapping keys and list indexes, e.g. `("model_providers", 0, "model")`.
Path = tuple[str | int, ...]

#: What is shown in place of a secret.
MASK = "***"

#: Secrets shorter than this are not searched for in messages: replacing them would garble ordinary words.
_SHORTEST_SCRUBBED_CHARS = 6

_LONGEST_VALUE_CHARS = 80


@dataclass(frozen=True)
class Finding:
    """One mistake or remark, placed by its path in the data; a `Problem` once its line is known."""

    severity: Severity
    path: Path
    #: A sentence; when it begins with a verb (`is …`, `must …`), its subject is the key at `path`.
    message: str
    remedy: str
    #: Show the value that stands at `path` (never done for secrets, mappings and lists).
    show_value: bool = True
    #: Point at the key of `path` instead of its value.
    at_key: bool = False


@dataclass(frozen=True)
class Problem:
    """One mistake (error) or remark (warning, notice) about a file, ready to be shown. Holds no secret."""

    severity: Severity
    file: str
    #: 1-based; None when the whole file is meant (it is missing, say).
    line: int | None
    #: The place as text, e.g. `model_providers[custom/gpt-5.4].base_url`; empty for the whole file.
    path: str
    #: The offending value as it stands in the file, shortened; None when there is none to show.
    value: str | None
    message: str
    remedy: str

    def render(self) -> str:
        """Two lines of plain text: `file:line: severity: message (path) — got: value`, and the remedy indented."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        path = f" ({self.path})" if self.path else ""
        value = "" if self.value is None else f" — got: {self.value}"
        return f"{place}: {self.severity}: {self.message}{path}{value}\n    {self.remedy}"


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds every error that was found, and the remarks beside them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(render_problems(self.problems))

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Only the problems that stop the gateway from starting."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def render_problems(problems: Iterable[Problem]) -> str:
    """The problems as plain text, one after the other, in the order given."""
    return "\n".join(problem.render() for problem in problems)


def sorted_by_line(problems: Iterable[Problem]) -> list[Problem]:
    """The problems in the order of the file; those of the whole file come first."""
    return sorted(problems, key=lambda problem: (problem.file, problem.line or 0))


def shorten(value: str, limit: int = _LONGEST_VALUE_CHARS) -> str:
    """`value` on one line and at most `limit` characters long."""
    line = " ".join(value.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def scrub(problem: Problem, secrets: Iterable[str]) -> Problem:
    """`problem` with every occurrence of a secret masked: a second fence; messages should name none."""
    present = sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SCRUBBED_CHARS}, key=len, reverse=True)
    texts = {"path": problem.path, "value": problem.value or "", "message": problem.message, "remedy": problem.remedy}
    for name, text in texts.items():
        masked = text
        for secret in present:
            masked = masked.replace(secret, MASK)
        texts[name] = masked
    return replace(
        problem,
        path=texts["path"],
        value=None if problem.value is None else texts["value"],
        message=texts["message"],
        remedy=texts["remedy"],
    )
