"""Starting the detached supervisor from `planoai up`, and hearing from it until the gateway is ready or has failed."""

import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.diagnose import reason_lines
from planoai.supervisor.progress import GatewayReady, Progress, StartFailed, decode_progress
from planoai.supervisor.spec import RunPlan, encode_plan
from planoai.supervisor.stop import stop_home
from planoai.supervisor.supervisor_log import supervisor_log_path

#: Length of the plan, before it on the pipe.
_FRAME = struct.Struct(">Q")
#: On top of the start timeout: for Python to start, and for stopping what was started.
_MARGIN_S = 30.0


def start_detached(
    plan: RunPlan,
    home: PlanoHome,
    *,
    timeout_s: float,
    on_progress: Callable[[Progress], None],
) -> None:
    """Start a supervisor for `plan` and return once the gateway is ready.

    Raises PlanoError with the reason when it does not get ready; then, and on KeyboardInterrupt, nothing is left.
    """
    log_path = supervisor_log_path(home)
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    log_start = os.fstat(log).st_size
    # -P: the working directory stays out of the module search path.
    argv = [sys.executable, "-P", "-m", "planoai.supervisor"]
    argv += ["--config", str(plan.config_path), "--home", str(home.root), "--timeout", f"{timeout_s:g}"]
    try:
        launcher = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)
    # The pipes stay with the supervisor, which the launcher leaves behind when it ends.
    with launcher:
        outcome = _converse(launcher, plan, time.monotonic() + timeout_s + _MARGIN_S, on_progress)
    if isinstance(outcome, GatewayReady):
        return
    # It stopped what it had started. Should it have been killed itself, this ends what it could not.
    stop_home(home)
    if isinstance(outcome, StartFailed):
        raise PlanoError(outcome.message, outcome.remedy, details=outcome.details)
    raise PlanoError(
        "The supervisor ended before the gateway was ready.",
        f"The whole log: {log_path}",
        details=reason_lines(_text_from(log_path, log_start), warnings_too=True),
    )


def read_frame(descriptor: int) -> bytes:
    """The bytes that `write_frame` wrote at the other end of the pipe. Raises EOFError when they are cut."""
    (length,) = _FRAME.unpack(_read_exactly(descriptor, _FRAME.size))
    return _read_exactly(descriptor, length)


def _read_exactly(descriptor: int, length: int) -> bytes:
    parts: list[bytes] = []
    left = length
    while left:
        part = os.read(descriptor, min(left, 65536))
        if not part:
            raise EOFError
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _converse(
    launcher: subprocess.Popen[bytes],
    plan: RunPlan,
    deadline: float,
    on_progress: Callable[[Progress], None],
) -> GatewayReady | StartFailed | None:
    """Hand over the plan and listen; None when the other end fell silent."""
    if launcher.stdin is None or launcher.stdout is None:  # pragma: no cover  (they were asked for)
        raise RuntimeError("the pipes to the supervisor are missing")
    try:
        data = encode_plan(plan)
        launcher.stdin.write(_FRAME.pack(len(data)) + data)
        launcher.stdin.flush()
    except BrokenPipeError:
        with suppress(BrokenPipeError):
            launcher.stdin.close()
        return None
    try:
        for line in _lines(launcher.stdout.fileno(), deadline):
            progress = decode_progress(line)
            if isinstance(progress, GatewayReady | StartFailed):
                return progress
            on_progress(progress)
    except msgspec.MsgspecError:
        return None
    except KeyboardInterrupt:
        # Closing its standard input makes it stop everything; the end of its output says that it has.
        launcher.stdin.close()
        for _ in _lines(launcher.stdout.fileno(), time.monotonic() + _MARGIN_S):
            pass
        raise
    return None


def _lines(descriptor: int, deadline: float) -> Iterator[bytes]:
    """Whole lines until the other end closes or `deadline` (monotonic seconds) has passed."""
    buffer = b""
    while (left_s := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select([descriptor], [], [], left_s)
        if not readable:
            return
        data = os.read(descriptor, 65536)
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        yield from lines


def _text_from(path: Path, start: int) -> str:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(65536).decode("utf-8", "replace")
