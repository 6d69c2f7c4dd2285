"""What the supervisor tells `planoai up` while it starts: one JSON object per line on a pipe."""

import msgspec


class SupervisorStarted(msgspec.Struct, frozen=True, tag="supervisor_started"):
    """The supervisor runs, with this pid."""

    pid: int


class ProcessReady(msgspec.Struct, frozen=True, tag="process_ready"):
    """A process passed its ready check, this many seconds after it was started."""

    name: str
    pid: int
    after_s: float


class GatewayReady(msgspec.Struct, frozen=True, tag="gateway_ready"):
    """Everything is ready; nothing follows."""

    after_s: float


class StartFailed(msgspec.Struct, frozen=True, tag="start_failed"):
    """Nothing runs any more, and why; nothing follows."""

    message: str
    remedy: str
    details: tuple[str, ...] = ()


Progress = SupervisorStarted | ProcessReady | GatewayReady | StartFailed


def encode_progress(progress: Progress) -> bytes:
    """One line."""
    return msgspec.json.encode(progress) + b"\n"


def decode_progress(line: bytes) -> Progress:
    """The message of one line. Raises msgspec.MsgspecError."""
    progress: Progress = msgspec.json.decode(line, type=Progress)
    return progress
