"""The trail of a request: what was tried, what came of it, how long it took. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from brightstaff.conditions import Obstacle
from brightstaff.headers import header_safe


@dataclass
class Hop:
    """One attempt."""

    channel: str
    """Name of the channel; of its key, nothing."""
    started_s: float
    """Clock reading (monotonic) at the decision."""
    outcome: str | None = None
    """HTTP status, or one word: `refused`, `timeout`, `reset`, …; None while it runs."""
    ended_s: float | None = None
    other_model: bool = False
    """Whether this channel's model is not the one that was asked for."""
    passed_over: Sequence[tuple[str, Obstacle]] = ()
    """Channels that would have come before it, and what spoke against them."""
    waited_s: float = 0.0
    """Back-off or Retry-After before it."""
    fault: str = ""
    """Whose fault its failure was: caller, channel, key, rate or timeout."""
    cause: str = ""
    """What its words say, where they say more than the status: `quota`."""
    retry_after_s: float | None = None
    """What the provider said."""
    held_against_s: float = 0.0
    """How long the channel is left alone because of it."""
    after_content: bool = False
    """Whether it broke when content had already reached the client."""

    def end(self, outcome: str, now_s: float) -> None:
        """Note what came of it; the first word stands."""
        if self.outcome is None:
            self.outcome = outcome
            self.ended_s = now_s

    def render(self, now_s: float) -> str:
        """`custom/claude-opus-4-6=429/12ms`, with `;other-model` where that is so."""
        ended_s = now_s if self.ended_s is None else self.ended_s
        elapsed_ms = round((ended_s - self.started_s) * 1000)
        text = f"{header_safe(self.channel).replace(',', '%2C')}={self.outcome or 'running'}/{elapsed_ms}ms"
        return f"{text};other-model" if self.other_model else text


@dataclass
class Trail:
    """All attempts of a request, in order."""

    hops: list[Hop] = field(default_factory=list)

    def start(
        self, channel: str, now_s: float, passed_over: Sequence[tuple[str, Obstacle]] = (), waited_s: float = 0.0
    ) -> Hop:
        """Begin the next hop."""
        hop = Hop(channel, now_s, passed_over=passed_over, waited_s=waited_s)
        self.hops.append(hop)
        return hop

    def render(self, now_s: float) -> str:
        """The value of `x-plano-attempts`, and the last field of the access log."""
        return ", ".join(hop.render(now_s) for hop in self.hops)
