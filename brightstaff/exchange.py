"""One request of a client with all its attempts, and where it is kept between attempts."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from brightstaff.catalog import Target
from brightstaff.failures import LocalFailure
from brightstaff.headers import Header
from brightstaff.retry import Candidate, Decision, Failure, Limits, PassOn, TryNext, decide
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
    upcoming: Target | None
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

    @property
    def target(self) -> Target:
        """Where the last attempt went."""
        return self.targets[self.trail.hops[-1].channel]

    def start_attempt(self, now_s: float) -> Target:
        """The next attempt begins. There must be one upcoming."""
        target = self.upcoming
        if target is None:
            raise RuntimeError("no attempt is due")
        self.upcoming = None
        self.hop = self.trail.start(target.name, now_s)
        return target

    def what_next(self, failure: Failure, now_s: float, chance: float) -> Decision:
        """What would follow this failure; nothing is noted yet."""
        return decide(
            self.policy,
            self.chain,
            [*self.failures, failure],
            now_s=now_s,
            first_retry_s=self.first_retry_s,
            limits=self.limits,
            chance=chance,
        )

    def fail(self, failure: Failure, remains: Remains, now_s: float, chance: float) -> Decision:
        """Note a failure; says what follows, and prepares the next attempt if there is one."""
        decision = self.what_next(failure, now_s, chance)
        self.failures.append(failure)
        self.remains.append(remains)
        match decision:
            case TryNext(channel, delay_s):
                self.upcoming = self.targets[channel]
                self.not_before_s = now_s + delay_s if delay_s > 0 else 0.0
                if self.first_retry_s is None:
                    self.first_retry_s = now_s + delay_s
            case PassOn():
                pass
        return decision


class Exchanges:
    """Exchanges by id.

    One whose attempt runs is kept until it is closed. One that rests between two attempts is forgotten after `keep_s`
    seconds: its client left, and nobody comes back for it.
    """

    def __init__(self, keep_s: float = 60.0) -> None:
        self._keep_s = keep_s
        self._by_id: dict[str, Exchange] = {}
        self._resting: OrderedDict[str, float] = OrderedDict()

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
        self._resting[exchange.id] = now_s
        self._resting.move_to_end(exchange.id)
        while self._resting:
            oldest, since_s = next(iter(self._resting.items()))
            if now_s - since_s < self._keep_s:
                return
            del self._resting[oldest]
            self._by_id.pop(oldest, None)

    def close(self, exchange: Exchange) -> None:
        """The client has its answer."""
        self._by_id.pop(exchange.id, None)
        self._resting.pop(exchange.id, None)
