"""The file with one line for each request: written by brightstaff, read by `planoai explain`."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from brightstaff.decisions import Record, decode_record, encode_record

log = logging.getLogger("brightstaff.decision_log")

#: So much is gathered before it is written at once.
_BATCH_BYTES = 64 * 1024


class DecisionLog:
    """Gathers records and appends them in whole lines; several workers may write the same file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._complained = False

    def write(self, entry: Record) -> None:
        """Add a record; it is in the file after the next flush."""
        line = encode_record(entry)
        self._pending.append(line)
        self._pending_bytes += len(line)
        if self._pending_bytes > _BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Append what was gathered. The file is opened each time: somebody may have renamed it (rotation)."""
        if not self._pending:
            return
        lines = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, lines)
            finally:
                os.close(descriptor)
        except OSError as error:
            if not self._complained:
                self._complained = True
                log.warning("decisions are not logged: %s", error)


def read_records(path: Path) -> Iterator[Record]:
    """Every record, the newest first, from the file and those that were rotated away. Raises OSError."""
    for each in _files(path):
        with each.open("rb") as file:
            lines = file.readlines()
        for line in reversed(lines):
            entry = decode_record(line)
            if entry is not None:
                yield entry


def find_records(path: Path, accept: Callable[[Record], bool]) -> Iterator[Record]:
    """Those that fit, the newest first. Raises OSError."""
    return (entry for entry in read_records(path) if accept(entry))


def _files(path: Path) -> list[Path]:
    numbered = re.compile(re.escape(path.name) + r"\.([1-9]\d{0,5})")
    found = [
        (int(match[1]), each) for each in path.parent.glob(f"{path.name}.*") if (match := numbered.fullmatch(each.name))
    ]
    return [each for each in (path, *(each for _, each in sorted(found))) if each.is_file()]
