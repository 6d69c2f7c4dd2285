"""Where conditions of channels, their last errors and counts are kept: in memory, or in a file that all workers share.

The file is SQLite: several processes may write at once, and one that is killed leaves nothing half written. It holds
names and numbers, no key and nothing that a provider or a client wrote.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from brightstaff.conditions import WELL, Condition, is_over
from brightstaff.traffic import Key, Summary, summarise

log = logging.getLogger("brightstaff.ledger")

Transition = Callable[[Condition], Condition]

#: Another worker holds the file for microseconds; who waits longer goes on without it.
_BUSY_S = 0.1
#: What has been over for so long matters to nobody.
_FORGET_AFTER_S = 3600.0
_KEPT_MINUTES = 60
_KEPT_ERRORS_S = 24 * 3600.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS conditions (subject TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS errors (
  channel TEXT PRIMARY KEY, at_s REAL NOT NULL, cause TEXT NOT NULL, request_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS traffic (
  channel TEXT, minute INTEGER, bucket INTEGER, number INTEGER NOT NULL, PRIMARY KEY (channel, minute, bucket)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class LastError:
    """The last failure of a channel."""

    channel: str
    at_s: float
    """Seconds since the epoch."""
    cause: str
    """The trail's word."""
    request_id: str


class Ledger(Protocol):
    """What the decisions need of it."""

    def conditions(self) -> Mapping[str, Condition]:
        """What is held against whom, as of now; subjects that are well are left out."""

    def change(self, transitions: Mapping[str, Transition]) -> None:
        """Change conditions, each from what it is at this moment."""

    def note_error(self, error: LastError) -> None:
        """Remember a channel's last failure."""

    def add_traffic(self, counts: Mapping[Key, int], now_s: float) -> None:
        """Add to the counts, and forget what is old."""


class MemoryLedger:
    """For one worker, until it ends."""

    def __init__(self) -> None:
        self._conditions: dict[str, Condition] = {}
        self.errors: dict[str, LastError] = {}
        self.traffic: dict[Key, int] = {}

    def conditions(self) -> Mapping[str, Condition]:
        """What is held against whom, as of now."""
        return self._conditions

    def change(self, transitions: Mapping[str, Transition]) -> None:
        """Change conditions."""
        _apply(self._conditions, transitions)

    def note_error(self, error: LastError) -> None:
        """Remember a channel's last failure."""
        self.errors[error.channel] = error

    def add_traffic(self, counts: Mapping[Key, int], now_s: float) -> None:
        """Add to the counts."""
        oldest = int(now_s // 60) - _KEPT_MINUTES
        for key, number in counts.items():
            self.traffic[key] = self.traffic.get(key, 0) + number
        self.traffic = {key: number for key, number in self.traffic.items() if key[1] >= oldest}


def _apply(conditions: dict[str, Condition], transitions: Mapping[str, Transition]) -> dict[str, Condition]:
    """Carry out transitions; returns what changed."""
    changed: dict[str, Condition] = {}
    for subject, transition in transitions.items():
        before = conditions.get(subject, WELL)
        after = transition(before)
        if after != before:
            changed[subject] = after
            if after == WELL:
                del conditions[subject]
            else:
                conditions[subject] = after
    return changed


class SharedLedger:
    """A file for all workers; it outlives them. Where the file fails, what this worker knows still holds."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, for its owner only. Raises OSError or sqlite3.Error."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            # A power cut may lose what is remembered here; a killed process does not.
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.executescript(_SCHEMA)
        except sqlite3.Error:
            self._database.close()
            raise
        self._conditions: dict[str, Condition] = {}
        self._version = -1
        self._complained = False

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def conditions(self) -> Mapping[str, Condition]:
        """What is held against whom, as of now: also what other workers wrote."""
        try:
            # Changes when another connection wrote, https://www.sqlite.org/pragma.html#pragma_data_version
            (version,) = self._database.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                self._conditions = _read_conditions(self._database)
                self._version = version
        except sqlite3.Error as error:
            self._complain(error)
        return self._conditions

    def change(self, transitions: Mapping[str, Transition]) -> None:
        """Change conditions, each from what it is at this moment for all workers."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self.conditions()
                changed = _apply(self._conditions, transitions)
                for subject, condition in changed.items():
                    self._write(subject, condition)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._complain(error)
            # The next look finds what the file says, if it works again.
            self._version = -1
            _apply(self._conditions, transitions)

    def _write(self, subject: str, condition: Condition) -> None:
        if condition == WELL:
            self._database.execute("DELETE FROM conditions WHERE subject = ?", (subject,))
            return
        self._database.execute(
            "INSERT OR REPLACE INTO conditions VALUES (?, ?)", (subject, msgspec.json.encode(condition).decode())
        )

    def note_error(self, error: LastError) -> None:
        """Remember a channel's last failure."""
        try:
            self._database.execute(
                "INSERT OR REPLACE INTO errors VALUES (?, ?, ?, ?)",
                (error.channel, error.at_s, error.cause, error.request_id),
            )
        except sqlite3.Error as problem:
            self._complain(problem)

    def add_traffic(self, counts: Mapping[Key, int], now_s: float) -> None:
        """Add to the counts of all workers, and forget what is old."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(
                "INSERT INTO traffic VALUES (?, ?, ?, ?)"
                " ON CONFLICT (channel, minute, bucket) DO UPDATE SET number = number + excluded.number",
                [(*key, number) for key, number in counts.items()],
            )
            self._database.execute("DELETE FROM errors WHERE at_s < ?", (now_s - _KEPT_ERRORS_S,))
            self._database.execute("DELETE FROM traffic WHERE minute < ?", (int(now_s // 60) - _KEPT_MINUTES,))
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._complain(error)
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        over = [
            subject for subject, condition in self.conditions().items() if is_over(condition, now_s, _FORGET_AFTER_S)
        ]
        if over:
            self.change(dict.fromkeys(over, lambda _: WELL))

    def _complain(self, error: sqlite3.Error) -> None:
        if not self._complained:
            self._complained = True
            log.warning("cool-downs are not shared with other workers, nor kept over a restart: %s", error)


def _read_conditions(database: sqlite3.Connection) -> dict[str, Condition]:
    found: dict[str, Condition] = {}
    for subject, value in database.execute("SELECT subject, value FROM conditions"):
        try:
            found[subject] = msgspec.json.decode(value, type=Condition)
        except msgspec.MsgspecError:
            continue  # of another version
    return found


# ---------------------------------------------------------------- for planoai


@dataclass(frozen=True)
class Reading:
    """All that the file says."""

    conditions: Mapping[str, Condition]
    errors: Mapping[str, LastError]
    """By channel."""
    traffic: Mapping[str, Summary]
    """By channel, of the last minutes."""


NOTHING = Reading({}, {}, {})


def read_ledger(path: Path, now_s: float, minutes: int = 5) -> Reading:
    """What the workers have written. Nothing when there is no file. Raises sqlite3.Error."""
    if not path.exists():
        return NOTHING
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)
    try:
        errors = {
            channel: LastError(channel, at_s, cause, request_id)
            for channel, at_s, cause, request_id in database.execute(
                "SELECT channel, at_s, cause, request_id FROM errors"
            )
        }
        counts: dict[str, list[tuple[int, int]]] = {}
        for channel, bucket, number in database.execute(
            "SELECT channel, bucket, number FROM traffic WHERE minute > ?", (int(now_s // 60) - minutes,)
        ):
            counts.setdefault(channel, []).append((bucket, number))
        traffic = {channel: summarise(each) for channel, each in counts.items()}
        return Reading(_read_conditions(database), errors, traffic)
    finally:
        database.close()


def forget_conditions(path: Path, subjects: Iterable[str] | None) -> list[str]:
    """Hold nothing more against these subjects (None: all); returns those against which something was held.

    Running workers notice at their next decision. Raises sqlite3.Error.
    """
    if not path.exists():
        return []
    database = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        held = _read_conditions(database)
        forgotten = sorted(held if subjects is None else held.keys() & set(subjects))
        database.executemany("DELETE FROM conditions WHERE subject = ?", [(each,) for each in forgotten])
        database.execute("COMMIT")
        return forgotten
    finally:
        database.close()
