"""`python -m tests.bench`: how fast Plano is, measured against Envoy alone in the same minute on the same machine."""

import datetime
import importlib.metadata
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

import planoai
from planoai.envoy_binary import EnvoyBinary, find_envoy
from planoai.errors import PlanoError
from planoai.home import PlanoHome

from . import contenders as start
from .contenders import BenchError, Contender
from .failover import show_failover
from .local_model import show_local_model
from .measure import Measurement, Memory, measure_rounds, resident_mib, warm_up
from .micro import show_micro
from .report import RunData, show, this_machine, write_json
from .routed import show_routed
from .routing_quality import recommended_routes, show_curve, show_routing
from .scenarios import Cell, cells

_LITELLM_FOLDER = Path(".venv-litellm")
_WIDTH_IN_A_FILE = 180
_QUICK_ROUNDS, _QUICK_SECONDS = 1, 0.3


@click.command(context_settings={"show_default": True})
@click.option("--rounds", default=5, type=click.IntRange(1), help="How often everything is measured.")
@click.option("--seconds", default=1.5, type=click.FloatRange(0.05, 60), help="How long each measurement takes.")
@click.option("--quick", is_flag=True, help="One short round: does it work? The figures mean little.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="A scenario, or one number of connections: json-1k, stream@16, @64."
)
@click.option("--with-litellm", is_flag=True, help="LiteLLM's proxy as well; installs it in .venv-litellm first.")
@click.option(
    "--also",
    multiple=True,
    metavar="NAME=PYTHON",
    help="Another Plano as well: the one that this Python interpreter has installed.",
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all raw data into this file.")
@click.option("--failover", is_flag=True, help="Instead: what it costs when a channel fails and the next one answers.")
@click.option("--micro", is_flag=True, help="Instead: parts of brightstaff alone, without processes and sockets.")
@click.option("--routing", is_flag=True, help="Instead: how often the built-in router is right, and how quick it is.")
@click.option("--routing-curve", is_flag=True, help="Instead: what more examples bring. Trains four times.")
@click.option("--routed", is_flag=True, help="Instead: what routing adds to a request, and the router's memory.")
@click.option(
    "--llama", is_flag=True, help="Instead: how quickly local models decide. Writes 1.5 GB of random weights."
)
def main(
    *,
    rounds: int,
    seconds: float,
    quick: bool,
    only: tuple[str, ...],
    with_litellm: bool,
    also: tuple[str, ...],
    json_path: Path | None,
    failover: bool,
    micro: bool,
    routing: bool,
    routing_curve: bool,
    routed: bool,
    llama: bool,
) -> None:
    """Measure requests/s, latency, CPU time and memory of Plano, as ratios to Envoy alone on the same upstream."""
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH_IN_A_FILE)
    if micro:
        show_micro(console)
        return
    for wanted, shown in ((routing, show_routing), (routing_curve, show_curve), (llama, _show_llama)):
        if wanted:
            shown(console)
            return
    if routed:
        try:
            show_routed(console)
        except BenchError as error:
            raise click.ClickException(str(error)) from None
        return
    if quick:
        rounds, seconds = _QUICK_ROUNDS, _QUICK_SECONDS
    try:
        chosen = cells(only)
        others = [_named_python(each) for each in also]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    # As with Ctrl-C: what was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if failover:
        try:
            show_failover(console, rounds, seconds)
        except (BenchError, PlanoError) as error:
            raise click.ClickException(str(error)) from None
        return
    try:
        data = _run(console, chosen, rounds, seconds, others, with_litellm=with_litellm)
    except (BenchError, PlanoError) as error:
        raise click.ClickException(str(error)) from None
    show(console, chosen, data)
    if json_path is not None:
        write_json(json_path, data)


def _show_llama(console: Console) -> None:
    show_local_model(console, recommended_routes())


def _named_python(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not (name and path):
        raise ValueError(f"--also takes NAME=PYTHON, not {text!r}")
    return name, Path(path).absolute()


def _run(
    console: Console,
    chosen: Sequence[Cell],
    rounds: int,
    seconds: float,
    others: Sequence[tuple[str, Path]],
    *,
    with_litellm: bool,
) -> RunData:
    envoy = find_envoy(None, PlanoHome.from_environment(os.environ), os.environ)
    versions = {"Plano": planoai.__version__, "Envoy": envoy.version, "grpcio": importlib.metadata.version("grpcio")}
    litellm = None
    if with_litellm:
        litellm = start.install_litellm(_LITELLM_FOLDER.absolute())
        versions["LiteLLM"] = start.litellm_version(litellm)
    with ExitStack() as stack:
        # A short path: Unix sockets lie below it.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plano-bench-")))
        status = stack.enter_context(console.status("starting …"))
        contenders = _start_all(stack, folder, envoy, others, litellm)
        status.update("warming up …")
        warm_up(contenders, chosen, seconds)
        before = resident_mib(contenders)
        total = rounds * len(chosen) * len(contenders)
        measurements: list[Measurement] = []

        def progress(cell: Cell, contender: Contender, round_: int) -> None:
            done = f"{len(measurements) + 1} of {total}"
            status.update(f"round {round_ + 1}: {cell.name} through {contender.name} ({done})")

        for measurement in measure_rounds(contenders, chosen, rounds, seconds, progress):
            measurements.append(measurement)  # noqa: PERF402  (progress counts them while they come)
        after = resident_mib(contenders)
    return RunData(
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        machine=this_machine(versions),
        rounds=rounds,
        seconds=seconds,
        measurements=measurements,
        memory=[Memory(*key, before_mib=before[key], after_mib=after[key]) for key in before],
    )


def _start_all(
    stack: ExitStack,
    folder: Path,
    envoy: EnvoyBinary,
    others: Sequence[tuple[str, Path]],
    litellm: Path | None,
) -> list[Contender]:
    direct = stack.enter_context(start.upstream(folder))
    contenders = [direct, stack.enter_context(start.envoy_alone(folder, envoy, direct.port))]
    contenders.append(stack.enter_context(start.plano(folder, Path(sys.executable), direct.port)))
    contenders += [stack.enter_context(start.plano(folder, python, direct.port, name)) for name, python in others]
    if litellm is not None:
        contenders.append(stack.enter_context(start.litellm(folder, litellm, direct.port)))
    return contenders


if __name__ == "__main__":
    main(prog_name="python -m tests.bench")
