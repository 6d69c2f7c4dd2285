"""Measures each contender in each cell, round after round, one right after the other: noise hits all alike."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec
import psutil

from .contenders import BenchError, Contender
from .load import PATIENCE_S, LoadResult, LoadSpec
from .scenarios import Cell

_T = TypeVar("_T")

#: Of each measurement, before it: connections are opened, caches filled.
_WARM_UP_SHARE = 0.2
_START_S = 30.0
#: After its last answer a gateway may have work left (logs, callbacks); it is its own, and not the next one's noise.
_SETTLE_STEP_S = 0.1
_SETTLED_CORES = 0.2
_SETTLE_TIMEOUT_S = 20.0

#: Keys of `cpu_us` that are not a contender's.
OUR_OWN = frozenset({"upstream", "clients"})


class Measurement(msgspec.Struct, frozen=True):
    """One contender in one cell in one round."""

    contender: str
    scenario: str
    connections: int
    round: int
    load: LoadResult
    cpu_us: dict[str, float]
    """CPU time per good answer in microseconds: each of the contender's processes, `upstream` and `clients`.

    With what they still did after the last answer."""
    others_cores: float
    """Cores that were busy with something else at that time: the noise."""


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of one process in MiB."""

    contender: str
    process: str
    before_mib: float
    after_mib: float


def in_turn(round_: int, contenders: Sequence[_T]) -> list[_T]:
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


def warm_up(contenders: Sequence[Contender], cells: Sequence[Cell], seconds: float) -> None:
    """Let each contender do once what will be measured: imports, caches and pools are not what is compared here."""
    scenarios = dict.fromkeys(cell.scenario for cell in cells)
    for contender in contenders:
        for scenario in scenarios:
            run_load(LoadSpec(contender.port, scenario.name, max(each.connections for each in cells), 0.0, seconds))
        _settle(contender.processes.values())


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
        result = run_load(spec)
        ours_s = _cpu_s(*processes.values()) - sum(before.values()) + result.cpu_s
        _settle(processes.values())
        after = {name: _cpu_s(process) for name, process in processes.items()}
    except psutil.NoSuchProcess as error:
        raise BenchError(f"a process of {contender.name} ended during the measurement: {error}") from None
    cpu_us = {name: cpu_per_answer_us(before[name], after[name], result.answers) for name in processes}
    cpu_us["clients"] = cpu_per_answer_us(0.0, result.cpu_s, result.answers)
    return Measurement(
        contender=contender.name,
        scenario=cell.scenario.name,
        connections=cell.connections,
        round=round_,
        load=result,
        cpu_us=cpu_us,
        others_cores=max(result.machine_s - ours_s, 0.0) / result.wall_s,
    )


def run_load(spec: LoadSpec) -> LoadResult:
    """The clients, in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        input=msgspec.json.encode(spec),
        capture_output=True,
        timeout=spec.warm_up_s + spec.seconds + PATIENCE_S + _START_S,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"the clients ended with {done.returncode}:\n{done.stderr.decode(errors='replace')}")
    return msgspec.json.decode(done.stdout, type=LoadResult)


def settle(cpu_s: Callable[[], float], wait: Callable[[float], object]) -> None:
    """Wait until next to no CPU time is spent any more, but not for ever."""
    last_s = cpu_s()
    for _ in range(round(_SETTLE_TIMEOUT_S / _SETTLE_STEP_S)):
        wait(_SETTLE_STEP_S)
        now_s = cpu_s()
        if now_s - last_s < _SETTLED_CORES * _SETTLE_STEP_S:
            return
        last_s = now_s


def _settle(processes: Iterable[psutil.Process]) -> None:
    watched = [*processes]
    settle(lambda: _cpu_s(*watched), threading.Event().wait)


def _cpu_s(*processes: psutil.Process) -> float:
    """CPU time of processes with all their threads, user and system."""
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system for each in times)
