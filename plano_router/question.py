"""What a router is asked."""

from dataclasses import dataclass

from plano_router.answer import Route
from plano_router.reading import Turn


@dataclass(frozen=True)
class Question:
    """A request, as far as a router reads it."""

    text: str
    context: str = ""
    turns: tuple[Turn, ...] = ()
    routes: tuple[Route, ...] = ()
    """Instead of the configured ones; empty: those."""
    timeout_s: float = 2.5
