"""Supervision inside `planoai up --foreground`: no daemon, the logs on the terminal, Ctrl-C stops everything."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from planoai.home import PlanoHome
from planoai.supervisor.daemon import Settings, Supervisor
from planoai.supervisor.process_limits import prepare_process
from planoai.supervisor.progress import Progress
from planoai.supervisor.spec import RunPlan
from planoai.supervisor.supervisor_log import open_supervisor_log
from planoai.supervisor.tail import Follower
from planoai.supervisor.waiting import first_of

_LOG_POLL_S = 0.2


def run_foreground(
    plan: RunPlan,
    home: PlanoHome,
    settings: Settings,
    *,
    on_progress: Callable[[Progress], None],
    on_log_line: Callable[[Path, str], None],
) -> None:
    """Run `plan` until SIGINT, SIGTERM or `planoai down`; a second signal ends without grace.

    `on_log_line` gets each new line of the plan's logs. Raises PlanoError when the gateway does not get ready.
    """
    prepare_process()
    asyncio.run(_run(plan, home, settings, on_progress, on_log_line))


async def _run(
    plan: RunPlan,
    home: PlanoHome,
    settings: Settings,
    on_progress: Callable[[Progress], None],
    on_log_line: Callable[[Path, str], None],
) -> None:
    supervisor = Supervisor(plan, home, settings, notify=on_progress, log=open_supervisor_log(home), foreground=True)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop, signal.Signals(number).name)
    logs = sorted({*plan.rotated_logs, *(spec.log_file for spec in plan.processes)})
    failure: list[Exception] = []

    async def supervise() -> None:
        # Caught here: a task group would wrap it.
        try:
            await supervisor.run()
        except Exception as error:
            failure.append(error)

    await first_of(supervise(), _stream(logs, on_log_line))
    if failure:
        raise failure[0]


async def _stream(logs: Sequence[Path], on_log_line: Callable[[Path, str], None]) -> None:
    followers = [(log, Follower(log)) for log in logs]
    try:
        while True:
            for log, follower in followers:
                for line in follower.poll():
                    on_log_line(log, line)
            await asyncio.sleep(_LOG_POLL_S)
    finally:
        for _, follower in followers:
            follower.close()
