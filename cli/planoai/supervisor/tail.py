"""The end of a log, and what is added to it, across rotations."""

import io
import os
from pathlib import Path
from types import TracebackType
from typing import Self

_BLOCK_BYTES = 64 * 1024


def last_lines(path: Path, count: int) -> list[str]:
    """The last `count` lines of a file, without reading all of it. Raises OSError."""
    with path.open("rb") as file:
        return _last_lines(file, count, file.seek(0, os.SEEK_END))


def _last_lines(file: io.BufferedReader, count: int, end: int) -> list[str]:
    if count <= 0:
        return []
    data, start = b"", end
    # One line break more than lines: the one that ends the line before the first.
    while start > 0 and data.count(b"\n") <= count:
        size = min(_BLOCK_BYTES, start)
        start -= size
        file.seek(start)
        data = file.read(size) + data
    return [line.decode("utf-8", "replace") for line in data.splitlines()[-count:]]


class Follower:
    """Hands out the lines that are added to a file; it may appear later, be renamed and made anew, be truncated."""

    def __init__(self, path: Path, *, show_last: int = 0) -> None:
        """The first `poll` returns the last `show_last` lines of what is there."""
        self._path = path
        self._show_last = show_last
        self._file: io.BufferedReader | None = None
        self._partial = b""
        self._polled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def poll(self) -> list[str]:
        """The whole lines that were added since the last call; never waits."""
        lines: list[str] = []
        if self._file is None:
            self._file = self._open()
            # What a file that appears later holds is all new.
            if self._file is not None and not self._polled:
                end = self._file.seek(0, os.SEEK_END)
                lines += _last_lines(self._file, self._show_last, end)
                self._file.seek(end)
        self._polled = True
        lines += self._read()
        if self._was_replaced():
            # What was written between the last read and the rename.
            lines += self._read()
            if self._partial:
                lines.append(self._partial.decode("utf-8", "replace"))
                self._partial = b""
            self.close()
            self._file = self._open()
            lines += self._read()
        return lines

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> io.BufferedReader | None:
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            return None

    def _read(self) -> list[str]:
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._partial = b""
        *lines, self._partial = (self._partial + self._file.read()).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]

    def _was_replaced(self) -> bool:
        if self._file is None:
            return False
        try:
            now = self._path.stat()
        except FileNotFoundError:
            # Renamed, and not made anew yet: keep the old one until it is.
            return False
        was = os.fstat(self._file.fileno())
        return (now.st_ino, now.st_dev) != (was.st_ino, was.st_dev)
