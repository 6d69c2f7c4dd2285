"""One request of a client with all its attempts, and where it is kept between attempts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from brightstaff.catalog import Target
from brightstaff.failures import LocalFailure
from brightstaff.headers import Header
from brightstaff.retry import (
    NO_OBSTACLES,
    Candidate,
    Decision,
    Failure,
    Limits,
    Obstacles,
    PassOn,
    TryNext,
    decide,
    first_target,
)
from brightstaff.routing import Routed
from brightstaff.settings import RetrySettings
from brightstaff.surface import ModelCall
from brightstaff.trail import Hop, Trail


@dataclass(frozen=True)
class KeptAnswer:
    """A failed answer of a provider, kept because it may turn out to be the one that tells the client most."""

    headers: Sequence[Header]
    body: bytes
    problem: str | None = None
    """What is wrong with it, where its status says that all is well."""

    @property
    def status(self) -> int:
        """The provider's own."""
        return int(dict(self.headers).get(":status", "502"))


#: What an attempt left behind: an answer, or Envoy's word that there was none.
Remains = KeptAnswer | LocalFailure


@dataclass
class Exchange:
    """What outlives an attempt."""

    id: str
    call: ModelCall
    asked: str | None
    """The model as the client named it."""
    policy: RetrySettings | None
    """The primary channel's."""
    chain: tuple[Candidate, ...]
    targets: Mapping[str, Target]
    """By the names in the chain."""
    limits: Limits
    started_s: float
    upcoming: TryNext | None
    """Where the next attempt goes; None while one runs."""
    not_before_s: float = 0.0
    """When the next attempt may begin."""
    first_retry_s: float | None = None
    trail: Trail = field(default_factory=Trail)
    hop: Hop | None = None
    """The attempt that runs."""
    failures: list[Failure] = field(default_factory=list)
    remains: list[Remains] = field(default_factory=list)
    """Of each failure."""
    obstacles: Obstacles = field(default_factory=dict)
    """What spoke against the channels at the last decision."""
    left_s: float | None = None
    """When its last attempt ended without anybody coming back so far."""
    broken: bool = False
    """Whether the provider broke off its answer after it had begun."""
    routed: Routed | None = None
    """How it was routed by intent, if it was."""
    streams: bool = False
    """Whether a stream was asked for."""
    why_no_more: str = ""
    """Why nothing was tried after the last failure."""

    @property
    def target(self) -> Target:
        """Where the last attempt went."""
        return self.targets[self.trail.hops[-1].channel]

    @property
    def next_target(self) -> Target:
        """Where the upcoming attempt goes. There must be one."""
        if self.upcoming is None:
            raise RuntimeError("no attempt is due")
        return self.targets[self.upcoming.channel]

    def start_attempt(self, now_s: float) -> Target:
        """The next attempt begins. There must be one upcoming."""
        target, upcoming = self.next_target, self.upcoming
        assert upcoming is not None  # noqa: S101
        self.upcoming, self.broken = None, False
        self.hop = self.trail.start(target.name, now_s, upcoming.passed_over, upcoming.delay_s)
        return target

    def choose_again(self, obstacles: Obstacles, now_s: float, chance: float) -> None:
        """Something has come to speak against the upcoming target."""
        if not self.failures:
            self.upcoming = first_target(self.policy, self.chain, obstacles, self.limits)
            return
        *before, last = self.failures
        decision = self._decide([*before, last], now_s, chance, obstacles)
        if isinstance(decision, TryNext) and self.upcoming is not None:
            # What there was to wait has been waited.
            self.upcoming = TryNext(decision.channel, self.upcoming.delay_s, decision.passed_over)

    def what_next(self, failure: Failure, now_s: float, obstacles: Obstacles) -> Decision:
        """What would follow this failure; nothing is noted yet."""
        return self._decide([*self.failures, failure], now_s, 0.0, obstacles)

    def fail(
        self, failure: Failure, remains: Remains, now_s: float, chance: float, obstacles: Obstacles = NO_OBSTACLES
    ) -> Decision:
        """Note a failure; says what follows, and prepares the next attempt if there is one."""
        self.failures.append(failure)
        self.remains.append(remains)
        self.obstacles = obstacles
        decision = self._decide(self.failures, now_s, chance, obstacles)
        match decision:
            case TryNext(_, delay_s):
                self.upcoming = decision
                self.not_before_s = now_s + delay_s if delay_s > 0 else 0.0
                if self.first_retry_s is None:
                    self.first_retry_s = now_s + delay_s
            case PassOn(why):
                self.why_no_more = why
        return decision

    def _decide(self, failures: Sequence[Failure], now_s: float, chance: float, obstacles: Obstacles) -> Decision:
        return decide(
            self.policy,
            self.chain,
            failures,
            now_s=now_s,
            first_retry_s=self.first_retry_s,
            limits=self.limits,
            chance=chance,
            obstacles=obstacles,
        )

    def smallest_wait_s(self, now_s: float) -> float | None:
        """In how many seconds the first of the channels may be asked again, as far as providers said so."""
        waits_s = [each.retry_after_s - (now_s - each.at_s) for each in self.failures if each.retry_after_s is not None]
        failed = {each.channel for each in self.failures}
        waits_s += [against.left_s for name, against in self.obstacles.items() if against.hinted and name not in failed]
        return max(0.0, min(waits_s)) if waits_s else None


#: Whose provider broke off mostly has a client that knows it: only `ingress` may come back, and at once.
_BROKEN_KEEP_S = 1.0


class Exchanges:
    """Exchanges by id.

    One whose attempt runs is kept until it is closed. One that rests between two attempts is forgotten after `keep_s`
    seconds: its client left, and nobody comes back for it.
    """

    def __init__(self, keep_s: float = 15.0) -> None:
        self._keep_s = keep_s
        self._by_id: dict[str, Exchange] = {}
        self._resting: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def start(self, exchange: Exchange) -> None:
        """Keep a new exchange."""
        self._by_id[exchange.id] = exchange

    def resume(self, id_: str) -> Exchange | None:
        """The exchange whose next attempt begins; None for a new request."""
        self._resting.pop(id_, None)
        return self._by_id.get(id_)

    def rest(self, exchange: Exchange, now_s: float) -> None:
        """An attempt ended and another may follow."""
        if exchange.id not in self._by_id:
            return
        exchange.left_s = now_s
        self._resting[exchange.id] = now_s

    def find(self, id_: str) -> Exchange | None:
        """The exchange of this id, whether an attempt of it runs or not."""
        return self._by_id.get(id_)

    def forget(self, now_s: float) -> list[Exchange]:
        """Let go of those that have rested for too long; due every second or so."""
        gone = [
            self._by_id[id_]
            for id_, since_s in self._resting.items()
            if now_s - since_s >= (_BROKEN_KEEP_S if self._by_id[id_].broken else self._keep_s)
        ]
        for exchange in gone:
            self.close(exchange)
        return gone

    def close(self, exchange: Exchange) -> None:
        """The client has its answer."""
        self._by_id.pop(exchange.id, None)
        self._resting.pop(exchange.id, None)
