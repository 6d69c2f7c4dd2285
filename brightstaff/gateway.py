"""What all attempts of one brightstaff share."""

import random
import time
from collections.abc import Callable

from brightstaff.catalog import Catalog, Target
from brightstaff.errors import APIError
from brightstaff.exchange import Exchange, Exchanges
from brightstaff.origins import OriginPolicy
from brightstaff.retry import Candidate, Limits, build_chain
from brightstaff.settings import RetrySettings, Settings
from brightstaff.surface import ModelCall

#: Endpoints on which another model is better than none. Elsewhere (embeddings, say) its answer would be worth nothing.
_CONVERSATIONS = frozenset({"/chat/completions", "/completions", "/messages", "/responses"})


class Gateway:
    """The configured channels, the limits, and the requests that are under way.

    `chance` gives random numbers from 0 to 1 (jitter), `wall_clock` seconds since the epoch (dates of providers).
    """

    def __init__(
        self,
        settings: Settings,
        chance: Callable[[], float] = random.random,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.catalog = Catalog(settings.channels, settings.aliases)
        self.exchanges = Exchanges()
        self.origins = OriginPolicy(settings.allowed_origins)
        self.max_request_bytes = settings.max_request_bytes
        self.max_attempts = settings.max_attempts
        self.local_header = settings.local_header
        """On answers that `egress` made itself. No provider knows its name."""
        self.chance = chance
        self.wall_clock = wall_clock

    def begin(self, id_: str, call: ModelCall, asked: str | None, limits: Limits, now_s: float) -> Exchange:
        """A new exchange with its chain. Raises UnknownModelError."""
        primary = self.catalog.resolve(asked)
        policy = primary.channel.retry
        targets = self._targets(primary, policy, call)
        chain = build_chain(
            _candidate(primary, listed=True),
            policy,
            [_candidate(each) for each in targets.values()],
            [_candidate(targets[name], listed=True) for name in self._listed(policy)],
        )
        exchange = Exchange(
            id=id_,
            call=call,
            asked=asked,
            policy=policy,
            chain=chain,
            targets=targets,
            limits=limits,
            started_s=now_s,
            upcoming=primary,
        )
        self.exchanges.start(exchange)
        return exchange

    def _listed(self, policy: RetrySettings | None) -> list[str]:
        """The names of the fallbacks, with wildcards filled in."""
        if policy is None:
            return []
        found = [self.catalog.find(name) for name in policy.fallback_models]
        return [target.name for target in found if target is not None]

    def _targets(self, primary: Target, policy: RetrySettings | None, call: ModelCall) -> dict[str, Target]:
        """Every target that the chain may have, by its name."""
        targets = {primary.name: primary}
        if policy is None:
            return targets
        for name in policy.fallback_models:
            target = self.catalog.find(name)
            if target is not None:
                targets.setdefault(target.name, target)
        for channel in self.catalog.channels:
            # Whether a wildcard's provider has this model, nobody knows.
            if not channel.is_wildcard and (call.suffix in _CONVERSATIONS or channel.model == primary.model):
                targets.setdefault(channel.name, Target(channel, channel.model))
        return targets

    def too_large(self) -> APIError:
        """The error for a body over the limit."""
        return APIError(
            413,
            "request_too_large",
            f"The request body is larger than the limit of {self.max_request_bytes} bytes. "
            "Send less, or raise overrides.max_request_bytes in config.yaml.",
        )


def _candidate(target: Target, *, listed: bool = False) -> Candidate:
    return Candidate(target.name, target.channel.prefix, target.model, listed)
