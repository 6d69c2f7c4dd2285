"""A gateway for as long as something talks to it: in a temporary home, gone without a trace afterwards."""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.bring_up import Reporter, bring_up_foreground
from planoai.supervisor.daemon import Settings
from planoai.supervisor.spec import GatewayLike


def run_throwaway(
    purpose: str,
    prepare: Callable[[PlanoHome, Path], GatewayLike],
    during: Callable[[GatewayLike, PlanoHome], bool],
    reporter: Reporter,
) -> None:
    """Start what `prepare` makes for a home and a directory, and call `during` in a thread once it is ready.

    The gateway ends when `during` returns False or raises, else at SIGINT or SIGTERM. `purpose` names the directory.
    To be called in the main thread. Raises PlanoError, and what `prepare` and `during` raise.
    """
    root = Path(tempfile.mkdtemp(prefix=f"plano-{purpose}-"))
    home = PlanoHome(root / "home")
    failure: list[Exception] = []
    ended = threading.Event()
    ending = threading.Lock()

    def work(gateway: GatewayLike) -> None:
        stays = False
        try:
            stays = during(gateway, home)
        except Exception as error:
            failure.append(error)
        finally:
            with ending:
                # Nobody handles the signal any more once the gateway has stopped.
                if not (stays or ended.is_set()):
                    os.kill(os.getpid(), signal.SIGTERM)

    def on_ready(gateway: GatewayLike) -> None:
        threading.Thread(target=work, args=(gateway,), name=purpose, daemon=True).start()

    try:
        bring_up_foreground(
            home,
            lambda: prepare(home, root),
            reporter=reporter,
            settings=Settings(),
            on_ready=on_ready,
            on_log_line=lambda _log, _line: None,
        )
    finally:
        with ending:
            ended.set()
        # The sockets are elsewhere where the path of temporary files is a long one.
        for directory in (root, home.sockets):
            shutil.rmtree(directory, ignore_errors=True)
    if failure:
        error = failure[0]
        raise error if isinstance(error, PlanoError) else PlanoError(f"{type(error).__name__}: {error}") from error
