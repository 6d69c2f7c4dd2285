"""Whole life cycles with the real, detached supervisor."""

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psutil
import pytest

from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.bring_up import Reporter, bring_up
from planoai.supervisor.control import ask, control_socket
from planoai.supervisor.daemon import Settings
from planoai.supervisor.identity import ProcessIdentity
from planoai.supervisor.progress import ProcessReady, Progress
from planoai.supervisor.spec import Listener, RunPlan, UnixSocketAccepts
from planoai.supervisor.state import State, read_identities, read_state, state_path
from planoai.supervisor.stop import StopReport, running_identities, stop_home

SETTINGS = Settings(start_timeout_s=20)
Eventually = Callable[[Callable[[], bool]], None]
UpCommand = Callable[[RunPlan], subprocess.Popen[bytes]]


class Heard:
    """What a command would have shown."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.replaced: list[StopReport] = []
        self.progress: list[Progress] = []
        self.reporter = Reporter(self.waiting.append, self.replaced.append, self.progress.append)


def start(home: PlanoHome, gateway: Any, settings: Settings = SETTINGS) -> Heard:
    heard = Heard()
    bring_up(home, lambda: gateway, reporter=heard.reporter, settings=settings)
    return heard


def the_state(home: PlanoHome) -> State:
    state = read_state(home)
    assert state is not None
    return state


def processes(home: PlanoHome) -> list[ProcessIdentity]:
    return list(running_identities(home).values())


def assert_nothing_left(home: PlanoHome, identities: list[ProcessIdentity]) -> None:
    assert [] == [identity for identity in identities if identity.is_alive()]
    assert not state_path(home).exists()
    assert not control_socket(home).exists()


def test_up_and_down(home: PlanoHome, fakes: Any) -> None:
    """Ready when it returns, detached from this process, and gone after the stop."""
    heard = start(home, fakes.gateway(fakes.server("brightstaff", stdin=b"sk-secret"), fakes.server("envoy")))

    names = {each.name for each in heard.progress if isinstance(each, ProcessReady)}
    assert {"brightstaff", "envoy"} == names
    state = the_state(home)
    assert state.is_healthy()
    supervisor = state.supervisor.process()
    assert supervisor is not None
    assert os.getpid() not in {parent.pid for parent in supervisor.parents()}
    assert os.getsid(supervisor.pid) != os.getsid(0)
    assert "/" == supervisor.cwd()
    identities = processes(home)
    assert 3 == len(identities)

    report = stop_home(home)

    assert {"supervisor", "brightstaff", "envoy"} == set(report.stopped)
    assert () == report.killed
    assert_nothing_left(home, identities)
    assert "stopped" in (home.logs / "supervisor.log").read_text()


def test_secrets_are_nowhere(home: PlanoHome, fakes: Any) -> None:
    """Neither in a file, nor in the arguments or the environment of any process."""
    start(home, fakes.gateway(fakes.server("brightstaff", stdin=b"sk-secret"), fakes.server("envoy")))

    for identity in processes(home):
        process = psutil.Process(identity.pid)
        assert "sk-secret" not in " ".join([*process.cmdline(), *process.environ().values()])
    for path in home.root.rglob("*"):
        assert not path.is_file() or b"sk-secret" not in path.read_bytes()
    for path in home.logs.iterdir():
        assert 0o600 == path.stat().st_mode & 0o777


def test_a_second_up_replaces_the_first(home: PlanoHome, fakes: Any, free_port: int) -> None:
    """The port is handed over, the old processes are gone, the report says so."""
    url = f"http://127.0.0.1:{free_port}/readyz"
    gateway = fakes.gateway(
        fakes.spec("envoy", "http", str(free_port), "200"),
        listeners=(Listener("model_listener", "127.0.0.1", free_port),),
        ready_urls=(url,),
    )
    first = start(home, gateway)
    old = processes(home)
    second = start(home, gateway)

    assert ([], {"supervisor", "envoy"}) == (first.replaced, set(second.replaced[0].stopped))
    assert [] == [identity for identity in old if identity.is_alive()]
    assert the_state(home).is_healthy()
    new = processes(home)
    assert 2 == len(new)
    stop_home(home)
    assert_nothing_left(home, new)


def test_a_bad_configuration_leaves_the_old_gateway_running(home: PlanoHome, fakes: Any) -> None:
    """Validated before anything is stopped."""
    start(home, fakes.gateway(fakes.server("envoy")))
    old = processes(home)

    def refuse() -> Any:
        raise PlanoError("line 3 is wrong")

    with pytest.raises(PlanoError, match="line 3 is wrong"):
        bring_up(home, refuse, reporter=Heard().reporter, settings=SETTINGS)
    assert old == processes(home)


def test_a_port_that_is_taken_leaves_the_old_gateway_running(home: PlanoHome, fakes: Any) -> None:
    """The message names the port; nothing was stopped."""
    start(home, fakes.gateway(fakes.server("envoy")))
    old = processes(home)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken = fakes.gateway(fakes.server("envoy"), listeners=(Listener("l", "127.0.0.1", port),))
        with pytest.raises(PlanoError, match=f"Port {port} .* already in use"):
            start(home, taken)

    assert old == processes(home)


def test_a_failed_start_leaves_nothing(home: PlanoHome, fakes: Any) -> None:
    """The reason from the log comes all the way from the detached supervisor."""
    never = UnixSocketAccepts(home.sockets / "never.sock")
    gateway = fakes.gateway(fakes.server("brightstaff"), fakes.spec("envoy", "die", "1", ready=never))
    with pytest.raises(PlanoError, match="envoy stopped before it was ready") as caught:
        start(home, gateway)

    assert ("[2026-01-01 00:00:00.000][critical] cannot bind 127.0.0.1:1",) == caught.value.details
    assert_nothing_left(home, [])
    started = re.findall(r"brightstaff: started, pid (\d+)", (home.logs / "supervisor.log").read_text())
    assert [False] == [psutil.pid_exists(int(pid)) for pid in started]


def test_a_supervisor_that_is_killed_while_it_starts(home: PlanoHome, fakes: Any, eventually: Eventually) -> None:
    """`up` notices at once, says so, and cleans up."""
    never = UnixSocketAccepts(home.sockets / "never.sock")
    gateway = fakes.gateway(fakes.spec("envoy", "idle", ready=never))
    killer = threading.Thread(target=_kill_supervisor, args=(home, eventually))
    killer.start()
    with pytest.raises(PlanoError, match="The supervisor ended before the gateway was ready"):
        start(home, gateway)
    killer.join()

    eventually(lambda: processes(home) == [])
    assert not state_path(home).exists()


def _kill_supervisor(home: PlanoHome, eventually: Eventually) -> None:
    eventually(lambda: "envoy" in read_identities(home))
    read_identities(home)["supervisor"].send(signal.SIGKILL)


def test_kill_9_of_the_supervisor_leaves_no_children(home: PlanoHome, fakes: Any, eventually: Eventually) -> None:
    """The children end with it; the next up starts cleanly, and says what it found."""
    gateway = fakes.gateway(fakes.server("brightstaff"), fakes.server("envoy", environ={"FAKE_STUBBORN": "1"}))
    gateway = replace(gateway, processes=tuple(replace(each, stop_grace_s=0.2) for each in gateway.processes))
    start(home, gateway)
    identities = processes(home)
    the_state(home).supervisor.send(signal.SIGKILL)
    eventually(lambda: not any(identity.is_alive() for identity in identities))

    start(home, gateway)
    assert the_state(home).is_healthy()


def test_the_status_of_a_restart(home: PlanoHome, fakes: Any, eventually: Eventually) -> None:
    """With the real back-off: a child is killed, and is back."""
    start(home, fakes.gateway(fakes.server("envoy")))
    os.kill(read_identities(home)["envoy"].pid, signal.SIGKILL)
    eventually(lambda: (state := read_state(home)) is not None and state.processes[0].restarts == 1)
    eventually(lambda: (state := read_state(home)) is not None and state.is_healthy())

    answer = ask(home, "status")
    assert answer is not None
    assert "ended by SIGKILL" in answer["processes"][0]["last_exit"]["reason"]


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 42), (signal.SIGKILL, -signal.SIGKILL)])
def test_up_is_interrupted(
    home: PlanoHome, fakes: Any, up_command: UpCommand, eventually: Eventually, number: int, expected: int
) -> None:
    """Ctrl-C or kill -9 of a command that still waits for readiness stops what it had started."""
    never = UnixSocketAccepts(home.sockets / "never.sock")
    with up_command(fakes.plan(fakes.spec("envoy", "idle", ready=never))) as command:
        eventually(lambda: "envoy" in read_identities(home))
        identities = processes(home)
        assert 2 == len(identities)
        command.send_signal(number)
        assert expected == command.wait()

    eventually(lambda: not any(identity.is_alive() for identity in identities))
    eventually(lambda: not state_path(home).exists())


def test_two_ups_at_once_follow_each_other(home: PlanoHome, fakes: Any, up_command: UpCommand) -> None:
    """The second waits for the first, and replaces it; one gateway is left."""
    commands = [up_command(fakes.plan(fakes.server("envoy"))) for _ in range(3)]
    for command in commands:
        with command:
            assert 0 == command.wait()

    assert the_state(home).is_healthy()
    assert 3 == fakes.traced().count("envoy started")
    assert 2 == fakes.traced().count("envoy stopped")
    identities = processes(home)
    stop_home(home)
    assert_nothing_left(home, identities)


def test_a_home_that_cannot_be_used(tmp_path: Any) -> None:
    """A file in the place of the directory."""
    (tmp_path / "plano").touch()
    with pytest.raises(PlanoError, match="cannot be used"):
        start(PlanoHome(tmp_path / "plano"), None)
