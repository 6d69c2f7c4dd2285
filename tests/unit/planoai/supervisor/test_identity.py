"""A process is its pid and its start time."""

import os
import signal
import subprocess
import sys

import msgspec

from planoai.supervisor.identity import ProcessIdentity, own_identity, wait_until_gone


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-S", "-E", "-c", "import signal; signal.pause()"])


def test_a_running_process_is_found() -> None:
    """The identity of this process names this process."""
    process = own_identity().process()

    assert process is not None
    assert os.getpid() == process.pid


def test_an_identity_survives_json() -> None:
    """Equal after a trip through state.json."""
    identity = own_identity()

    assert identity == msgspec.json.decode(msgspec.json.encode(identity), type=ProcessIdentity)


def test_no_process_no_identity() -> None:
    """A pid that nobody has."""
    assert ProcessIdentity.of(2**22 + 1) is None


def test_a_recycled_pid_is_somebody_else() -> None:
    """Another start time, or another boot: not our process, and no signal reaches it."""
    with sleeper() as process:
        try:
            real = ProcessIdentity.of(process.pid)
            assert real is not None
            recycled = msgspec.structs.replace(real, create_time=real.create_time - 100)
            other_boot = msgspec.structs.replace(real, boot_id="another")

            assert not recycled.is_alive()
            assert not other_boot.is_alive()
            recycled.send(signal.SIGKILL)
            other_boot.send(signal.SIGKILL)
            assert real.is_alive()
        finally:
            process.kill()


def test_a_zombie_has_ended() -> None:
    """A process that nobody has waited for yet counts as gone."""
    with sleeper() as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        identity.send(signal.SIGKILL)

        assert [] == wait_until_gone([identity], timeout_s=10)
        assert process.returncode is None


def test_waiting_ends_at_its_time() -> None:
    """Those that still run are returned."""
    identity = own_identity()

    assert [identity] == wait_until_gone([identity], timeout_s=0.01)
