"""Which behaviour a request gets: the rules in order, and the counts that they keep. No I/O; chance is passed in."""

import re
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

from planoai.simulator.behaviour import Behaviour
from planoai.simulator.request_facts import RequestFacts
from planoai.simulator.rules import Match, Patterns, Rule


class Choice(NamedTuple):
    """The behaviour of a rule, and what to call the rule in logs."""

    rule: str
    behaviour: Behaviour


class RuleBook:
    """Rules, and how often each of them and of their behaviours has served."""

    def __init__(self, rules: Sequence[Rule], label: str = "rule") -> None:
        self.rules = tuple(rules)
        self._states = [_RuleState(rule, rule.name or f"{label} {index}") for index, rule in enumerate(self.rules, 1)]

    def choose(self, facts: RequestFacts, chance: Random) -> Choice | None:
        """The behaviour of the first rule that matches, counted; None when none does."""
        for state in self._states:
            behaviour = state.serve(facts, chance)
            if behaviour is not None:
                return Choice(state.label, behaviour)
        return None


class _RuleState:
    """One rule and its counts."""

    def __init__(self, rule: Rule, label: str) -> None:
        self.label = label
        self._rule = rule
        self._matched = 0
        last = len(rule.behaviours) - 1
        endless = rule.choose == "random"
        #: Requests that each behaviour still serves; None: without end.
        self._left: list[int | None] = [
            each.times if each.times is not None else None if endless or index == last else 1
            for index, each in enumerate(rule.behaviours)
        ]

    def serve(self, facts: RequestFacts, chance: Random) -> Behaviour | None:
        match = self._rule.match
        if not conditions_hold(match, facts):
            return None
        self._matched += 1
        if not _turn_holds(match, self._matched):
            return None
        # Chance is only asked where it decides, so that a seed gives the same sequence whatever other rules there are.
        if self._rule.probability < 1 and chance.random() >= self._rule.probability:
            return None
        usable = [index for index, left in enumerate(self._left) if left is None or left > 0]
        if not usable:
            return None
        index = chance.choice(usable) if self._rule.choose == "random" and len(usable) > 1 else usable[0]
        behaviour = self._rule.behaviours[index]
        if behaviour.probability < 1 and chance.random() >= behaviour.probability:
            return None
        left = self._left[index]
        if left is not None:
            self._left[index] = left - 1
        return behaviour


def conditions_hold(match: Match, facts: RequestFacts) -> bool:
    """Whether a request fulfils all conditions but those on its turn."""
    return (
        (match.stream is None or match.stream == facts.stream)
        and _fits(match.key, facts.key)
        and _fits(match.model, facts.model)
        and (match.path is None or any(_ends_with(each, facts.path) for each in _listed(match.path)))
        and all(_fits(pattern, facts.headers.get(name.lower())) for name, pattern in match.headers.items())
    )


def _turn_holds(match: Match, turn: int) -> bool:
    """Whether the `turn`-th request, counted from 1, is meant."""
    if match.every is not None and turn % match.every != 0:
        return False
    if match.nth is None:
        return True
    return turn in match.nth if isinstance(match.nth, list) else turn == match.nth


def _listed(patterns: str | list[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else patterns


def _fits(patterns: Patterns, value: str | None) -> bool:
    if patterns is None:
        return True
    if value is None:
        return False
    return any(
        each == value if "*" not in each else _compiled(each).fullmatch(value) is not None for each in _listed(patterns)
    )


def _ends_with(pattern: str, path: str) -> bool:
    end = pattern.rstrip("/")
    return path.endswith(end) if "*" not in end else _compiled(f"*{end}").fullmatch(path) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
