"""All answers that a model may give, as a tree of tokens: what they have in common is evaluated once. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

#: The place before the first token that tells the answers apart.
ROOT = -1


@dataclass(frozen=True)
class Node:
    """A token that must be evaluated, because tokens of answers follow it."""

    token: int
    parent: int
    """Index of the node before; ROOT for none."""
    depth: int
    """0 for the tokens that follow ROOT."""
    answers: tuple[int, ...]
    """Which answers go through it."""


@dataclass(frozen=True)
class Trie:
    """Answers by their tokens."""

    shared: tuple[int, ...]
    """What all answers begin with: it says nothing about which of them it is, and stands before ROOT."""
    nodes: tuple[Node, ...]
    """Parents before their children."""
    steps: tuple[tuple[tuple[int, int], ...], ...]
    """For each answer, its tokens after `shared`, each with the node that it follows."""

    @classmethod
    def build(cls, answers: Sequence[Sequence[int]]) -> "Trie":
        """The tree of these answers, each a sequence of tokens, at least one."""
        shared = _common_prefix(answers)
        through: dict[tuple[int, ...], list[int]] = {}
        for number, answer in enumerate(answers):
            rest = tuple(answer[len(shared) :])
            # The last token is only read off what precedes it.
            for end in range(1, len(rest)):
                through.setdefault(rest[:end], []).append(number)
        paths = sorted(through, key=len)
        place = {(): ROOT} | {path: index for index, path in enumerate(paths)}
        nodes = tuple(Node(path[-1], place[path[:-1]], len(path) - 1, tuple(through[path])) for path in paths)
        steps = tuple(
            tuple((place[rest[:end]], rest[end]) for end in range(len(rest)))
            for rest in (tuple(answer[len(shared) :]) for answer in answers)
        )
        return cls(tuple(shared), nodes, steps)

    def wanted(self) -> dict[int, list[int]]:
        """For ROOT and each node the tokens that may follow."""
        found: dict[int, list[int]] = {}
        for node, token in sorted({step for steps in self.steps for step in steps}):
            found.setdefault(node, []).append(token)
        return found

    def sums(self, log_probability: Callable[[int, int], float]) -> list[float]:
        """The log-probability of each answer, given that of a token (second) after a node (first)."""
        return [sum(log_probability(node, token) for node, token in steps) for steps in self.steps]


def shares(sums: Sequence[float]) -> list[float]:
    """Probabilities that make 1 from log-probabilities."""
    powers = np.exp(np.asarray(sums, np.float64) - max(sums))
    return [float(each) for each in powers / powers.sum()]


def _common_prefix(answers: Sequence[Sequence[int]]) -> list[int]:
    return [tokens[0] for tokens in _while_equal(answers)]


def _while_equal(answers: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    columns = list(zip(*answers, strict=False))
    end = next((index for index, column in enumerate(columns) if len(set(column)) > 1), len(columns))
    return columns[:end]
