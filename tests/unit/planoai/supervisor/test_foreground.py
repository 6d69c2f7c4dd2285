"""Supervision in the process of the command."""

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from planoai.home import PlanoHome
from planoai.supervisor.spec import encode_plan
from planoai.supervisor.state import read_identities, read_state, state_path
from planoai.supervisor.stop import stop_home

PROGRAM = """
import pathlib, sys
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.daemon import Settings
from planoai.supervisor.foreground import run_foreground
from planoai.supervisor.spec import decode_plan

def say(*words):
    print(*words, flush=True)

try:
    run_foreground(
        decode_plan(sys.stdin.buffer.read()),
        PlanoHome(pathlib.Path(sys.argv[1])),
        Settings(start_timeout_s=20),
        on_progress=lambda progress: say(type(progress).__name__),
        on_log_line=lambda path, line: say(path.name, line),
    )
    say("ended")
except PlanoError as error:
    say("failed:", error)
"""


def start(home: PlanoHome, plan: Any) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(home.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(encode_plan(plan))
    process.stdin.close()
    return process


def lines_until(process: subprocess.Popen[bytes], word: bytes) -> list[bytes]:
    assert process.stdout is not None
    lines: list[bytes] = []
    for line in process.stdout:
        lines.append(line.strip())
        if word in line:
            break
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_logs_are_shown_and_a_signal_stops_everything(home: PlanoHome, fakes: Any, number: int) -> None:
    """Ready, the lines of the logs, Ctrl-C, nothing left; the exit is clean."""
    with start(home, fakes.plan(fakes.server("envoy"))) as process:
        assert b"ProcessReady" in lines_until(process, b"GatewayReady")
        lines_until(process, b"envoy.log envoy says hello")
        state = read_state(home)
        assert state is not None
        assert state.foreground
        assert process.pid == state.supervisor.pid
        identities = list(read_identities(home).values())
        process.send_signal(number)
        assert b"ended" in lines_until(process, b"ended")
        assert 0 == process.wait()

    assert [] == [identity for identity in identities if identity.is_alive()]
    assert not state_path(home).exists()
    assert "envoy stopped" == fakes.traced()[-1]


def test_down_ends_it(home: PlanoHome, fakes: Any) -> None:
    """The command in the other terminal returns."""
    with start(home, fakes.plan(fakes.server("envoy"))) as process:
        lines_until(process, b"GatewayReady")
        report = stop_home(home)
        assert b"ended" in lines_until(process, b"ended")

    assert () == report.killed
    assert {"supervisor", "envoy"} == set(report.stopped)


def test_a_failed_start_is_the_callers_error(home: PlanoHome, fakes: Any, until: Callable[..., Any]) -> None:
    """PlanoError itself, not a group of them."""
    del until
    plan = fakes.plan(fakes.spec("envoy", "die", "3", ready=fakes.server("envoy").ready))
    with start(home, plan) as process:
        assert b"failed: envoy stopped before it was ready (exit status 3)." in lines_until(process, b"failed")

    assert not state_path(home).exists()
