"""What a router says of a request: how well each route suits it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """A route as its author describes it."""

    name: str
    description: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """Probabilities of the routes, and that none fits; together they make 1."""

    probabilities: Mapping[str, float]
    none: float
    backend: str
    content: str = ""
    """What a language model said."""

    @property
    def ranked(self) -> Sequence[tuple[str, float]]:
        """Routes with their probabilities, the best first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])

    @property
    def best(self) -> float:
        """The probability of the best route."""
        return max(self.probabilities.values(), default=0.0)


class RouterError(Exception):
    """A backend gave no answer. The message says why, for the log."""


class WarmingUpError(RouterError):
    """A backend gives no answer yet."""
