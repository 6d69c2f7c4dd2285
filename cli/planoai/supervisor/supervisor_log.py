"""supervisor.log: what was started, died, was restarted, and why."""

import logging
import logging.handlers
import time
from pathlib import Path

from planoai.home import PlanoHome


def supervisor_log_path(home: PlanoHome) -> Path:
    """Where the supervisor writes."""
    return home.logs / "supervisor.log"


def open_supervisor_log(home: PlanoHome) -> logging.Logger:
    """A logger that appends to supervisor.log (0600), in brightstaff's line format; it follows a rotation by itself."""
    path = supervisor_log_path(home)
    path.touch(mode=0o600)
    handler = logging.handlers.WatchedFileHandler(path, encoding="utf-8")
    formatter = logging.Formatter("[%(asctime)s.%(msecs)03d][%(levelname)s] %(message)s", datefmt="%Y-%m-%d %H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    log = logging.getLogger("planoai.supervisor")
    log.setLevel(logging.INFO)
    log.propagate = False
    for old in log.handlers[:]:
        log.removeHandler(old)
        old.close()
    log.addHandler(handler)
    return log
