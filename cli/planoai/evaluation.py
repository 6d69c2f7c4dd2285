"""What a set of labelled prompts says about a router: accuracy, confusions, dangerous downgrades. Pure."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from planoai.errors import PlanoError

_REMEDY = 'Write one JSON object a line: {"messages": [...], "route": "NAME"} or {"prompt": "...", "route": null}.'


@dataclass(frozen=True)
class Labelled:
    """A request whose route is known."""

    body: Mapping[str, object]
    route: str | None
    also: tuple[str | None, ...] = ()
    """Other routes that are as good."""
    lang: str = ""


def read_labelled(text: str, file: str, routes: Sequence[str]) -> list[Labelled]:
    """The lines of a JSONL file. Raises PlanoError with the line that is wrong."""
    found: list[Labelled] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file}:{number}"
        try:
            data = json.loads(line)
        except ValueError as error:
            raise PlanoError(f"{where}: is not JSON: {error}", _REMEDY) from None
        if not isinstance(data, dict) or "route" not in data:
            raise PlanoError(f"{where}: has no `route`", _REMEDY)
        prompt = data.get("prompt", data.get("text"))
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else data.get("messages")
        if not isinstance(messages, list):
            raise PlanoError(f"{where}: has neither `messages` nor `prompt`", _REMEDY)
        if data["route"] is not None and data["route"] not in routes:
            named = ", ".join(routes)
            raise PlanoError(f"{where}: {data['route']!r} is no route of the configuration", f"Its routes: {named}.")
        also = tuple(data.get("alt") or ())
        found.append(Labelled({**data, "messages": messages}, data["route"], also, str(data.get("lang", ""))))
    if not found:
        raise PlanoError(f"{file}: holds no prompts", _REMEDY)
    return found


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
