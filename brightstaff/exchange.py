"""One request of a client with all its attempts, and where they are kept between attempts."""

from collections import OrderedDict
from dataclasses import dataclass, field

from brightstaff.catalog import Target
from brightstaff.settings import RetrySettings
from brightstaff.surface import ModelCall
from brightstaff.trail import Hop, Trail


@dataclass
class Exchange:
    """What outlives an attempt."""

    id: str
    call: ModelCall
    asked: str | None
    """The model as the client named it."""
    policy: RetrySettings | None
    """The primary channel's."""
    upcoming: Target | None
    """Where the next attempt goes; None while one runs."""
    started_s: float
    trail: Trail = field(default_factory=Trail)
    hop: Hop | None = None
    """The attempt that runs."""


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
