"""Which process a pid meant: a pid alone is not an identity, because the kernel gives it to somebody else later."""

import os
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

_POLL_S = 0.02
#: Start times are counted in clock ticks of 10 ms.
_TOLERANCE_S = 0.02


class ProcessIdentity(msgspec.Struct, frozen=True):
    """One process of one boot.

    `create_time` is in seconds since boot on Linux, where the wall-clock value that psutil computes moves with every
    step of the clock; since the epoch elsewhere.
    """

    pid: int
    create_time: float
    boot_id: str = ""

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """The process that has this pid now; None when there is none."""
        try:
            return cls(pid=pid, create_time=_create_time(psutil.Process(pid)), boot_id=_boot_id())
        except psutil.Error:
            return None

    def process(self) -> psutil.Process | None:
        """The running process; None when it has ended, also when another one has its pid now.

        A zombie has ended: it only waits for its parent to take notice.
        """
        if self.boot_id != _boot_id():
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(_create_time(process) - self.create_time) <= _TOLERANCE_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    def is_alive(self) -> bool:
        """Whether exactly this process still runs."""
        return self.process() is not None

    def send(self, signal_number: int) -> None:
        """Send a signal to this process, if it still runs. Never to another one that has its pid now."""
        process = self.process()
        if process is not None:
            with suppress(psutil.Error):
                process.send_signal(signal_number)


def wait_until_gone(identities: Iterable[ProcessIdentity], timeout_s: float) -> list[ProcessIdentity]:
    """Wait for processes that need not be our children; returns those that still run after `timeout_s`."""
    left = [identity for identity in identities if identity.is_alive()]
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while left and time.monotonic() < deadline:
        pause.wait(_POLL_S)
        left = [identity for identity in left if identity.is_alive()]
    return left


def _create_time(process: psutil.Process) -> float:
    since_epoch = process.create_time()
    return round(since_epoch - psutil.boot_time(), 2) if sys.platform == "linux" else since_epoch


def _boot_id() -> str:
    # random(4): drawn by the kernel at each boot. Without it, pid and start time must do.
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def own_identity() -> ProcessIdentity:
    """The identity of this process."""
    identity = ProcessIdentity.of(os.getpid())
    if identity is None:  # pragma: no cover  (a process that runs is there)
        raise RuntimeError("this process is not in the process table")
    return identity
