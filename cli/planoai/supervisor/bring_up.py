"""From a configuration that was accepted to a gateway that runs: room is made for it, then it is started.

The order matters: what is wrong with the new configuration, or with its ports, is found while the old gateway still
runs, and leaves it running.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.daemon import Settings
from planoai.supervisor.foreground import run_foreground
from planoai.supervisor.launch import start_detached
from planoai.supervisor.lock import HomeLock, lock_home
from planoai.supervisor.ports import check_ports
from planoai.supervisor.progress import GatewayReady, Progress
from planoai.supervisor.spec import GatewayLike, RunPlan
from planoai.supervisor.stop import StopReport, running_identities, stop_home

#: How long to wait for another command on the same home, in seconds; on top of the start timeout.
_LOCK_MARGIN_S = 30.0


@dataclass(frozen=True)
class Reporter:
    """How the command that starts a gateway hears what happens. Each is called in the order of events."""

    #: Something takes a while: one line.
    waiting: Callable[[str], None]
    #: An older gateway of the same home was stopped.
    replaced: Callable[[StopReport], None]
    progress: Callable[[Progress], None]


def bring_up(
    home: PlanoHome,
    prepare: Callable[[], GatewayLike],
    *,
    reporter: Reporter,
    settings: Settings,
) -> GatewayLike:
    """Start what `prepare` returns, detached, in place of what runs now; returns once it is ready.

    Raises PlanoError, and whatever `prepare` raises.
    """
    with _room_for(home, prepare, reporter, settings) as (gateway, _):
        start_detached(
            RunPlan.from_gateway(gateway), home, timeout_s=settings.start_timeout_s, on_progress=reporter.progress
        )
        return gateway


def bring_up_foreground(
    home: PlanoHome,
    prepare: Callable[[], GatewayLike],
    *,
    reporter: Reporter,
    settings: Settings,
    on_ready: Callable[[GatewayLike], None],
    on_log_line: Callable[[Path, str], None],
) -> None:
    """The same in this process: returns when the gateway was stopped."""
    with _room_for(home, prepare, reporter, settings) as (gateway, lock):

        def on_progress(progress: Progress) -> None:
            reporter.progress(progress)
            if isinstance(progress, GatewayReady):
                # From now on `down` or another `up` may stop this one.
                lock.release()
                on_ready(gateway)

        run_foreground(RunPlan.from_gateway(gateway), home, settings, on_progress=on_progress, on_log_line=on_log_line)


@contextmanager
def _room_for(
    home: PlanoHome,
    prepare: Callable[[], GatewayLike],
    reporter: Reporter,
    settings: Settings,
) -> Iterator[tuple[GatewayLike, HomeLock]]:
    try:
        home.create()
    except OSError as error:
        raise PlanoError(
            f"Plano's home {home.root} cannot be used: {error}.", "Set PLANO_HOME to a directory that you may write to."
        ) from None
    with lock_home(home, wait_s=settings.start_timeout_s + _LOCK_MARGIN_S, on_wait=reporter.waiting) as lock:
        gateway = prepare()
        running = running_identities(home)
        check_ports(gateway.listeners, own_pids={identity.pid for identity in running.values()})
        report = stop_home(home)
        if report.still_running:
            raise PlanoError(
                f"The gateway that runs could not be stopped; still there: {', '.join(report.still_running)}.",
                "Look at these processes with `planoai status`, end them, and try again.",
            )
        if not report.nothing_ran:
            reporter.replaced(report)
            check_ports(gateway.listeners)
        # Not before: the gateway that ran would have picked them up.
        gateway.write()
        yield gateway, lock
