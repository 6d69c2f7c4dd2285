"""A home for each test, a text to write to, and states as a supervisor leaves them."""

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from planoai.commands.output import Output
from planoai.home import PlanoHome
from planoai.supervisor.identity import ProcessIdentity
from planoai.supervisor.lifecycle import LastExit, Phase, ProcessRecord
from planoai.supervisor.spec import Channel, Listener
from planoai.supervisor.state import GatewayPhase, State, write_state


@pytest.fixture
def home() -> Iterator[PlanoHome]:
    """A home with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="plano-") as directory:
        result = PlanoHome(Path(directory))
        result.create()
        yield result


@pytest.fixture
def text() -> io.StringIO:
    """What was written."""
    return io.StringIO()


@pytest.fixture
def output(text: io.StringIO) -> Output:
    """Both streams in one text."""
    console = Console(file=text, highlight=False, soft_wrap=True, markup=False, emoji=False)
    return Output(console, console)


@pytest.fixture
def process() -> Iterator[Callable[[], ProcessIdentity]]:
    """Starts processes that wait for a signal."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> ProcessIdentity:
        popen = subprocess.Popen([sys.executable, "-S", "-E", "-c", "import signal; signal.pause()"])
        started.append(popen)
        identity = ProcessIdentity.of(popen.pid)
        assert identity is not None
        return identity

    yield start
    for popen in started:
        popen.kill()
        popen.wait()


@pytest.fixture
def record_state(home: PlanoHome) -> Callable[..., State]:
    """Writes state.json: two processes, of which `envoy` was restarted once."""

    def record(
        supervisor: ProcessIdentity,
        envoy: ProcessIdentity | None,
        *,
        phase: Phase = Phase.READY,
        next_start_at: float | None = None,
    ) -> State:
        last_exit = LastExit(at=900.0, reason="ended by SIGSEGV", log_lines=("[critical] it crashed",))
        state = State(
            planoai_version="1.2.3",
            phase=GatewayPhase.RUNNING,
            supervisor=supervisor,
            foreground=False,
            config_path="/etc/config.yaml",
            started_at=1000.0,
            processes=(
                ProcessRecord("brightstaff", "/logs/brightstaff.log", Phase.READY, supervisor, 1000.0, 1001.0),
                ProcessRecord(
                    name="envoy",
                    log_file="/logs/envoy.log",
                    phase=phase,
                    identity=envoy,
                    started_at=1100.0,
                    restarts=1,
                    next_start_at=next_start_at,
                    last_exit=last_exit,
                ),
            ),
            listeners=(Listener("model_listener", "0.0.0.0", 12000),),
            channels=(Channel("a/b", "https://x.example.com", "openai", True, "$K", False),),
            ready_urls=("http://127.0.0.1:12000/readyz",),
            logs=str(home.logs),
            stop_grace_s=1.0,
        )
        write_state(home, state)
        return state

    return record
