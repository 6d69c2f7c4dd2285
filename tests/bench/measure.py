"""Measures each contender in each cell, round after round, one right after the other: noise hits all alike."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import msgspec
import psutil

from .contenders import BenchError, Contender
from .load import PATIENCE_S, LoadResult, LoadSpec
from .scenarios import Cell

#: Of each measurement, before it: connections are opened, caches filled.
_WARM_UP_SHARE = 0.2
_START_S = 30.0


class Measurement(msgspec.Struct, frozen=True):
    """One contender in one cell in one round."""

    contender: str
    scenario: str
    connections: int
    round: int
    load: LoadResult
    cpu_us: dict[str, float]
    """CPU time per good answer in microseconds: each of the contender's processes, `upstream` and `clients`."""
    others_cores: float
    """Cores that were busy with something else at that time: the noise."""


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of one process in MiB."""

    contender: str
    process: str
    before_mib: float
    after_mib: float


def in_turn(round_: int, contenders: Sequence[Contender]) -> list[Contender]:
    """Every round begins with another one: none always follows the heaviest."""
    start = round_ % len(contenders)
    return [*contenders[start:], *contenders[:start]]


def measure_rounds(
    contenders: Sequence[Contender],
    cells: Sequence[Cell],
    rounds: int,
    seconds: float,
    progress: Callable[[Cell, Contender, int], None],
) -> Iterator[Measurement]:
    """All measurements. `contenders` begins with the upstream itself. Raises BenchError."""
    upstream = contenders[0].processes["upstream"]
    for round_ in range(rounds):
        for cell in cells:
            for contender in in_turn(round_, contenders):
                progress(cell, contender, round_)
                yield _measure(contender, cell, round_, seconds, upstream)


def resident_mib(contenders: Sequence[Contender]) -> dict[tuple[str, str], float]:
    """Resident memory by contender and process."""
    return {
        (each.name, name): process.memory_info().rss / 2**20
        for each in contenders
        for name, process in each.processes.items()
    }


def cpu_per_answer_us(before_s: float, after_s: float, answers: int) -> float:
    """Microseconds for each answer; 0 when there were none."""
    return (after_s - before_s) / answers * 1e6 if answers else 0.0


def _measure(contender: Contender, cell: Cell, round_: int, seconds: float, upstream: psutil.Process) -> Measurement:
    processes = {**contender.processes, "upstream": upstream}
    spec = LoadSpec(contender.port, cell.scenario.name, cell.connections, seconds * _WARM_UP_SHARE, seconds)
    try:
        before = {name: _cpu_s(process) for name, process in processes.items()}
        machine_before_s = _machine_busy_s()
        result, span_s = _run_load(spec)
        machine_s = _machine_busy_s() - machine_before_s
        after = {name: _cpu_s(process) for name, process in processes.items()}
    except psutil.NoSuchProcess as error:
        raise BenchError(f"a process of {contender.name} ended during the measurement: {error}") from None
    cpu_us = {name: cpu_per_answer_us(before[name], after[name], result.answers) for name in processes}
    cpu_us["clients"] = cpu_per_answer_us(0.0, result.cpu_s, result.answers)
    ours_s = sum(after[name] - before[name] for name in processes) + result.cpu_s
    return Measurement(
        contender=contender.name,
        scenario=cell.scenario.name,
        connections=cell.connections,
        round=round_,
        load=result,
        cpu_us=cpu_us,
        others_cores=max(machine_s - ours_s, 0.0) / span_s,
    )


def _run_load(spec: LoadSpec) -> tuple[LoadResult, float]:
    """The clients, in a process of their own, and how long they ran in seconds."""
    run_s = spec.warm_up_s + spec.seconds
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tests.bench.load"],
        input=msgspec.json.encode(spec),
        capture_output=True,
        timeout=run_s + PATIENCE_S + _START_S,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"the clients ended with {done.returncode}:\n{done.stderr.decode(errors='replace')}")
    return msgspec.json.decode(done.stdout, type=LoadResult), run_s


def _cpu_s(process: psutil.Process) -> float:
    """CPU time of a process and all its threads, user and system."""
    times = process.cpu_times()
    return times.user + times.system


def _machine_busy_s() -> float:
    """CPU time of everything on this machine, and what a hypervisor gave to other machines."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    return sum(times) - idle - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
