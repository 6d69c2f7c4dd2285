"""`brightstaff`: reads its settings from standard input and serves Envoy until it is told to stop."""

import asyncio
import logging
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from brightstaff.decision_log import DecisionLog
from brightstaff.gateway import Gateway
from brightstaff.ledger import Ledger, MemoryLedger, SharedLedger
from brightstaff.logs import configure_logging
from brightstaff.redis_sessions import RedisSessions, StoreError
from brightstaff.redis_store import open_redis
from brightstaff.router import GrpcRouter, Router
from brightstaff.service import ExternalProcessor, create_server
from brightstaff.sessions import ForgivingSessions, MemorySessions, Sessions, SharedSessions
from brightstaff.settings import RoutingSettings, Settings, decode_settings

log = logging.getLogger("brightstaff")

#: Streams that still run when brightstaff is told to stop get this long.
_GRACE_S = 5.0


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of the settings; one in memory where its file cannot be used: cool-downs are no reason to fail."""
    if not settings.ledger_file:
        return MemoryLedger()
    try:
        return SharedLedger(Path(settings.ledger_file))
    except (OSError, sqlite3.Error) as error:
        log.warning("cool-downs are not shared with other workers, nor kept over a restart: %s", error)
        return MemoryLedger()


def create_router(settings: RoutingSettings, sessions: Sessions) -> Router:
    """Who decides by intent. Connects when it is first asked."""
    return Router(settings, GrpcRouter(settings.socket), sessions, time.monotonic)


def open_sessions(settings: RoutingSettings) -> Sessions:
    """Where conversations are remembered; in memory where nothing else can be used."""
    local = _open_local_sessions(settings)
    if settings.session_redis is None:
        return local
    try:
        store = open_redis(settings.session_redis)
    except StoreError as error:
        log.warning("conversations are not shared with other gateways, as Redis cannot be used: %s", error)
        return local
    return RedisSessions(store, local, settings.session_redis, settings.session_ttl_s, time.monotonic)


def _open_local_sessions(settings: RoutingSettings) -> Sessions:
    """What this machine knows, for all its workers where there is a file for that."""
    ttl_s, most = settings.session_ttl_s, settings.session_max_entries
    if settings.session_file:
        try:
            shared = SharedSessions(Path(settings.session_file), ttl_s, most, time.time)
        except (OSError, sqlite3.Error) as error:
            log.warning("conversations are not shared with other workers: %s", error)
        else:
            return ForgivingSessions(shared, log.warning)
    return MemorySessions(ttl_s, most, time.monotonic)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    decisions = DecisionLog(Path(settings.decision_file)) if settings.decision_file else None
    router, sessions = None, None
    if settings.routing is not None and settings.routing.backend_is_on:
        sessions = open_sessions(settings.routing)
        router = create_router(settings.routing, sessions)
    gateway = Gateway(
        settings,
        ledger=open_ledger(settings),
        decisions=decisions,
        remember=None if router is None else router.remember,
    )
    processor = ExternalProcessor(gateway, time.monotonic, router)
    previous = os.umask(0o177)  # the socket is for this user's Envoy only
    try:
        server = create_server(processor, settings.socket)
    finally:
        os.umask(previous)
    await server.start()
    log.info("brightstaff serves %d channels", len(settings.channels))
    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(processor.watch_deadlines())]
        if isinstance(sessions, RedisSessions):
            background.append(tasks.create_task(sessions.run()))
        await stop.wait()
        for each in background:
            each.cancel()
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
        configure_logging(settings.log_file, settings.log_level)
        Path(settings.socket).unlink(missing_ok=True)
    except OSError as error:
        sys.exit(f"brightstaff: cannot write {error.filename}: {error.strerror}. Check that the folder is yours.")
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
