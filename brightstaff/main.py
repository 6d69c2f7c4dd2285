"""`brightstaff`: reads its settings from standard input and serves Envoy until it is told to stop."""

import asyncio
import logging
import logging.handlers
import os
import signal
import sqlite3
import sys
import time
from io import TextIOWrapper
from pathlib import Path

import msgspec
import uvloop

from brightstaff.decision_log import DecisionLog
from brightstaff.gateway import Gateway
from brightstaff.ledger import Ledger, MemoryLedger, SharedLedger
from brightstaff.service import ExternalProcessor, create_server
from brightstaff.settings import Settings, decode_settings

log = logging.getLogger("brightstaff")

#: Streams that still run when brightstaff is told to stop get this long.
_GRACE_S = 5.0


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


def configure_logging(settings: Settings) -> None:
    """Log to the file of the settings; it is opened anew when somebody renamed it (rotation). Raises OSError."""
    handler = _PrivateFile(settings.log_file)
    handler.setFormatter(_LowerCaseLevel("[%(asctime)s][%(levelname)s] %(message)s"))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of the settings; one in memory where its file cannot be used: cool-downs are no reason to fail."""
    if not settings.ledger_file:
        return MemoryLedger()
    try:
        return SharedLedger(Path(settings.ledger_file))
    except (OSError, sqlite3.Error) as error:
        log.warning("cool-downs are not shared with other workers, nor kept over a restart: %s", error)
        return MemoryLedger()


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    decisions = DecisionLog(Path(settings.decision_file)) if settings.decision_file else None
    gateway = Gateway(settings, ledger=open_ledger(settings), decisions=decisions)
    processor = ExternalProcessor(gateway, time.monotonic)
    previous = os.umask(0o177)  # the socket is for this user's Envoy only
    try:
        server = create_server(processor, settings.socket)
    finally:
        os.umask(previous)
    await server.start()
    log.info("brightstaff serves %d channels", len(settings.channels))
    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(processor.watch_deadlines())
        await stop.wait()
        watcher.cancel()
    await server.stop(_GRACE_S)
    gateway.tick(time.monotonic())
    log.info("brightstaff stopped")


def main() -> None:
    """The console script."""
    if sys.stdin is None or sys.stdin.isatty() or sys.argv[1:]:
        sys.exit("brightstaff is started by `planoai up`, which hands it its settings on standard input.")
    try:
        settings = decode_settings(sys.stdin.buffer.read())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        sys.exit(f"brightstaff: the settings on standard input are not valid: {error}")
    try:
        configure_logging(settings)
        Path(settings.socket).unlink(missing_ok=True)
    except OSError as error:
        sys.exit(f"brightstaff: cannot write {error.filename}: {error.strerror}. Check that the folder is yours.")
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
