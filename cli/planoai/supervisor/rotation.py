"""Log rotation by size: which files are renamed (pure), and doing it.

A renamed file is reopened by its writer: Envoy when told through its admin interface, Python through
logging.handlers.WatchedFileHandler.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RotationPolicy:
    """A log above `max_bytes` becomes `.1`, the old `.1` becomes `.2`, and so on; `keep` old files stay."""

    max_bytes: int = 50 * 1024 * 1024
    keep: int = 5
    #: How often sizes are looked at, in seconds.
    interval_s: float = 10.0


@dataclass(frozen=True)
class RotationPlan:
    """Files to delete, then renames in this order. Numbers are suffixes; 0 is the log itself."""

    deletes: tuple[int, ...] = ()
    renames: tuple[tuple[int, int], ...] = ()


def plan_rotation(policy: RotationPolicy, size_bytes: int, suffixes: Iterable[int]) -> RotationPlan:
    """What to do with a log of `size_bytes` that has old files with these number suffixes."""
    if size_bytes < policy.max_bytes:
        return RotationPlan()
    old = sorted(set(suffixes), reverse=True)
    deletes = tuple(number for number in old if number >= policy.keep)
    # From the highest number down, so that no rename meets a file that is still to move.
    renames = tuple((number, number + 1) for number in old if number < policy.keep)
    if policy.keep == 0:
        return RotationPlan(deletes=(*deletes, 0))
    return RotationPlan(deletes=deletes, renames=(*renames, (0, 1)))


def rotate(policy: RotationPolicy, log: Path) -> bool:
    """Rotate `log` if it is due. Returns whether its writer has to reopen it. Raises OSError."""
    try:
        size_bytes = log.stat().st_size
    except FileNotFoundError:
        return False
    plan = plan_rotation(policy, size_bytes, _suffixes(log))
    for number in plan.deletes:
        _numbered(log, number).unlink(missing_ok=True)
    for source, target in plan.renames:
        _numbered(log, source).replace(_numbered(log, target))
    return bool(plan.deletes or plan.renames)


def _suffixes(log: Path) -> list[int]:
    pattern = re.compile(re.escape(log.name) + r"\.([1-9]\d{0,5})")
    found = (pattern.fullmatch(entry.name) for entry in log.parent.iterdir())
    return [int(match[1]) for match in found if match]


def _numbered(log: Path, number: int) -> Path:
    return log if number == 0 else log.with_name(f"{log.name}.{number}")
