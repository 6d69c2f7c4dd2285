"""The life of one supervised process as a state machine: (record, event) → record. Pure; no clock, no process."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from planoai.supervisor.identity import ProcessIdentity


class Phase(StrEnum):
    """Where a process is in its life."""

    #: Not started yet.
    WAITING = "waiting"
    #: Runs, is not ready.
    STARTING = "starting"
    READY = "ready"
    #: Died; starts again after the back-off.
    RESTARTING = "restarting"
    STOPPED = "stopped"


class LastExit(msgspec.Struct, frozen=True):
    """How a process ended the last time: `reason` in words, the lines of its log that explain it, at what time."""

    at: float
    reason: str
    log_lines: tuple[str, ...] = ()


class ProcessRecord(msgspec.Struct, frozen=True):
    """What is known of one process; part of state.json. Times are seconds since the epoch."""

    name: str
    log_file: str
    phase: Phase = Phase.WAITING
    identity: ProcessIdentity | None = None
    started_at: float | None = None
    ready_at: float | None = None
    restarts: int = 0
    failures_in_a_row: int = 0
    next_start_at: float | None = None
    last_exit: LastExit | None = None


@dataclass(frozen=True)
class Started:
    """The process was started."""

    identity: ProcessIdentity | None


@dataclass(frozen=True)
class BecameReady:
    """Its ready check passed."""


@dataclass(frozen=True)
class Died:
    """It ended, or had to be ended because it never got ready; it will be started again after `restart_in_s`."""

    reason: str
    log_lines: tuple[str, ...]
    restart_in_s: float
    failures_in_a_row: int


@dataclass(frozen=True)
class Stopped:
    """It ended because it was told to."""


Event = Started | BecameReady | Died | Stopped


def advance(record: ProcessRecord, event: Event, now: float) -> ProcessRecord:
    """The record after `event` at `now` (seconds since the epoch)."""
    match event:
        case Started(identity=identity):
            again = 1 if record.phase is Phase.RESTARTING else 0
            return msgspec.structs.replace(
                record,
                phase=Phase.STARTING,
                identity=identity,
                started_at=now,
                ready_at=None,
                next_start_at=None,
                restarts=record.restarts + again,
            )
        case BecameReady():
            return msgspec.structs.replace(record, phase=Phase.READY, ready_at=now)
        case Died():
            return msgspec.structs.replace(
                record,
                phase=Phase.RESTARTING,
                identity=None,
                ready_at=None,
                next_start_at=now + event.restart_in_s,
                failures_in_a_row=event.failures_in_a_row,
                last_exit=LastExit(at=now, reason=event.reason, log_lines=event.log_lines),
            )
        case Stopped():
            return msgspec.structs.replace(
                record, phase=Phase.STOPPED, identity=None, ready_at=None, next_start_at=None
            )
