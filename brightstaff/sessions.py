"""Where conversations have been: key of a conversation → its pin, with an end of life and a greatest number."""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from brightstaff.routing import Pin


class Sessions(Protocol):
    """A store of pins. Reading a pin does not prolong it, writing it does."""

    async def get(self, key: str) -> Pin | None:
        """The pin of a conversation, unless it is too old."""

    def put(self, key: str, pin: Pin) -> None:
        """Remember, or prolong."""


class MemorySessions:
    """In this process. The least recently written goes first when there are too many."""

    def __init__(self, ttl_s: float, max_entries: int, clock: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._clock = clock
        self._pins: OrderedDict[str, tuple[float, Pin]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pins)

    async def get(self, key: str) -> Pin | None:
        """The pin of a conversation, unless it is too old."""
        found = self._pins.get(key)
        if found is None:
            return None
        written_s, pin = found
        if self._clock() - written_s > self._ttl_s:
            del self._pins[key]
            return None
        return pin

    def put(self, key: str, pin: Pin) -> None:
        """Remember, or prolong."""
        self._pins[key] = (self._clock(), pin)
        self._pins.move_to_end(key)
        while len(self._pins) > self._max_entries:
            self._pins.popitem(last=False)


class SharedSessions:
    """In a SQLite file that all workers use. `clock` is the time of day. Raises sqlite3.Error when made."""

    def __init__(self, path: Path, ttl_s: float, max_entries: int, clock: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._clock = clock
        self._writes = 0
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        path.chmod(0o600)
        self._db.execute("PRAGMA journal_mode=WAL")
        # Conversations may be forgotten by a power failure.
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS pins"
            " (key TEXT PRIMARY KEY, route TEXT, model TEXT NOT NULL, at_s REAL NOT NULL)"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS pins_by_age ON pins (at_s)")

    async def get(self, key: str) -> Pin | None:
        """The pin of a conversation, unless it is too old."""
        youngest_s = self._clock() - self._ttl_s
        row = self._db.execute(
            "SELECT route, model FROM pins WHERE key = ? AND at_s >= ?", (key, youngest_s)
        ).fetchone()
        return None if row is None else Pin(row[0], row[1])

    def put(self, key: str, pin: Pin) -> None:
        """Remember, or prolong."""
        now_s = self._clock()
        self._db.execute("INSERT OR REPLACE INTO pins VALUES (?, ?, ?, ?)", (key, pin.route, pin.model, now_s))
        if self._writes % 256 == 0:
            self._db.execute("DELETE FROM pins WHERE at_s < ?", (now_s - self._ttl_s,))
            self._db.execute(
                "DELETE FROM pins WHERE key IN (SELECT key FROM pins ORDER BY at_s DESC LIMIT -1 OFFSET ?)",
                (self._max_entries,),
            )
        self._writes += 1

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


class ForgivingSessions:
    """A store whose failures are no reason to fail a request: what cannot be read is not known."""

    def __init__(self, store: Sessions, warn: Callable[[str], None]) -> None:
        self._store = store
        self._warn = warn
        self._warned = False

    async def get(self, key: str) -> Pin | None:
        """The pin of a conversation, if it can be read."""
        try:
            return await self._store.get(key)
        except sqlite3.Error as error:
            self._note(error)
            return None

    def put(self, key: str, pin: Pin) -> None:
        """Remember, if that is possible."""
        try:
            self._store.put(key, pin)
        except sqlite3.Error as error:
            self._note(error)

    def _note(self, error: sqlite3.Error) -> None:
        if not self._warned:
            self._warn(f"which conversation has which model is not remembered: {error}")
        self._warned = True
