"""The log files of our processes: their form, and who may read them."""

import logging
import logging.handlers
import os
import time
from io import TextIOWrapper


class _LowerCaseLevel(logging.Formatter):
    """`[2026-01-31 10:11:12.345][info] message`, times in UTC."""

    converter = staticmethod(time.gmtime)
    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        record.levelname = record.levelname.lower()
        return super().format(record)


class _PrivateFile(logging.handlers.WatchedFileHandler):
    """A log file that only its owner may read, also when it is opened anew after a rotation."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding="utf-8")


def configure_logging(path: str, level: str) -> None:
    """Log to a file; it is opened anew when somebody renamed it (rotation). Raises OSError."""
    handler = _PrivateFile(path)
    handler.setFormatter(_LowerCaseLevel("[%(asctime)s][%(levelname)s] %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())
