"""Stopping what a home started, and nothing else."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from planoai.home import PlanoHome
from planoai.supervisor.control import control_socket
from planoai.supervisor.identity import ProcessIdentity
from planoai.supervisor.lifecycle import Phase, ProcessRecord
from planoai.supervisor.state import GatewayPhase, State, state_path, write_state
from planoai.supervisor.stop import running_identities, stop_home

GONE = ProcessIdentity(pid=2**22 + 1, create_time=1.0)
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "


@contextmanager
def process(prelude: str = "") -> Iterator[ProcessIdentity]:
    """A process that waits for a signal."""
    code = f"import signal; {prelude}print(1, flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-S", "-E", "-c", code], stdout=subprocess.PIPE) as popen:
        try:
            assert popen.stdout is not None
            popen.stdout.readline()
            identity = ProcessIdentity.of(popen.pid)
            assert identity is not None
            yield identity
        finally:
            popen.kill()


def record_state(home: PlanoHome, supervisor: ProcessIdentity, **children: ProcessIdentity) -> None:
    """state.json as a supervisor leaves it."""
    records = tuple(
        ProcessRecord(name=name, log_file="/x", phase=Phase.READY, identity=identity)
        for name, identity in children.items()
    )
    state = State(
        planoai_version="1",
        phase=GatewayPhase.RUNNING,
        supervisor=supervisor,
        foreground=False,
        config_path="/c",
        started_at=1.0,
        processes=records,
        listeners=(),
        channels=(),
        ready_urls=(),
        logs="/logs",
        stop_grace_s=1.0,
    )
    write_state(home, state)


def test_nothing_ran(home: PlanoHome) -> None:
    """No state: nothing to do."""
    report = stop_home(home)

    assert report.nothing_ran
    assert not report.was_stale


def test_what_a_killed_supervisor_left_is_stopped(home: PlanoHome) -> None:
    """Its children are found by pid and start time; the stubborn one is killed; the stale files go."""
    with process() as envoy, process(STUBBORN) as brightstaff:
        record_state(home, GONE, envoy=envoy, brightstaff=brightstaff)
        control_socket(home).touch()
        report = stop_home(home, leftover_grace_s=0.2)

        assert ("envoy", "brightstaff") == report.stopped
        assert ("brightstaff",) == report.killed
        assert report.was_stale
        assert () == report.still_running
        assert [False, False] == [envoy.is_alive(), brightstaff.is_alive()]
    assert not state_path(home).exists()
    assert not control_socket(home).exists()


def test_a_supervisor_that_does_not_answer_gets_a_signal(home: PlanoHome) -> None:
    """No control socket: SIGTERM to the process that is recorded."""
    with process() as supervisor:
        record_state(home, supervisor)
        report = stop_home(home)

        assert ("supervisor",) == report.stopped
        assert not report.was_stale
        assert not supervisor.is_alive()


def test_somebody_else_with_our_old_pid_is_left_alone(home: PlanoHome) -> None:
    """The pids were given to other processes: neither the supervisor's nor a child's is touched."""
    with process() as stranger:
        recycled = msgspec.structs.replace(stranger, create_time=stranger.create_time - 60)
        record_state(home, recycled, envoy=recycled)
        report = stop_home(home)

        assert report.nothing_ran
        assert report.was_stale
        assert stranger.is_alive()
    assert not state_path(home).exists()


def test_a_damaged_state_is_cleaned(home: PlanoHome) -> None:
    """Nothing can be known from it, and nobody answers."""
    state_path(home).write_text("{")

    assert stop_home(home).nothing_ran
    assert not state_path(home).exists()


def test_running_identities_are_those_that_run(home: PlanoHome) -> None:
    """The dead are left out."""
    with process() as envoy:
        record_state(home, GONE, envoy=envoy)

        assert {"envoy": envoy} == running_identities(home)
