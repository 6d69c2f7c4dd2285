"""One life-cycle command at a time per home: a file lock, which the kernel drops when its holder dies."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from planoai.errors import PlanoError
from planoai.home import PlanoHome

# Windows has no flock; there only the commands' messages are needed, which send the user to docker mode.
if sys.platform != "win32":
    import fcntl

_POLL_S = 0.05


class HomeLock:
    """The lock while it is held; `release()` before the end of the context lets others in earlier."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let others in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def lock_home(home: PlanoHome, *, wait_s: float, on_wait: Callable[[str], None]) -> Iterator[HomeLock]:
    """Hold the lock of `home`. Waits up to `wait_s` for another command, after telling `on_wait` about it.

    Raises PlanoError when the other one does not end.
    """
    path = home.run / "planoai.lock"
    # The file stays: removing it would let two processes lock two different files of the same name.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    lock = HomeLock(descriptor)
    try:
        _acquire(descriptor, path, wait_s, on_wait)
        yield lock
    finally:
        lock.release()


def _acquire(descriptor: int, path: Path, wait_s: float, on_wait: Callable[[str], None]) -> None:
    deadline = time.monotonic() + wait_s
    told = False
    pause = threading.Event()
    while not _try(descriptor):
        holder = _holder(path)
        if time.monotonic() >= deadline:
            raise PlanoError(
                f"Another planoai command{holder} is starting or stopping the same gateway ({path.parent.parent}).",
                "Wait until it has ended, or end it, and try again. A second gateway needs another PLANO_HOME.",
            )
        if not told:
            on_wait(f"Waiting for another planoai command{holder} to finish ...")
            told = True
        pause.wait(_POLL_S)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> str:
    try:
        pid = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return f" (pid {pid})" if pid.isdigit() else ""
