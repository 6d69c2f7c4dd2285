"""What a set of labelled prompts says about a router: accuracy, confusions, dangerous downgrades.

Pure, but for `load_labelled`.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from planoai.errors import EXIT_USAGE, PlanoError

_REMEDY = 'Write one JSON object a line: {"messages": [...], "route": "NAME"} or {"prompt": "...", "route": null}.'


@dataclass(frozen=True)
class Labelled:
    """A request whose route is known."""

    body: Mapping[str, object]
    route: str | None
    also: tuple[str | None, ...] = ()
    """Other routes that are as good."""
    lang: str = ""
    line: int = 0
    """Where it stands in its file, from 1."""


def load_labelled(path: Path, routes: Sequence[str]) -> list[Labelled]:
    """The labelled prompts of a file. Raises PlanoError with the lines that are wrong, and OSError."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise PlanoError(f"{path}: is not UTF-8 text", "Save it as UTF-8.", exit_code=EXIT_USAGE) from None
    return read_labelled(text, str(path), routes)


def read_labelled(text: str, file: str, routes: Sequence[str]) -> list[Labelled]:
    """The lines of a JSONL file. Raises PlanoError with the lines that are wrong."""
    found: list[Labelled] = []
    unknown: dict[str, list[int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file}:{number}"
        try:
            data = json.loads(line)
        except ValueError as error:
            raise _mistake(f"{where}: is not JSON: {error}") from None
        if not isinstance(data, dict) or "route" not in data:
            raise _mistake(f"{where}: has no `route`")
        prompt = data.get("prompt", data.get("text"))
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else data.get("messages")
        if not isinstance(messages, list):
            raise _mistake(f"{where}: has neither `messages` nor `prompt`")
        if data["route"] is not None and data["route"] not in routes:
            unknown.setdefault(str(data["route"]), []).append(number)
            continue
        also = tuple(data.get("alt") or ())
        lang = str(data.get("lang", ""))
        found.append(Labelled({**data, "messages": messages}, data["route"], also, lang, number))
    if unknown:
        raise _unknown_routes(unknown, file, routes)
    if not found:
        raise _mistake(f"{file}: holds no prompts")
    return found


def _mistake(message: str) -> PlanoError:
    return PlanoError(message, _REMEDY, exit_code=EXIT_USAGE)


def _unknown_routes(unknown: Mapping[str, Sequence[int]], file: str, routes: Sequence[str]) -> PlanoError:
    """All of them at once: they are mostly one mistake, made on many lines."""
    parts = [f"{name!r} is no route of the configuration ({line_list(lines)})" for name, lines in unknown.items()]
    first = min(min(lines) for lines in unknown.values())
    return PlanoError(f"{file}:{first}: {'; '.join(parts)}", f"Its routes: {', '.join(routes)}.", exit_code=EXIT_USAGE)


def line_list(lines: Sequence[int], most: int = 10) -> str:
    """Line numbers for people: "line 3", "lines 3, 7 and 9", of many the first."""
    shown = [str(line) for line in lines[:most]]
    if len(lines) > most:
        return f"lines {', '.join(shown)} and {len(lines) - most} more"
    return f"line {shown[0]}" if len(shown) == 1 else f"lines {', '.join(shown[:-1])} and {shown[-1]}"


@dataclass
class Score:
    """Right ones among so many."""

    right: int = 0
    number: int = 0

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.right / self.number if self.number else 0.0

    def note(self, *, right: bool) -> None:
        """One more."""
        self.right += right
        self.number += 1


@dataclass
class Report:
    """What came of a set."""

    backend: str
    strict: Score = field(default_factory=Score)
    lenient: Score = field(default_factory=Score)
    """Where the label names several routes, each of them counts."""
    always_default: Score = field(default_factory=Score)
    """What sending everything to the default would score."""
    routes: dict[str, Score] = field(default_factory=lambda: defaultdict(Score))
    languages: dict[str, Score] = field(default_factory=lambda: defaultdict(Score))
    confusions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Meant and given."""
    downgrades: Score = field(default_factory=Score)
    """Of the prompts for a stronger model: those that got a weaker one."""
    times_ms: list[float] = field(default_factory=list)

    def time_ms(self, quantile: float) -> float:
        """A quantile of the times of decision."""
        ordered = sorted(self.times_ms)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else 0.0


def measure(
    backend: str,
    outcomes: Iterable[tuple[Labelled, str | None, float]],
    strength_of: Callable[[str | None], float],
) -> Report:
    """Compare what was given with what was meant: (prompt, route given, milliseconds).

    `strength_of` tells how capable the model of a route is; of None, that of the default.
    """
    report = Report(backend)
    for labelled, given, took_ms in outcomes:
        right = given == labelled.route
        report.strict.note(right=right)
        report.lenient.note(right=right or given in labelled.also)
        report.always_default.note(right=labelled.route is None)
        report.routes[_name(labelled.route)].note(right=right)
        if labelled.lang:
            report.languages[labelled.lang].note(right=right)
        if not right:
            report.confusions[_name(labelled.route), _name(given)] += 1
        needed = strength_of(labelled.route)
        if needed > 1.0:
            weaker = strength_of(given) < needed and strength_of(given) <= 1.0 and given not in labelled.also
            report.downgrades.note(right=weaker)
        report.times_ms.append(took_ms)
    return report


def _name(route: str | None) -> str:
    return "(none)" if route is None else route
