"""The command line as a whole: help, exit codes, what a command imports."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import click
import pytest

from planoai import __version__
from planoai.main import COMMANDS, cli

EXISTING = [name for name, (target, _) in COMMANDS.items() if importlib.util.find_spec(target.partition(":")[0])]


def planoai(*arguments: str, home: Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with a home of its own."""
    return subprocess.run(
        [sys.executable, "-m", "planoai", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={"PLANO_HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "error"},
    )


def test_help_names_each_command_in_order(tmp_path: Path) -> None:
    """Without arguments: help, and no error."""
    bare, asked = planoai(home=tmp_path), planoai("--help", home=tmp_path)

    assert 0 == bare.returncode == asked.returncode
    assert asked.stdout == bare.stdout
    positions = [asked.stdout.index(f"\n  {name} ") for name in COMMANDS]
    assert sorted(positions) == positions
    assert "\n  Start with your channels: planoai up config.yaml\n" in asked.stdout


def test_version(tmp_path: Path) -> None:
    """The version of the package."""
    assert f"planoai, version {__version__}\n" == planoai("--version", home=tmp_path).stdout


def test_help_imports_no_command() -> None:
    """Help is quick: none of the heavy libraries is loaded."""
    program = (
        "import sys; from planoai.main import run; run(['--help']); "
        "print([name for name in ('pydantic', 'rich', 'psutil', 'asyncio', 'grpc', 'aiohttp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", EXISTING)
def test_each_command_is_there_and_has_help(name: str) -> None:
    """The lazy list names a click command with a help text of its own."""
    command = cli.get_command(click.Context(cli), name)

    assert command is not None
    assert name == command.name
    assert command.help
    # A raw docstring would show click's mark for "keep these lines" as text.
    assert "\\b" not in command.help


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("dance",), 2, "No such command 'dance'"),
        (("up", "--nonsense"), 2, "No such option"),
        (("up", "--timeout", "0"), 2, "--timeout"),
        (("up", "none.yaml"), 2, "none.yaml does not exist"),
        (("up",), 2, "There is neither config.yaml nor plano_config.yaml"),
        (("logs",), 1, "There is no log yet"),
        (("status",), 3, "Plano is not running."),
        (("down",), 0, "Plano is not running."),
    ],
)
def test_exit_codes(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    """0 done, 1 failed, 2 usage or configuration, 3 not running; a message and never a traceback."""
    done = planoai(*arguments, home=tmp_path / "home", cwd=tmp_path)

    assert code == done.returncode, done.stderr
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
