"""`.env` is read as people write it, and nothing of it is shown."""

import pytest

from planoai.config.dotenv_file import exposed_problem, parse_dotenv

TEXT = """\
# keys
CLAUDE_API_KEY=sk-secret-1
export CODEX_API_KEY="sk-secret-2"   # inline

SINGLE='a b # c'
DOLLAR=pa$$word$HOME
SPACED = x
HASH=abc#def
EMPTY=
NO_VALUE
"""


def test_values() -> None:
    """Quotes, comments, export and spaces are understood; a dollar is a dollar."""
    parsed = parse_dotenv(TEXT, ".env")
    assert {
        "CLAUDE_API_KEY": "sk-secret-1",
        "CODEX_API_KEY": "sk-secret-2",
        "SINGLE": "a b # c",
        "DOLLAR": "pa$$word$HOME",
        "SPACED": "x",
        "HASH": "abc#def",
        "EMPTY": "",
        "NO_VALUE": "",
    } == parsed.values
    assert () == parsed.problems
    assert "sk-secret" not in repr(parsed)


def test_windows_file() -> None:
    """A byte order mark and CRLF are no part of names and values."""
    assert {"A": "1", "B": "2"} == parse_dotenv("\ufeffA=1\r\nB=2\r\n", ".env").values


def test_several_lines() -> None:
    """A quoted value may go over several lines."""
    assert {"A": "x\ny"} == parse_dotenv('A="x\ny"\n', ".env").values


def test_unreadable_line() -> None:
    """A line that is not understood is told with its number, without what it says; the others are read."""
    parsed = parse_dotenv("A=1\n\n\nsk-secret-1 sk-secret-2=\nB=2\n", ".env")
    assert {"A": "1", "B": "2"} == parsed.values
    (problem,) = parsed.problems
    assert ("warning", 4) == (problem.severity, problem.line)
    assert "sk-secret" not in problem.render()


def test_name_twice() -> None:
    """The last of two values counts, and both lines are named."""
    parsed = parse_dotenv("A=sk-secret-1\n\nA=sk-secret-2\n", ".env")
    assert {"A": "sk-secret-2"} == parsed.values
    (problem,) = parsed.problems
    assert ("A is written twice, first on line 1; this one counts", 3) == (problem.message, problem.line)


@pytest.mark.parametrize(
    ("mode", "warned"),
    [(0o100600, False), (0o100400, False), (0o100640, True), (0o100644, True), (0o100604, True), (0o100620, False)],
)
def test_exposed(mode: int, warned: bool) -> None:
    """A file that group or others can read is told, with the command that closes it."""
    problem = exposed_problem("/x/.env", mode)
    assert warned == (problem is not None)
    if problem is not None:
        assert ("warning", "Run: chmod 600 /x/.env") == (problem.severity, problem.remedy)
        assert f"{mode & 0o777:04o}" in problem.message
