"""`planoai down`: stop everything that this home started."""

import os

import click

from planoai.commands.output import Output
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.daemon import Settings
from planoai.supervisor.lock import lock_home
from planoai.supervisor.stop import StopReport, stop_home

#: A command that starts a gateway is given the time that it may take at most by default.
_LOCK_WAIT_S = Settings().start_timeout_s + 30.0


@click.command()
@click.option("-v", "--verbose", is_flag=True, help="Name each process.")
def down(*, verbose: bool) -> None:
    """Stop the gateway: its supervisor and every process that it started, also when the supervisor was killed.

    A process counts as ours only when its pid and its start time are the recorded ones.

    \b
    Exit codes:
      0  nothing runs any more (also when nothing ran)
      1  something could not be stopped
      2  the command line is wrong
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    run_down(PlanoHome.from_environment(os.environ), Output(), verbose=verbose)


def run_down(home: PlanoHome, output: Output, *, verbose: bool = False) -> None:
    """Stop everything of `home` and say what was done. Raises PlanoError."""
    if not home.run.is_dir():
        output.line("Plano is not running.")
        return
    with lock_home(home, wait_s=_LOCK_WAIT_S, on_wait=output.note):
        report = stop_home(home)
    _show(report, output, verbose)


def _show(report: StopReport, output: Output, verbose: bool) -> None:
    if report.still_running:
        raise PlanoError(
            f"Could not be stopped: {', '.join(report.still_running)}.",
            "They do not react to SIGKILL: the kernel holds them, or they belong to another user.",
        )
    if report.nothing_ran:
        output.line("Plano is not running.")
        return
    if report.was_stale:
        output.line("✓ Stopped what an earlier Plano had left; its supervisor had been killed.", style="green")
    else:
        output.line("✓ Plano was stopped.", style="green")
    if report.killed:
        output.warning(f"Did not end in time and had to be killed: {', '.join(report.killed)}")
    if verbose:
        for name in report.stopped:
            output.line(f"  {name}")
