"""The supervisor, with small programs in place of Envoy and brightstaff."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.backoff import BackoffPolicy
from planoai.supervisor.control import ask, control_socket
from planoai.supervisor.daemon import Settings, Supervisor
from planoai.supervisor.lifecycle import Phase, ProcessRecord
from planoai.supervisor.progress import GatewayReady, ProcessReady, Progress
from planoai.supervisor.rotation import RotationPolicy
from planoai.supervisor.spec import HttpOk, RunPlan, UnixSocketAccepts
from planoai.supervisor.state import State, read_state, state_path

Until = Callable[[Callable[[], bool]], Awaitable[None]]
QUICK = Settings(start_timeout_s=15, backoff=BackoffPolicy(initial_s=0.01, max_s=0.05))


# From Python 3.12 on, a fork in a process with threads, as pytest-xdist has them, warns. A supervisor has none.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Running:
    """A supervisor under test: what it said, and its state."""

    def __init__(self, plan: RunPlan, home: PlanoHome, settings: Settings) -> None:
        self.said: list[Progress] = []
        self.ready = asyncio.Event()
        self.error: PlanoError | None = None
        self.supervisor = Supervisor(plan, home, settings, notify=self._hear, log=logging.getLogger("test.supervisor"))

    def _hear(self, progress: Progress) -> None:
        self.said.append(progress)
        if isinstance(progress, GatewayReady):
            self.ready.set()

    async def run(self) -> None:
        try:
            await self.supervisor.run()
        except PlanoError as error:
            self.error = error
        finally:
            self.ready.set()

    def record(self, name: str) -> ProcessRecord:
        return next(each for each in self.supervisor.state().processes if each.name == name)

    def pid(self, name: str) -> int:
        identity = self.record(name).identity
        assert identity is not None
        return identity.pid


@asynccontextmanager
async def running(plan: RunPlan, home: PlanoHome, settings: Settings = QUICK) -> AsyncIterator[Running]:
    """A supervisor that has become ready, or failed; stopped at the end."""
    it = Running(plan, home, settings)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(it.run())
        await it.ready.wait()
        try:
            yield it
        finally:
            it.supervisor.stop("end of the test")


async def failure(plan: RunPlan, home: PlanoHome, settings: Settings = QUICK) -> PlanoError:
    """The error of a start that must fail; nothing may be left of it."""
    async with running(plan, home, settings) as it:
        pass
    assert it.error is not None
    assert not state_path(home).exists()
    assert not control_socket(home).exists()
    assert all(record.identity is None for record in it.supervisor.state().processes)
    return it.error


async def test_start_ready_stop_in_order(home: PlanoHome, fakes: Any) -> None:
    """Started in the order of the plan, all ready before it says so, stopped in the reverse order."""
    async with running(fakes.plan(fakes.server("brightstaff"), fakes.server("envoy")), home) as it:
        assert {"brightstaff", "envoy"} == {each.name for each in it.said if isinstance(each, ProcessReady)}
        assert isinstance(it.said[-1], GatewayReady)
        assert it.supervisor.state().is_healthy()
        assert (it.record("brightstaff").started_at or 0) < (it.record("envoy").started_at or 0)

    assert ["envoy stopped", "brightstaff stopped"] == fakes.traced()[-2:]
    assert not state_path(home).exists()


async def test_workers_are_stopped_at_the_same_time(home: PlanoHome, fakes: Any, until: Until) -> None:
    """Five that do not end by themselves take the grace of one, after what was started last; the state says so, too."""
    workers = [
        fakes.spec(f"brightstaff-{number}", "idle", stop_grace_s=1.0, environ={"FAKE_STUBBORN": "1"})
        for number in range(1, 6)
    ]
    async with running(fakes.plan(*workers, fakes.server("envoy")), home) as it:
        await until(lambda: 6 == len([line for line in fakes.traced() if line.endswith("started")]))
        assert 1.0 + 5.0 == it.supervisor.state().stop_grace_s
        begin = asyncio.get_running_loop().time()
        it.supervisor.stop("a test")
        await until(lambda: all(each.phase is Phase.STOPPED for each in it.supervisor.state().processes))
        took_s = asyncio.get_running_loop().time() - begin
        stopped = [each.name for each in it.supervisor.state().processes if each.identity is None]

    assert 6 == len(stopped)
    assert "envoy stopped" == fakes.traced()[-1]
    assert 1.0 <= took_s < 3.0


async def test_ready_urls_must_answer(home: PlanoHome, fakes: Any, free_port: int) -> None:
    """Not ready as long as a listener answers 503; the message says what it answered."""
    plan = fakes.plan(
        fakes.spec("envoy", "http", str(free_port), "503"), ready_urls=(f"http://127.0.0.1:{free_port}/readyz",)
    )
    error = await failure(plan, home, replace(QUICK, start_timeout_s=0.5))

    assert f"http://127.0.0.1:{free_port}/readyz (HTTP 503)" in error.message


async def test_ready_urls_that_answer(home: PlanoHome, fakes: Any, free_port: int) -> None:
    """200 from each of them, and the gateway is ready."""
    url = f"http://127.0.0.1:{free_port}/readyz"
    async with running(fakes.plan(fakes.spec("envoy", "http", str(free_port), "200"), ready_urls=(url,)), home) as it:
        assert it.error is None


async def test_a_process_that_dies_at_once_shows_its_reason(home: PlanoHome, fakes: Any) -> None:
    """The line of the log that says why, and where the log is; what had started is stopped."""
    dying = fakes.spec("envoy", "die", "7", ready=UnixSocketAccepts(home.sockets / "never.sock"))
    dying.log_file.write_text("[critical] an old story\n")
    error = await failure(fakes.plan(fakes.server("brightstaff"), dying), home)

    assert "envoy stopped before it was ready (exit status 7)." == error.message
    assert ("[2026-01-01 00:00:00.000][critical] cannot bind 127.0.0.1:1",) == error.details
    assert str(dying.log_file) in error.remedy


async def test_a_python_process_that_raises_shows_its_exception(home: PlanoHome, fakes: Any) -> None:
    """The last line of the traceback."""
    never = UnixSocketAccepts(home.sockets / "never.sock")
    error = await failure(fakes.plan(fakes.spec("brightstaff", "raise", ready=never)), home)

    assert ("ValueError: the options make no sense",) == error.details


async def test_a_process_that_never_gets_ready(home: PlanoHome, fakes: Any) -> None:
    """The deadline names it, and what its check saw."""
    never = HttpOk("http://envoy/ready", home.sockets / "never.sock")
    plan = fakes.plan(fakes.server("brightstaff"), fakes.spec("envoy", "idle", ready=never))
    error = await failure(plan, home, replace(QUICK, start_timeout_s=0.4))

    assert "Plano was not ready within 0.4 s; still waiting for envoy (the socket does not exist yet)." == error.message
    assert ("envoy: envoy says hello",) == error.details


async def test_a_program_that_is_missing(home: PlanoHome, fakes: Any) -> None:
    """Its path and the system's reason; the process before it is stopped again."""
    missing = replace(fakes.spec("envoy", "idle"), argv=("/none/envoy",))
    error = await failure(fakes.plan(fakes.server("brightstaff"), missing), home)

    assert "envoy could not be started: /none/envoy: No such file or directory" == error.message


async def test_a_death_is_followed_by_a_restart(home: PlanoHome, fakes: Any, until: Until) -> None:
    """The new process is ready again; the state says how often and why; the other process is left alone."""
    plan = fakes.plan(fakes.server("brightstaff", stdin=b"secret"), fakes.server("envoy"))
    async with running(plan, home) as it:
        other, first = it.pid("envoy"), it.pid("brightstaff")
        os.kill(first, signal.SIGKILL)
        await until(lambda: it.record("brightstaff").restarts == 1 and it.supervisor.state().is_healthy())

        record = it.record("brightstaff")
        assert first != it.pid("brightstaff")
        assert other == it.pid("envoy")
        assert record.last_exit is not None
        assert "ended by SIGKILL" in record.last_exit.reason
        assert 2 == fakes.traced().count("brightstaff read 6 bytes")
        assert read_state(home) == it.supervisor.state()


async def test_a_process_that_keeps_dying_is_tried_again_and_again(home: PlanoHome, fakes: Any, until: Until) -> None:
    """The failures are counted, the gateway is not healthy, and stopping works meanwhile."""
    async with running(fakes.plan(fakes.server("envoy")), home) as it:
        fakes.program.write_text("raise SystemExit('[error] no more')")
        os.kill(it.pid("envoy"), signal.SIGTERM)
        await until(lambda: it.record("envoy").failures_in_a_row >= 4)

        record = it.record("envoy")
        assert not it.supervisor.state().is_healthy()
        assert record.last_exit is not None
        assert ("[error] no more",) == record.last_exit.log_lines


async def test_a_restart_that_cannot_even_start(home: PlanoHome, fakes: Any, until: Until) -> None:
    """The binary was removed while it ran: tried again, with the reason; back once it is there again."""
    link = home.root / "python"
    link.symlink_to(fakes.server("envoy").argv[0])
    spec = fakes.server("envoy")
    async with running(fakes.plan(replace(spec, argv=(str(link), *spec.argv[1:]))), home) as it:
        link.unlink()
        os.kill(it.pid("envoy"), signal.SIGKILL)
        await until(lambda: it.record("envoy").failures_in_a_row >= 2)
        record = it.record("envoy")
        assert record.last_exit is not None
        assert "could not be started: No such file or directory" == record.last_exit.reason
        link.symlink_to(spec.argv[0])
        await until(lambda: it.record("envoy").phase is Phase.READY)


async def test_a_restart_that_never_gets_ready_is_ended_and_tried_again(
    home: PlanoHome, fakes: Any, until: Until
) -> None:
    """A process that only hangs does not count as running."""
    program = fakes.program.read_text()
    async with running(fakes.plan(fakes.server("envoy")), home, replace(QUICK, start_timeout_s=1)) as it:
        fakes.program.write_text("import signal; print('[warning] waiting', flush=True); signal.pause()")
        os.kill(it.pid("envoy"), signal.SIGKILL)
        (home.sockets / "envoy.sock").unlink()
        await until(lambda: it.record("envoy").failures_in_a_row >= 2)
        record = it.record("envoy")
        assert record.last_exit is not None
        assert "was not ready within 1 s (the socket does not exist yet)" == record.last_exit.reason
        assert ("[warning] waiting",) == record.last_exit.log_lines
        fakes.program.write_text(program)
        await until(lambda: it.record("envoy").phase is Phase.READY)


async def test_the_control_socket_tells_the_state_and_stops(home: PlanoHome, fakes: Any, until: Until) -> None:
    """`status` and `stop` of the commands."""
    async with running(fakes.plan(fakes.server("envoy")), home) as it:
        answer = await asyncio.to_thread(ask, home, "status")
        assert it.supervisor.state() == msgspec.convert(answer, State)
        assert {"pid": os.getpid()} == await asyncio.to_thread(ask, home, "stop")
        await until(lambda: it.record("envoy").phase is Phase.STOPPED)

    assert "envoy stopped" == fakes.traced()[-1]


async def test_stopping_while_it_starts(home: PlanoHome, fakes: Any, until: Until) -> None:
    """`up` was interrupted: no error, and nothing is left."""
    never = UnixSocketAccepts(home.sockets / "never.sock")
    it = Running(fakes.plan(fakes.spec("envoy", "idle", ready=never)), home, QUICK)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(it.run())
        await until(lambda: "envoy started" in fakes.traced())
        it.supervisor.stop("a test")

    assert it.error is None
    assert "envoy stopped" == fakes.traced()[-1]


async def test_no_secret_is_written(home: PlanoHome, fakes: Any) -> None:
    """What a process gets on its standard input is in no file of the home."""
    secret = b"sk-very-secret"
    async with running(fakes.plan(fakes.server("brightstaff", stdin=secret)), home):
        assert 0o600 == state_path(home).stat().st_mode & 0o777
        files = [path for path in home.root.rglob("*") if path.is_file()]
        assert state_path(home) in files
        assert [] == [path for path in files if secret in path.read_bytes()]


async def test_logs_become_private(home: PlanoHome, fakes: Any) -> None:
    """A log that was there before, readable by all."""
    access_log = home.logs / "access_llm.log"
    access_log.touch()
    access_log.chmod(0o644)
    async with running(fakes.plan(fakes.server("envoy"), rotated_logs=(access_log,)), home):
        assert 0o600 == access_log.stat().st_mode & 0o777


async def test_logs_are_rotated_and_envoy_is_told(home: PlanoHome, fakes: Any, until: Until) -> None:
    """A log above its size is renamed, and Envoy reopens its files."""
    admin = fakes.server("admin")
    access_log = home.logs / "access_llm.log"
    settings = replace(QUICK, rotation=RotationPolicy(max_bytes=100, keep=2, interval_s=0.02))
    async with running(fakes.plan(admin, rotated_logs=(access_log,)), home, settings):
        access_log.write_text("x" * 100)
        await until(lambda: "admin POST /reopen_logs" in fakes.traced())

    assert "x" * 100 == access_log.with_name("access_llm.log.1").read_text()


async def test_a_log_that_cannot_be_rotated_is_no_reason_to_stop(home: PlanoHome, fakes: Any, until: Until) -> None:
    """A directory in the place of a log, say: the gateway goes on."""
    (home.logs / "odd.log").mkdir()
    (home.logs / "odd.log" / "content").write_text("x" * 5000)
    (home.logs / "odd.log.1").write_text("in the way")
    settings = replace(QUICK, rotation=RotationPolicy(max_bytes=1, keep=1, interval_s=0.02))
    async with running(fakes.plan(fakes.server("envoy"), rotated_logs=(home.logs / "odd.log",)), home, settings) as it:
        (home.logs / "envoy.log").write_text("enough to be rotated\n")
        await until((home.logs / "envoy.log.1").exists)
        assert it.supervisor.state().is_healthy()


@pytest.mark.parametrize("calls", [1, 2])
async def test_a_second_stop_is_a_hurry(home: PlanoHome, fakes: Any, until: Until, calls: int) -> None:
    """One stop waits for the grace of a stubborn process, a second one does not."""
    stubborn = replace(fakes.server("envoy", environ={"FAKE_STUBBORN": "1"}), stop_grace_s=0.3 if calls == 1 else 60.0)
    async with running(fakes.plan(stubborn), home) as it:
        for _ in range(calls):
            it.supervisor.stop("a test")
        await until(lambda: it.record("envoy").phase is Phase.STOPPED)


async def test_what_is_optional_holds_up_nobody(home: PlanoHome, fakes: Any, until: Until) -> None:
    """A process that the gateway works without dies at once: the start succeeds, and it is tried again and again."""
    optional = replace(fakes.spec("router", "die", "3"), optional=True)
    async with running(fakes.plan(fakes.server("envoy"), optional), home) as it:
        await until(lambda: it.record("router").restarts >= 2)
        assert Phase.READY is it.record("envoy").phase
