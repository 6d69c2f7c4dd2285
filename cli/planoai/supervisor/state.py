"""state.json: who runs for this home. The supervisor writes it; `status`, `down`, the next `up` read. No secrets."""

import os
import tempfile
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from planoai.home import PlanoHome
from planoai.supervisor.identity import ProcessIdentity
from planoai.supervisor.lifecycle import Phase, ProcessRecord
from planoai.supervisor.spec import Channel, Listener

#: Raised when the file's shape changes so that an older planoai would misread it.
STATE_VERSION = 1


class GatewayPhase(StrEnum):
    """Where the gateway as a whole is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway of one home. Times are seconds since the epoch."""

    version: int = STATE_VERSION
    planoai_version: str
    phase: GatewayPhase
    supervisor: ProcessIdentity
    foreground: bool
    config_path: str
    started_at: float
    processes: tuple[ProcessRecord, ...]
    listeners: tuple[Listener, ...]
    channels: tuple[Channel, ...]
    ready_urls: tuple[str, ...]
    logs: str
    #: The longest that stopping may take, in seconds: processes that are stopped together count once.
    stop_grace_s: float

    def is_healthy(self) -> bool:
        """Whether all processes are ready."""
        return self.phase is GatewayPhase.RUNNING and all(each.phase is Phase.READY for each in self.processes)


class _Identities(msgspec.Struct):
    """The part of the file that every version has: enough to stop what an older or newer planoai left."""

    supervisor: ProcessIdentity
    processes: tuple["_Identified", ...] = ()


class _Identified(msgspec.Struct):
    name: str
    identity: ProcessIdentity | None = None


def state_path(home: PlanoHome) -> Path:
    """Where the state of this home is kept."""
    return home.run / "state.json"


def write_state(home: PlanoHome, state: State) -> None:
    """Replace the file in one step (0600): a reader sees the old or the new state, never half of one."""
    target = state_path(home)
    data = msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n"
    # mkstemp makes the file 0600.
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".state-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_state(home: PlanoHome) -> State | None:
    """The state; None when there is none that this version understands."""
    try:
        state = msgspec.json.decode(state_path(home).read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError):
        return None
    return state if state.version == STATE_VERSION else None


def read_identities(home: PlanoHome) -> dict[str, ProcessIdentity]:
    """Name → identity of every process that the file mentions, the supervisor first; empty when it is unreadable."""
    try:
        found = msgspec.json.decode(state_path(home).read_bytes(), type=_Identities)
    except (OSError, msgspec.MsgspecError):
        return {}
    children = {each.name: each.identity for each in found.processes if each.identity is not None}
    return {"supervisor": found.supervisor, **children}


def remove_state(home: PlanoHome) -> None:
    """Forget the gateway."""
    with suppress(FileNotFoundError):
        state_path(home).unlink()
