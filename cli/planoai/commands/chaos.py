"""`planoai chaos`: what clients would see if the channels failed."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from planoai.chaos.advice import advice
from planoai.chaos.disguise import disguise, stand_ins
from planoai.chaos.kinds import ALL_DOWN, KINDS, Kind, find_kind
from planoai.chaos.run import Case, GatewayStoppedError, Result, cases, run_cases
from planoai.chaos.verdicts import Mark, Verdict
from planoai.commands.output import Output, aligned
from planoai.commands.up import find_config, up_reporter
from planoai.config import LoadedConfig, load_config
from planoai.config.dotenv_file import parse_dotenv
from planoai.envoy_binary import EnvoyBinary, find_envoy
from planoai.errors import EXIT_FAILURE, EXIT_OK
from planoai.home import PlanoHome
from planoai.simulator import run_in_thread
from planoai.supervisor.ports import free_port
from planoai.supervisor.spec import GatewayLike
from planoai.supervisor.state import GatewayPhase, read_state
from planoai.throwaway import run_throwaway

_SIGNS: dict[Mark, tuple[str, str]] = {"answered": ("✓", "green"), "told": ("!", "yellow"), "broken": ("✗", "red")}
_WORST: tuple[Mark, ...] = ("broken", "told", "answered")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--channel", "channels", multiple=True, metavar="NAME", help="Only this channel; may be repeated.")
@click.option("--failure", "failures", multiple=True, metavar="KIND", help="Only this failure; may be repeated.")
@click.option("--list", "listed", is_flag=True, help="Show the kinds of failures, and end.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: a JSON array with one object for each case.")
@click.option("--envoy", metavar="PATH", help="The Envoy binary to run.  [default: as for `up`]")
@click.pass_context
def chaos(
    context: click.Context,
    file: Path | None,
    *,
    channels: tuple[str, ...],
    failures: tuple[str, ...],
    listed: bool,
    as_json: bool,
    envoy: str | None,
) -> None:
    """Let the channels of FILE (default: config.yaml) fail, one after the other, and show what clients would see.

    Runs the configuration against simulated providers, in a gateway of its own: no key is needed, nothing is sent to
    anyone, and a Plano that runs is left alone. Time-outs are shortened to a second.

    \b
    Signs:
      ✓  a whole answer: another channel stood in, and the client noticed nothing
      !  no answer was possible; the client was told so in a form that it understands
      ✗  something that a client can make nothing of

    \b
    Exit codes:
      0  nothing of the third kind
      1  something of the third kind, or the gateway did not start
      2  the configuration or the command line is wrong
      130  interrupted; nothing is shown
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    output = Output()
    if listed:
        for line in aligned([(each.name, each.title) for each in (*KINDS, ALL_DOWN)]):
            output.line(line)
        return
    config = find_config(file, Path())
    loaded = _load(config)
    kinds = [_kind(name) for name in failures]
    _check_channels(channels, loaded)
    binary = find_envoy(envoy, PlanoHome.from_environment(os.environ), os.environ)
    results = _run(loaded, binary, output, channels, kinds, quiet=as_json)
    if as_json:
        output.raw(msgspec.json.format(msgspec.json.encode([_as_json(each) for each in results]), indent=2).decode())
    else:
        _show(loaded, results, output)
    context.exit(EXIT_FAILURE if any(_mark(each) == "broken" for each in results) else EXIT_OK)


def _load(config: Path) -> LoadedConfig:
    """The configuration, with something in place of every variable that is not set. Raises ConfigError, OSError."""
    dotenv = config.parent / ".env"
    known = {name for name, value in os.environ.items() if value}
    if dotenv.is_file():
        known |= parse_dotenv(dotenv.read_text(encoding="utf-8", errors="replace"), str(dotenv)).values.keys()
    text = config.read_text(encoding="utf-8", errors="replace")
    return load_config(config, {**os.environ, **stand_ins(text, known)})


def _kind(name: str) -> Kind:
    kind = find_kind(name)
    if kind is None:
        names = ", ".join(each.name for each in (*KINDS, ALL_DOWN))
        raise click.BadParameter(f"there is no failure {name!r}; there are {names}", param_hint="--failure")
    return kind


def _check_channels(channels: Sequence[str], loaded: LoadedConfig) -> None:
    known = [each.model for each in loaded.config.model_providers]
    names = {*known, *(each.name for each in loaded.config.model_providers)}
    for name in channels:
        if name not in names:
            raise click.BadParameter(
                f"there is no channel {name!r}; there are {', '.join(known)}", param_hint="--channel"
            )


def _run(
    loaded: LoadedConfig,
    binary: EnvoyBinary,
    output: Output,
    channels: Sequence[str],
    kinds: Sequence[Kind],
    *,
    quiet: bool,
) -> list[Result]:
    from planoai.gateway import prepare_loaded  # noqa: PLC0415 - takes its time to import; `--help` does not need it

    results: list[Result] = []
    wanted = cases(loaded.config.model_providers, channels, kinds)
    port = free_port()
    # Around everything, in the main thread: however it ends, the terminal gets its cursor back.
    with (
        Console(stderr=True, quiet=quiet).status("Starting a gateway …") as status,
        run_in_thread(steering=False) as provider,
    ):

        def prepare(home: PlanoHome, _: Path) -> GatewayLike:
            # No environment: neither a proxy nor a CA of the user's is to be used.
            plain = {"PATH": os.environ.get("PATH", "")}
            return prepare_loaded(disguise(loaded, provider.url, port), home, plain, binary)

        def progress(number: int, case: Case) -> None:
            status.update(f"{number + 1} of {len(wanted)}: {case.provider.model}, {case.kind.title} …")

        def during(_: GatewayLike, home: PlanoHome) -> bool:
            def is_stopping() -> bool:
                state = read_state(home)
                return state is None or state.phase is GatewayPhase.STOPPING

            try:
                results.extend(run_cases(wanted, provider, port, home, progress, is_stopping))
            except GatewayStoppedError:
                # It ends already.
                return True
            return False

        run_throwaway("chaos", prepare, during, up_reporter(Output(Console(quiet=True)), verbose=False))
    if len(results) < len(wanted):
        # By Ctrl-C or SIGTERM. What was found so far is no answer to what was asked.
        raise KeyboardInterrupt
    return results


def _mark(result: Result) -> Mark:
    marks = {each.mark for each in (result.json, result.stream) if each is not None}
    return next(each for each in _WORST if each in marks)


def _show(loaded: LoadedConfig, results: Sequence[Result], output: Output) -> None:
    rows = [("failure", "JSON", "SSE"), *(_row(each) for each in results)]
    head, *lines = aligned(rows)
    channel = ""
    for line, result in zip(lines, results, strict=True):
        if result.case.provider.model != channel:
            channel = result.case.provider.model
            output.line()
            output.line(channel, style="bold")
            output.line(head, style="dim")
        output.line(line, style=_SIGNS[_mark(result)][1])
    counts = {mark: sum(_mark(each) == mark for each in results) for mark in _WORST}
    output.line()
    output.line(
        f"{len(results)} failures tried: {counts['answered']} ✓ answered all the same, {counts['told']} ! told to the "
        f"client, {counts['broken']} ✗ broken.",
        style="bold",
    )
    marks: dict[str, dict[str, Mark]] = {}
    for each in results:
        marks.setdefault(each.case.provider.model, {})[each.case.kind.name] = _mark(each)
    for sentence in advice(loaded.config, marks):
        output.line(f"→ {sentence}")


def _row(result: Result) -> tuple[str, str, str]:
    return result.case.kind.title, _cell(result.json), _cell(result.stream)


def _cell(verdict: Verdict | None) -> str:
    return "" if verdict is None else f"{_SIGNS[verdict.mark][0]} {verdict.text}"


def _as_json(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = {"channel": result.case.provider.model, "failure": result.case.kind.name}
    for name, verdict, seen in (
        ("json", result.json, result.json_seen),
        ("sse", result.stream, result.stream_seen),
    ):
        if verdict is None or seen is None:
            found[name] = None
            continue
        found[name] = {
            "mark": verdict.mark,
            "text": verdict.text,
            "status": seen.status,
            "served": seen.served or None,
            "attempts": seen.attempts or None,
        }
    return found
