"""A home of its own for each test, and small programs that stand in for Envoy and brightstaff."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from planoai.home import PlanoHome
from planoai.supervisor.spec import Channel, Listener, ProcessSpec, ReadyCheck, RunPlan, UnixSocketAccepts, encode_plan
from planoai.supervisor.stop import running_identities, stop_home

# Ends when its standard input says so ("exit 3"), or by a signal; tells the file FAKE_TRACE what it does.
_PROGRAM = """
import os, signal, socket, sys, threading

def trace(word):
    path = os.environ.get("FAKE_TRACE")
    if path:
        with open(path, "a") as file:
            file.write(os.environ["FAKE_NAME"] + " " + word + chr(10))

def on_term(number, frame):
    trace("stopped")
    os._exit(0)

signal.signal(signal.SIGTERM, signal.SIG_IGN if os.environ.get("FAKE_STUBBORN") else on_term)
trace("started")
print(os.environ["FAKE_NAME"], "says hello", flush=True)
mode = sys.argv[1]
if mode == "die":
    print("[2026-01-01 00:00:00.000][critical] cannot bind 127.0.0.1:1", file=sys.stderr)
    sys.exit(int(sys.argv[2]))
if mode == "raise":
    raise ValueError("the options make no sense")
if mode == "serve":
    data = sys.stdin.buffer.read()
    path = sys.argv[2]
    if os.path.exists(path):
        os.unlink(path)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    trace("read %d bytes" % len(data))
    while True:
        connection, _ = server.accept()
        connection.settimeout(0.2)
        try:
            request = connection.recv(1000)
        except OSError:
            request = b""
        if request.startswith((b"GET", b"POST")):
            trace(request.split(b" HTTP")[0].decode())
            connection.sendall(b"HTTP/1.1 200 OK" + bytes([13, 10, 13, 10]))
        connection.close()
if mode == "http":
    server = socket.create_server(("127.0.0.1", int(sys.argv[2])))
    while True:
        connection, _ = server.accept()
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 " + sys.argv[3].encode() + b" X" + bytes([13, 10, 13, 10]))
        connection.close()
signal.pause()
"""


@dataclass(frozen=True)
class FakeGateway:
    """A compiled gateway as the supervisor sees it."""

    config_path: Path
    processes: tuple[ProcessSpec, ...]
    admin_socket: Path
    listeners: tuple[Listener, ...] = ()
    channels: tuple[Channel, ...] = (
        Channel("custom/model-a", "https://one.example.com/v1", "openai", True, "$KEY_A", False),
    )
    ready_urls: tuple[str, ...] = ()
    rotated_logs: tuple[Path, ...] = ()

    def write(self) -> None:
        """Nothing: the fake processes read no files."""


@dataclass(frozen=True)
class Fakes:
    """Makes process specifications and plans for one home."""

    home: PlanoHome
    trace: Path
    program: Path
    environ: dict[str, str] = field(default_factory=dict)

    def spec(
        self,
        name: str,
        mode: str,
        *arguments: str,
        ready: ReadyCheck | None = None,
        stdin: bytes | None = None,
        stop_grace_s: float = 5.0,
        environ: dict[str, str] | None = None,
    ) -> ProcessSpec:
        """A process that runs the program in `mode`."""
        return ProcessSpec(
            name=name,
            argv=(sys.executable, "-S", "-E", str(self.program), mode, *arguments),
            env={"FAKE_NAME": name, "FAKE_TRACE": str(self.trace), **(environ or {})},
            log_file=self.home.logs / f"{name}.log",
            ready=ready,
            stdin=stdin,
            stop_grace_s=stop_grace_s,
        )

    def server(self, name: str, *, stdin: bytes | None = None, environ: dict[str, str] | None = None) -> ProcessSpec:
        """A process that is ready once its socket accepts."""
        path = self.home.sockets / f"{name}.sock"
        return self.spec(name, "serve", str(path), ready=UnixSocketAccepts(path), stdin=stdin, environ=environ)

    def gateway(self, *processes: ProcessSpec, **others: object) -> FakeGateway:
        """A gateway of these processes."""
        config = self.home.root / "config.yaml"
        config.touch()
        return FakeGateway(config, processes, self.home.sockets / "admin.sock", **others)  # type: ignore[arg-type]

    def plan(self, *processes: ProcessSpec, **others: object) -> RunPlan:
        """The plan of such a gateway."""
        return RunPlan.from_gateway(self.gateway(*processes, **others))

    def traced(self) -> list[str]:
        """What the processes told, in order."""
        return self.trace.read_text().splitlines() if self.trace.exists() else []


@pytest.fixture
def home() -> Iterator[PlanoHome]:
    """A home with a path short enough for sockets; whatever still runs for it is stopped."""
    with tempfile.TemporaryDirectory(prefix="plano-") as directory:
        result = PlanoHome(Path(directory))
        result.create()
        yield result
        # A supervisor that ran in the test itself has this pid.
        if os.getpid() not in {identity.pid for identity in running_identities(result).values()}:
            stop_home(result, leftover_grace_s=1)


@pytest.fixture
def fakes(home: PlanoHome) -> Fakes:
    """The maker of fake processes."""
    program = home.root / "fake.py"
    program.write_text(_PROGRAM)
    return Fakes(home, home.root / "trace", program)


_UP_PROGRAM = """
import pathlib, signal, sys
from planoai.home import PlanoHome
from planoai.supervisor.bring_up import Reporter, bring_up
from planoai.supervisor.daemon import Settings
from planoai.supervisor.spec import decode_plan

signal.signal(signal.SIGINT, signal.default_int_handler)
plan = decode_plan(sys.stdin.buffer.read())
type(plan).write = lambda self: None
quiet = Reporter(lambda text: None, lambda report: None, lambda progress: None)
try:
    bring_up(PlanoHome(pathlib.Path(sys.argv[1])), lambda: plan, reporter=quiet, settings=Settings(start_timeout_s=120))
except KeyboardInterrupt:
    sys.exit(42)
"""


@pytest.fixture
def up_command(home: PlanoHome) -> Callable[[RunPlan], subprocess.Popen[bytes]]:
    """Starts a plan from a process of its own, as a command does."""

    def start(plan: RunPlan) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", _UP_PROGRAM, str(home.root)], stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(encode_plan(plan))
        process.stdin.close()
        return process

    return start


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits, in a coroutine, until something holds; fails after 20 s."""

    async def wait(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110  (the condition may lie in another process)
                await asyncio.sleep(0.01)

    return wait


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Waits until something holds; fails after 20 s."""

    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        pause = threading.Event()
        while not holds():
            assert time.monotonic() < deadline, "it never happened"
            pause.wait(0.01)

    return wait
