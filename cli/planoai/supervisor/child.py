"""One child process of the supervisor: start it, feed it, wait for it, end it."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from planoai.supervisor.identity import ProcessIdentity
from planoai.supervisor.spec import ProcessSpec
from planoai.supervisor.waiting import first_of

#: prctl(2), from linux/prctl.h.
_PR_SET_PDEATHSIG = 1
_TAIL_BYTES = 64 * 1024


class Child:
    """A running (or ended) process."""

    def __init__(
        self, spec: ProcessSpec, process: asyncio.subprocess.Process, log_descriptor: int, log_start: int
    ) -> None:
        self.spec = spec
        self.identity = ProcessIdentity.of(process.pid)
        self._process = process
        # Kept open: after a rotation the last words of this process stand in the renamed file.
        self._log_descriptor = log_descriptor
        self._log_start = log_start

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def feed(self) -> None:
        """Write its standard input and close it. Ends early, without an error, when the process does not read it."""
        pipe, data = self._process.stdin, self.spec.stdin
        if pipe is None or data is None:
            return
        # A process that dies without reading is noticed by its exit.
        with suppress(BrokenPipeError, ConnectionResetError):
            pipe.write(data)
            await pipe.drain()
        pipe.close()
        with suppress(BrokenPipeError, ConnectionResetError):
            await pipe.wait_closed()

    async def wait(self) -> int:
        """Its exit status; negative when a signal ended it."""
        return await self._process.wait()

    async def stop(self, hurry: asyncio.Event) -> None:
        """Ask it to end, and after its grace time, or once `hurry` is set, make it."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(self.spec.stop_signal)
            await first_of(self._process.wait(), hurry.wait(), timeout_s=self.spec.stop_grace_s)
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
        await self._process.wait()

    async def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def said(self) -> str:
        """The end of what it wrote to its log since it was started."""
        size = os.fstat(self._log_descriptor).st_size
        start = max(self._log_start if size >= self._log_start else 0, size - _TAIL_BYTES)
        return os.pread(self._log_descriptor, size - start, start).decode("utf-8", "replace")

    def close(self) -> None:
        """Let go of the log. The process must have ended."""
        os.close(self._log_descriptor)


async def start_child(spec: ProcessSpec) -> Child:
    """Start `spec`; `feed()` is still to be called. Raises OSError when it cannot be started."""
    log = _open_log(spec.log_file)
    try:
        log_start = os.fstat(log).st_size
        process = await asyncio.create_subprocess_exec(
            *spec.argv,
            stdin=asyncio.subprocess.DEVNULL if spec.stdin is None else asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=dict(spec.env),
            # Out of the terminal's reach: Ctrl-C goes to the supervisor, which stops the processes in order.
            start_new_session=True,
            # This runs in the main thread of the supervisor, which lives as long as the supervisor.
            preexec_fn=_die_with_parent(),
        )
    except BaseException:
        os.close(log)
        raise
    return Child(spec, process, log, log_start)


def _open_log(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _die_with_parent() -> Callable[[], None] | None:
    """What the child does before exec so that it does not outlive a supervisor that was killed; Linux only.

    Everything that is imported or looked up is so here, in the parent: between fork and exec a process may do little.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent, kill = os.getpid(), int(signal.SIGKILL)

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, kill, 0, 0, 0)
        # The parent may have died before the line above.
        if os.getppid() != parent:
            os._exit(1)

    return before_exec
