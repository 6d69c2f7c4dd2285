"""Which of a user's labelled prompts become `examples:` of their routes, and what that changes. Pure.

In rounds: of the prompts that are decided wrongly or not surely, the one that is most like the others of its route
becomes an example; then all are asked again. What the examples are worth is measured on prompts that were not there
when they were chosen.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from brightstaff import routing
from brightstaff.routing import Undecided
from brightstaff.settings import RouteSettings, RoutingSettings
from plano_router.answer import Route
from plano_router.classifier import Classifier
from plano_router.features import features
from plano_router.matching import Matcher
from plano_router.reading import Kind, Reading, read_request
from plano_router.trimming import trim
from planoai.evaluation import Labelled, Report, measure
from planoai.secret_text import looks_secret

#: An example is no longer than this: what a prompt asks for shows at its head and its tail.
_MOST_CHARACTERS = 400
#: By so much must the right route lead for a prompt to count as decided surely.
_SURE_LEAD = 0.3
#: Of each route, so many of the least sure prompts are looked at in a round.
_MOST_UNSURE = 60
_FOLDS = 5
#: Up to so many prompts, each is judged by examples from all others.
_FEW = 25


@dataclass(frozen=True)
class Prompt:
    """A labelled prompt as the router reads it."""

    labelled: Labelled
    reading: Reading

    @property
    def example(self) -> str:
        """What would be written into the configuration."""
        return trim(self.reading.text, _MOST_CHARACTERS)


@dataclass
class Set:
    """The prompts of a file, sorted by what they are good for."""

    prompts: list[Prompt] = field(default_factory=list)
    """Each once; all of them are measured with."""
    usable: list[int] = field(default_factory=list)
    """Those that may become examples, as positions in `prompts`."""
    left_out: dict[str, list[int]] = field(default_factory=dict)
    """Why the others may not → their lines."""

    def leave_out(self, why: str, prompt: Prompt) -> None:
        """Not an example."""
        self.left_out.setdefault(why, []).append(prompt.labelled.line)


@dataclass(frozen=True)
class Outcome:
    """New examples for each route, and accuracy without and with examples chosen in that way."""

    examples: Mapping[str, tuple[str, ...]]
    before: Report
    after: Report

    @property
    def objection(self) -> str:
        """Why the examples had better not be written; empty where they help."""
        gained = self.after.strict.right - self.before.strict.right
        if gained <= 0:
            return "no more prompts would get their route"
        # A prompt that a weak model spoils costs more than one that a strong model answers for nothing.
        if 2 * (self.after.downgrades.right - self.before.downgrades.right) > gained:
            return "too many of the prompts that need a capable model would get a small one"
        return ""


def sort_out(labelled: Iterable[Labelled], routes: Sequence[RouteSettings]) -> Set:
    """What the prompts of a file are good for."""
    found = Set()
    existing = {_plain(example) for each in routes for example in each.examples}
    seen: dict[str, str | None] = {}
    for each in labelled:
        prompt = Prompt(each, read_request("/chat/completions", each.body))
        plain = _plain(prompt.reading.text)
        if plain in existing or _plain(prompt.example) in existing:
            found.leave_out("are examples already", prompt)
            continue
        key = f"{plain}\x1f{_plain(prompt.reading.context)}"
        if key in seen:
            same = seen[key] == each.route
            found.leave_out("repeat another one" if same else "contradict another one", prompt)
            continue
        seen[key] = each.route
        why_not = _why_not(prompt)
        if why_not is None:
            found.usable.append(len(found.prompts))
        elif each.route is not None:
            found.leave_out(why_not, prompt)
        found.prompts.append(prompt)
    return found


def _why_not(prompt: Prompt) -> str | None:
    reading = prompt.reading
    if prompt.labelled.route is None:
        return "fit no route"
    if reading.kind is not Kind.TURN:
        return "are no turn of a user (a tool loop, an agent's own request, or nothing)"
    if looks_secret(reading.text):
        return "look as if they held a secret"
    if reading.context:
        return "are too short to mean anything without the turn before"
    return None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


class Learner:
    """Chooses examples for the routes of a configuration, at most `per_route` for each, those it has included."""

    def __init__(self, classifier: Classifier, settings: RoutingSettings, prompts: Set, per_route: int) -> None:
        self._classifier = classifier
        self._settings = settings
        self._prompts = prompts.prompts
        self._usable = prompts.usable
        self._per_route = per_route
        self._features: dict[int, dict[int, float]] = {}
        self._likeness: dict[tuple[int, int], float] = {}

    def learn(self, strength_of: Callable[[str | None], float]) -> Outcome:
        """Choose from all prompts, and measure what such a choice is worth.

        `strength_of` tells how capable the model of a route is; of None, that of the default.
        """
        everything = range(len(self._prompts))
        before = [self._given(self._matcher({}), number) for number in everything]
        after: list[str | None] = [None] * len(self._prompts)
        for held_out in self._folds():
            chosen = self._choose(set(everything) - set(held_out))
            matcher = self._matcher(chosen)
            for number in held_out:
                after[number] = self._given(matcher, number)
        chosen = self._choose(set(everything))
        return Outcome(
            {name: tuple(self._prompts[number].example for number in chosen[name]) for name in chosen},
            self._report("before", before, strength_of),
            self._report("after", after, strength_of),
        )

    def _report(self, name: str, given: Sequence[str | None], strength_of: Callable[[str | None], float]) -> Report:
        outcomes = [(prompt.labelled, route, 0.0) for prompt, route in zip(self._prompts, given, strict=True)]
        return measure(name, outcomes, strength_of)

    def _folds(self) -> list[list[int]]:
        """Parts of about the same size, each with its share of every route."""
        number_of_folds = len(self._prompts) if len(self._prompts) <= _FEW else _FOLDS
        ordered = sorted(range(len(self._prompts)), key=lambda each: str(self._prompts[each].labelled.route))
        return [ordered[first::number_of_folds] for first in range(number_of_folds)]

    def _choose(self, among: set[int]) -> dict[str, list[int]]:
        """Examples for each route from these prompts, as positions."""
        chosen: dict[str, list[int]] = {}
        room = {each.name: self._per_route - len(each.examples) for each in self._settings.routes}
        candidates = [number for number in self._usable if number in among]
        while candidates:
            matcher = self._matcher(chosen)
            unsure: dict[str, list[tuple[float, int]]] = {}
            for number in candidates:
                name, lead = self._lead(matcher, number)
                if lead < _SURE_LEAD and len(chosen.get(name, ())) < room[name]:
                    unsure.setdefault(name, []).append((lead, number))
            if not unsure:
                break
            for name, of_route in unsure.items():
                chosen.setdefault(name, []).append(self._most_typical(sorted(of_route)[:_MOST_UNSURE]))
            taken = {number for numbers in chosen.values() for number in numbers}
            # Who is sure now stays so: more examples of the own route only help.
            candidates = [number for of_route in unsure.values() for _, number in of_route if number not in taken]
        return chosen

    def _most_typical(self, unsure: Sequence[tuple[float, int]]) -> int:
        """The prompt that is most like the others, so that they gain from it; among equals the least sure."""
        numbers = [number for _, number in unsure]
        return max(numbers, key=lambda each: sum(self._alike(each, other) for other in numbers if other != each))

    def _alike(self, first: int, second: int) -> float:
        """0 to 1, as the matcher sees it."""
        pair = (min(first, second), max(first, second))
        if pair not in self._likeness:
            one, other = self._features_of(pair[0]), self._features_of(pair[1])
            self._likeness[pair] = sum(value * other.get(bucket, 0.0) for bucket, value in one.items())
        return self._likeness[pair]

    def _features_of(self, number: int) -> dict[int, float]:
        if number not in self._features:
            buckets, values = features(self._prompts[number].example)
            self._features[number] = dict(zip(buckets.tolist(), values.tolist(), strict=True))
        return self._features[number]

    def _matcher(self, chosen: Mapping[str, Sequence[int]]) -> Matcher:
        routes = [
            Route(
                each.name,
                each.description,
                (*each.examples, *(self._prompts[number].example for number in chosen.get(each.name, ()))),
            )
            for each in self._settings.routes
        ]
        return Matcher.build(self._classifier, routes)

    def _lead(self, matcher: Matcher, number: int) -> tuple[str, float]:
        """A prompt's route, and by how much it is before all others; negative: behind."""
        prompt = self._prompts[number]
        name = prompt.labelled.route
        assert name is not None, "only prompts with a route are usable"  # noqa: S101
        answer = matcher.ask(prompt.reading.text, prompt.reading.context)
        others = [probability for other, probability in answer.probabilities.items() if other != name]
        return name, answer.probabilities[name] - max([*others, answer.none])

    def _given(self, matcher: Matcher, number: int) -> str | None:
        """The route that a prompt gets, by the rules of the gateway."""
        reading = self._prompts[number].reading
        question = Undecided(reading, self._settings.routes, None, "")
        if reading.kind is Kind.EMPTY:
            return None
        if reading.kind is Kind.HOUSEKEEPING:
            return routing.housekeeping(self._settings, question).route
        answer = matcher.ask(reading.text, reading.context)
        return routing.decide(self._settings, question, answer, None, 0.0).route
