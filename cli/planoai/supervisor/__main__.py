"""`python -m planoai.supervisor`: the detached supervisor. Started by `planoai up`, which hands it the plan on a pipe.

The plan comes on standard input, so that exactly what was validated is run, and keys are neither in a file nor in the
arguments. Standard input stays open until the gateway is ready: if `planoai up` dies before that, everything stops.
Progress goes to standard output, the log to standard error's file.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import msgspec

from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.daemon import Settings, Supervisor
from planoai.supervisor.identity import own_identity
from planoai.supervisor.launch import read_frame
from planoai.supervisor.process_limits import prepare_process
from planoai.supervisor.progress import GatewayReady, Progress, StartFailed, SupervisorStarted, encode_progress
from planoai.supervisor.spec import RunPlan, decode_plan
from planoai.supervisor.supervisor_log import open_supervisor_log


def main() -> int:
    """Detach, read the plan, run it. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m planoai.supervisor", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="shown in the list of processes only")
    parser.add_argument("--home", type=Path, required=True, help="Plano's home directory")
    parser.add_argument("--timeout", type=float, default=Settings().start_timeout_s, help="seconds until all is ready")
    arguments = parser.parse_args()
    if os.isatty(sys.stdin.fileno()):
        parser.error("the plan is expected on standard input; use `planoai up` instead")
    # The parent ends at once, so that `planoai up` has no child to wait for, and this one belongs to init.
    if os.fork() > 0:
        os._exit(0)
    # Only now, with everything imported: PYTHONPATH may be relative. No directory stays in use.
    os.chdir("/")
    home = PlanoHome(arguments.home)
    log = open_supervisor_log(home)
    _say(SupervisorStarted(pid=own_identity().pid))
    try:
        plan = decode_plan(read_frame(sys.stdin.fileno()))
    except (EOFError, msgspec.MsgspecError):
        # Not the error's own text: it may quote the plan, and that holds keys.
        log.error("the plan did not arrive whole; nothing was started")  # noqa: TRY400
        return 1
    prepare_process()
    return asyncio.run(_serve(plan, home, Settings(start_timeout_s=arguments.timeout), log))


async def _serve(plan: RunPlan, home: PlanoHome, settings: Settings, log: logging.Logger) -> int:
    loop = asyncio.get_running_loop()

    def notify(progress: Progress) -> None:
        _say(progress)
        if isinstance(progress, GatewayReady):
            loop.remove_reader(sys.stdin.fileno())
            _let_go_of_pipes()

    supervisor = Supervisor(plan, home, settings, notify=notify, log=log)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop, signal.Signals(number).name)

    def on_stdin() -> None:
        # Nothing is sent after the plan: readable means closed.
        loop.remove_reader(sys.stdin.fileno())
        supervisor.stop("the command that started it has ended")

    loop.add_reader(sys.stdin.fileno(), on_stdin)
    try:
        await supervisor.run()
    except PlanoError as error:
        _say(StartFailed(message=error.message, remedy=error.remedy, details=error.details))
        return 1
    log.info("stopped")
    return 0


def _say(progress: Progress) -> None:
    try:
        os.write(sys.stdout.fileno(), encode_progress(progress))
    except BrokenPipeError:
        # Nobody listens any more; standard input tells so as well.
        return


def _let_go_of_pipes() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, sys.stdin.fileno())
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
