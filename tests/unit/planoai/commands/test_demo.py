"""`planoai demo`, as far as it needs no gateway; with one it is run in tests/e2e."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from planoai.commands.demo import demo

Demo = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where temporary files go."""
    path = tmp_path / "t"
    path.mkdir()
    return path


@pytest.fixture
def run_demo(tmp_path: Path, temporary: Path) -> Demo:
    """Runs the command with a home and a place for temporary files of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "planoai", "demo", "--exit", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"HOME": str(tmp_path / "home"), "TMPDIR": str(temporary), "PATH": "/usr/bin:/bin"},
        )

    return run


def test_help() -> None:
    """What it shows, that no key is needed, and how to choose the port."""
    result = CliRunner().invoke(demo, ["--help"])

    assert 0 == result.exit_code
    assert "without any key" in result.output
    assert "--port" in result.output


@pytest.mark.parametrize("port", ["0", "65536", "many"])
def test_a_port_that_is_none(port: str) -> None:
    """Exit code 2, before anything is started."""
    assert 2 == CliRunner().invoke(demo, ["--port", port]).exit_code


def test_no_envoy(run_demo: Demo, temporary: Path) -> None:
    """A message, and nothing is left behind."""
    done = run_demo("--envoy", "/none/envoy")

    assert 1 == done.returncode
    assert "There is no Envoy at /none/envoy" in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == list(temporary.iterdir())


def test_the_port_is_taken(run_demo: Demo, temporary: Path, tmp_path: Path) -> None:
    """Who named a port gets that one or a message; nothing is left behind, and no home was made."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run_demo("--port", str(port))

    assert 1 == done.returncode
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == list(temporary.iterdir())
    assert not (tmp_path / "home").exists()
