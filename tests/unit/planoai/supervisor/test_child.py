"""One process, started and ended."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest

from planoai.supervisor.child import start_child
from planoai.supervisor.identity import ProcessIdentity
from planoai.supervisor.probe import check_ready

Until = Callable[[Callable[[], bool]], Awaitable[None]]

# From Python 3.12 on, a fork in a process with threads, as pytest-xdist has them, warns. A supervisor has none.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def open_files() -> int:
    """How many descriptors this process has."""
    return psutil.Process().num_fds()


async def test_it_gets_its_input_and_its_log(fakes: Any, until: Until) -> None:
    """Standard input arrives whole and is closed; output is appended to a private log; no other environment."""
    spec = fakes.server("brightstaff", stdin=b"x" * 200_000)
    spec.log_file.write_text("before\n")
    spec.log_file.chmod(0o600)
    child = await start_child(spec)
    try:
        await child.feed()
        await until(lambda: "brightstaff read 200000 bytes" in fakes.traced())

        assert await check_ready(spec.ready) is None
        assert "before\nbrightstaff says hello\n" == spec.log_file.read_text()
        assert "brightstaff says hello\n" == child.said()
        assert 0o600 == spec.log_file.stat().st_mode & 0o777
    finally:
        await child.kill()
        child.close()


async def test_a_stubborn_process_is_killed_after_its_grace(fakes: Any, until: Until) -> None:
    """SIGTERM, the grace time, SIGKILL."""
    child = await start_child(fakes.spec("a", "idle", stop_grace_s=0.1, environ={"FAKE_STUBBORN": "1"}))
    await until(lambda: "a started" in fakes.traced())
    await child.stop(asyncio.Event())
    child.close()

    assert -signal.SIGKILL == await child.wait()


async def test_hurry_shortens_the_grace(fakes: Any, until: Until) -> None:
    """A second Ctrl-C does not wait for 60 s."""
    hurry = asyncio.Event()
    child = await start_child(fakes.spec("a", "idle", stop_grace_s=60, environ={"FAKE_STUBBORN": "1"}))
    await until(lambda: "a started" in fakes.traced())
    hurry.set()
    async with asyncio.timeout(10):
        await child.stop(hurry)
    child.close()


async def test_what_it_said_is_found_after_a_rotation(fakes: Any) -> None:
    """The last words may stand in a file that was renamed meanwhile."""
    spec = fakes.spec("a", "raise")
    child = await start_child(spec)
    spec.log_file.rename(spec.log_file.with_name("a.log.1"))
    await child.wait()

    assert "ValueError: the options make no sense" in child.said()
    child.close()


async def test_a_process_that_ends_before_reading_its_input(fakes: Any) -> None:
    """No error: its exit tells."""
    child = await start_child(fakes.spec("a", "die", "3", stdin=b"x" * 1_000_000))
    async with asyncio.timeout(10):
        await child.feed()
        assert 3 == await child.wait()
    child.close()


async def test_a_missing_program(fakes: Any) -> None:
    """An error of the system, and no descriptor left open."""
    spec = fakes.spec("a", "idle")
    before = open_files()
    with pytest.raises(FileNotFoundError):
        await start_child(type(spec)(name="a", argv=("/none/envoy",), env={}, log_file=spec.log_file))

    assert before == open_files()


PARENT = """
import asyncio, pathlib, sys
from planoai.supervisor.child import start_child
from planoai.supervisor.spec import ProcessSpec

async def main():
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    spec = ProcessSpec("a", (sys.executable, "-S", "-E", "-c", code), {}, pathlib.Path(sys.argv[1]))
    child = await start_child(spec)
    print(child.pid, flush=True)
    await child.wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux only")
def test_it_dies_with_its_parent(home: Any, eventually: Any) -> None:
    """SIGKILL of the supervisor leaves no child, not even a stubborn one."""
    command = [sys.executable, "-c", PARENT, str(home.logs / "a.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        identity = ProcessIdentity.of(int(parent.stdout.readline()))
        assert identity is not None
        eventually(lambda: "1" in (home.logs / "a.log").read_text())
        parent.kill()

    eventually(lambda: not identity.is_alive())
