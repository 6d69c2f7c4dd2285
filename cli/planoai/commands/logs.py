"""`planoai logs`: the end of the logs, and what is added to them."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from planoai.commands.output import Output
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.tail import Follower, last_lines

ACCESS_LOG = "access_llm.log"
DEBUG_LOGS = ("brightstaff.log", "envoy.log")
_POLL_S = 0.2


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on showing lines as they are written; Ctrl-C ends.")
@click.option("--debug", is_flag=True, help="Also brightstaff.log and envoy.log; each line names its file.")
@click.option(
    "-n", "--lines", "count", type=click.IntRange(min=0), default=20, show_default=True, help="Lines of each file."
)
def logs(*, follow: bool, debug: bool, count: int) -> None:
    """Show the access log: one line per client request.

    \b
    Exit codes:
      0  shown (with --follow: ended by Ctrl-C)
      1  there is no log yet
      2  the command line is wrong
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    home = PlanoHome.from_environment(os.environ)
    output = Output()
    paths = log_paths(home, debug=debug)
    if follow:
        pause = threading.Event()
        follow_logs(paths, count, output.raw, lambda: pause.wait(_POLL_S))
    else:
        show_logs(paths, count, output.raw)


def log_paths(home: PlanoHome, *, debug: bool) -> list[Path]:
    """The files to show."""
    return [home.logs / name for name in (ACCESS_LOG, *(DEBUG_LOGS if debug else ()))]


def show_logs(paths: Sequence[Path], count: int, write: Callable[[str], None]) -> None:
    """The last `count` lines of each file that there is. Raises PlanoError when there is none."""
    existing = [path for path in paths if path.exists()]
    if not existing:
        raise PlanoError(
            f"There is no log yet: {' '.join(str(path) for path in paths)}",
            "Start Plano first (planoai up), or wait for lines with `planoai logs --follow`.",
        )
    for path in existing:
        for line in last_lines(path, count):
            write(_prefixed(path, line, paths))


def follow_logs(paths: Sequence[Path], count: int, write: Callable[[str], None], pause: Callable[[], object]) -> None:
    """The last lines of each file, then what is added, also after a rotation. A KeyboardInterrupt ends it."""
    followers = [(path, Follower(path, show_last=count)) for path in paths]
    try:
        while True:
            for path, follower in followers:
                for line in follower.poll():
                    write(_prefixed(path, line, paths))
            pause()
    except KeyboardInterrupt:
        return
    finally:
        for _, follower in followers:
            follower.close()


def _prefixed(path: Path, line: str, paths: Sequence[Path]) -> str:
    return line if len(paths) == 1 else f"[{path.stem}] {line}"
