"""`.env` beside config.yaml: its text to variables, with remarks about lines that cannot be read."""

import io
from dataclasses import dataclass, field

from dotenv.parser import parse_stream

from planoai.config.problems import Problem


@dataclass(frozen=True)
class DotenvFile:
    """The variables of a `.env` file."""

    #: Taken as they are: a `$` in a value is a dollar.
    values: dict[str, str] = field(repr=False)
    problems: tuple[Problem, ...] = ()


def parse_dotenv(text: str, file: str) -> DotenvFile:
    """The variables in `text`: quotes, comments and `export` as usual; of a name written twice the last one counts."""
    values: dict[str, str] = {}
    first_lines: dict[str, int] = {}
    problems: list[Problem] = []
    for binding in parse_stream(io.StringIO(text.removeprefix("\ufeff"))):
        # `original` may begin with the blank lines before the binding.
        lead = binding.original.string[: len(binding.original.string) - len(binding.original.string.lstrip())]
        line = binding.original.line + lead.count("\n")
        if binding.error:
            problems.append(
                Problem(
                    "warning",
                    file,
                    line,
                    "",
                    None,
                    "this line is not understood and was left out",
                    "Write NAME=value, or NAME='value' when it contains spaces or #.",
                )
            )
        if binding.error or binding.key is None:
            continue
        if binding.key in first_lines:
            problems.append(
                Problem(
                    "warning",
                    file,
                    line,
                    "",
                    None,
                    f"{binding.key} is written twice, first on line {first_lines[binding.key]}; this one counts",
                    "Keep one of the two lines.",
                )
            )
        first_lines.setdefault(binding.key, line)
        values[binding.key] = binding.value or ""
    return DotenvFile(values, tuple(problems))


def exposed_problem(file: str, mode: int) -> Problem | None:
    """A warning when `mode` (of stat(2)) lets others than the owner read the file."""
    if not mode & 0o044:
        return None
    return Problem(
        "warning",
        file,
        None,
        "",
        None,
        f"holds keys and can be read by other users of this machine (mode {mode & 0o777:04o})",
        f"Run: chmod 600 {file}",
    )
