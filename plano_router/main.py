"""The router process: reads its settings from standard input and answers brightstaff until it is told to stop."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import msgspec

from brightstaff.logs import configure_logging
from plano_router.answer import RouterError
from plano_router.engine import open_backend
from plano_router.service import RouterService, create_server
from plano_router.settings import RouterSettings, decode_settings

log = logging.getLogger("plano_router")

_GRACE_S = 1.0


async def serve(settings: RouterSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with open_backend(settings, background=True) as backend:
        previous = os.umask(0o177)  # the socket is for this user's brightstaff only
        try:
            server = create_server(RouterService(backend), settings.socket)
        finally:
            os.umask(previous)
        await server.start()
        log.info("the %s router decides about %d routes", backend.name, len(settings.routes))
        await stop.wait()
        await server.stop(_GRACE_S)
    log.info("the router stopped")


def main() -> None:
    """`python -m plano_router`."""
    if sys.stdin is None or sys.stdin.isatty() or sys.argv[1:]:
        sys.exit("the router is started by `planoai up`, which hands it its settings on standard input.")
    try:
        settings = decode_settings(sys.stdin.buffer.read())
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        sys.exit(f"router: the settings on standard input are not valid: {error}")
    try:
        configure_logging(settings.log_file, settings.log_level)
        Path(settings.socket).unlink(missing_ok=True)
    except OSError as error:
        sys.exit(f"router: cannot write {error.filename}: {error.strerror}. Check that the folder is yours.")
    try:
        asyncio.run(serve(settings))
    except RouterError as error:
        sys.exit(f"router: {error}")
