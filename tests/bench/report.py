"""Shows what was measured: one table for each scenario, the memory, the comparison with LiteLLM; raw data as JSON."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from .contenders import DIRECT, ENVOY, LITELLM, PLANO
from .measure import Measurement, Memory
from .scenarios import Cell, Scenario
from .stats import Spread
from .summary import Figure, Row, compare, row

#: What was set as a goal: at least so many times LiteLLM's requests/s, at most this share of its added latency.
RATE_GOAL = 12.0
ADDED_LATENCY_GOAL = 0.2


class Machine(msgspec.Struct, frozen=True):
    """On what it was measured. No name of the machine: the figures may be published."""

    system: str
    cpu_cores: int
    python: str
    versions: dict[str, str]


class RunData(msgspec.Struct, frozen=True):
    """Everything about one run, as `--json` writes it."""

    date: str
    machine: Machine
    rounds: int
    seconds: float
    measurements: list[Measurement]
    memory: list[Memory]


def this_machine(versions: dict[str, str]) -> Machine:
    """The machine that this runs on, in general words."""
    system = f"{platform.system()} {platform.machine()}"
    return Machine(system, os.cpu_count() or 1, platform.python_version(), versions)


def write_json(path: Path, data: RunData) -> None:
    """All raw data."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(data), indent=1))


def show(console: Console, cells: Sequence[Cell], data: RunData) -> None:
    """The whole report."""
    _show_head(console, data)
    for scenario in dict.fromkeys(cell.scenario for cell in cells):
        console.print()
        console.print(_scenario_table(scenario, [each for each in cells if each.scenario == scenario], data))
    console.print()
    console.print(_memory_table(data.memory))
    if any(each.contender == LITELLM for each in data.measurements):
        console.print()
        console.print(_litellm_table(cells, data))
    _show_errors(console, data.measurements)


def of_cell(data: RunData, cell: Cell) -> list[Measurement]:
    """The measurements of one cell."""
    return [
        each
        for each in data.measurements
        if (each.scenario, each.connections) == (cell.scenario.name, cell.connections)
    ]


def number(value: float) -> str:
    """Three figures that count: no more of them mean anything."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def with_range(found: Spread | None, unit: str = "") -> str:
    """`0.21x (0.18-0.23)`."""
    return "" if found is None else f"{number(found.median)}{unit} ({number(found.low)}-{number(found.high)})"


def with_ratio(found: Figure | None) -> str:
    """`0.31 (2.1x)`: the median, and how many times Envoy alone that is."""
    return "" if found is None else number(found.spread.median) + _times(found.ratio)


def _times(found: float | None) -> str:
    return "" if found is None else f" ({number(found)}x)"


def _show_head(console: Console, data: RunData) -> None:
    machine = data.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    others = sorted(each.others_cores for each in data.measurements)
    console.print(
        f"{data.date}, {machine.system}, {machine.cpu_cores} cores, Python {machine.python}; {versions}\n"
        f"{data.rounds} rounds of {data.seconds:g} s, medians. In brackets: how many times Envoy alone, in the same "
        f"round.\nAdded: over the upstream itself, in the same round. CPU: of the gateway's processes.\n"
        f"Other work kept {number(others[len(others) // 2])} cores of this machine busy (median), "
        f"{number(others[-1])} at most.",
        highlight=False,
    )


def _scenario_table(scenario: Scenario, cells: Sequence[Cell], data: RunData) -> Table:
    table = Table(title=scenario.title, title_justify="left")
    for name in ("conn.", "through"):
        table.add_column(name, no_wrap=True)
    columns = ["requests/s", "x Envoy", "p50 ms", "p99 ms", "added p50 ms", "added p99 ms"]
    if scenario.is_stream:
        columns.append("first byte ms")
    for name in (*columns, "CPU us/request", "errors"):
        table.add_column(name, justify="right", no_wrap=True)
    contenders = dict.fromkeys(each.contender for each in data.measurements)
    for cell in cells:
        measurements = of_cell(data, cell)
        for contender in contenders:
            found = row(measurements, contender, DIRECT, ENVOY)
            if found is None:
                table.add_row(str(cell.connections), contender, "no answers")
                continue
            table.add_row(*_cells_of(found, cell, scenario))
        table.add_section()
    return table


def _cells_of(found: Row, cell: Cell, scenario: Scenario) -> list[str]:
    cpu = " + ".join(f"{name} {number(value)}" for name, value in found.cpu_us.items())
    return [
        str(cell.connections),
        found.contender,
        number(found.rate.spread.median),
        with_range(found.rate_ratio),
        with_ratio(found.p50_ms),
        with_ratio(found.p99_ms),
        with_ratio(found.added_p50_ms),
        with_ratio(found.added_p99_ms),
        *([with_ratio(found.first_p50_ms)] if scenario.is_stream else []),
        cpu + _times(found.cpu_ratio),
        str(found.errors or ""),
    ]


def _memory_table(memory: Sequence[Memory]) -> Table:
    table = Table(title="Resident memory in MiB", title_justify="left")
    for name in ("through", "process"):
        table.add_column(name)
    for name in ("before", "after"):
        table.add_column(name, justify="right")
    for each in memory:
        table.add_row(each.contender, each.process, number(each.before_mib), number(each.after_mib))
    return table


def _litellm_table(cells: Sequence[Cell], data: RunData) -> Table:
    title = (
        f"Plano against LiteLLM's proxy; the goal at 16 connections: at least {RATE_GOAL:g} times its requests/s, "
        f"at most {ADDED_LATENCY_GOAL:g} of its added latency"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("scenario")
    table.add_column("connections")
    for name in ("requests/s, times", "added p50, share", "added p99, share"):
        table.add_column(name, justify="right")
    for cell in cells:
        found = compare(of_cell(data, cell), PLANO, LITELLM, DIRECT)
        if found is None:
            continue
        shares = (found.added_p50_ratio, found.added_p99_ratio)
        table.add_row(
            cell.scenario.name,
            str(cell.connections),
            with_range(found.rate_ratio),
            *("" if each is None else number(each) for each in shares),
        )
    return table


def _show_errors(console: Console, measurements: Sequence[Measurement]) -> None:
    for each in measurements:
        if each.load.errors:
            console.print(
                f"{each.contender}, {each.scenario}@{each.connections}, round {each.round + 1}: "
                f"{each.load.errors} errors, the first: {each.load.first_error}",
                style="red",
                markup=False,
            )
