"""One command at a time."""

import os
import subprocess
import sys

import pytest

from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.lock import lock_home

HOLDER = """
import pathlib, sys
from planoai.home import PlanoHome
from planoai.supervisor.lock import lock_home

with lock_home(PlanoHome(pathlib.Path(sys.argv[1])), wait_s=0, on_wait=print):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_is_free_again(home: PlanoHome) -> None:
    """After its context, and after release()."""
    for _ in range(2):
        with lock_home(home, wait_s=0, on_wait=pytest.fail):
            pass
    with lock_home(home, wait_s=0, on_wait=pytest.fail) as lock:
        lock.release()
        with lock_home(home, wait_s=0, on_wait=pytest.fail):
            pass


def test_another_process_has_it(home: PlanoHome) -> None:
    """The message names who has it; it is free once that process has ended, also by SIGKILL."""
    waited: list[str] = []
    command = [sys.executable, "-c", HOLDER, str(home.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert b"held\n" == other.stdout.readline()
        with (
            pytest.raises(PlanoError, match=rf"Another planoai command \(pid {other.pid}\)"),
            lock_home(home, wait_s=0, on_wait=waited.append),
        ):
            pytest.fail("the lock was given twice")
        other.kill()
        with lock_home(home, wait_s=10, on_wait=waited.append):
            assert str(os.getpid()) == (home.run / "planoai.lock").read_text()


def test_waiting_is_announced_once(home: PlanoHome) -> None:
    """The user learns what is waited for."""
    waited: list[str] = []
    with (
        lock_home(home, wait_s=0, on_wait=pytest.fail),
        pytest.raises(PlanoError),
        lock_home(home, wait_s=0.15, on_wait=waited.append),
    ):
        pytest.fail("the lock was given twice")

    assert [f"Waiting for another planoai command (pid {os.getpid()}) to finish ..."] == waited
