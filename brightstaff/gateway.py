"""What all attempts of one brightstaff share."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from brightstaff import failures
from brightstaff.catalog import Catalog, Target
from brightstaff.conditions import Setback
from brightstaff.decisions import Ending, Record, record
from brightstaff.errors import APIError
from brightstaff.exchange import Exchange, Exchanges, Remains
from brightstaff.health import Health
from brightstaff.ledger import Ledger, MemoryLedger
from brightstaff.origins import OriginPolicy
from brightstaff.retry import Candidate, Decision, Failure, Limits, Obstacles, PassOn, build_chain, first_target
from brightstaff.routing import AUTO_MODELS, Pin, Routed
from brightstaff.settings import HighLatencyRule, RetryAfterHandling, RetrySettings, Settings
from brightstaff.speeds import Speeds
from brightstaff.surface import ModelCall
from brightstaff.verdict import Fault

log = logging.getLogger("brightstaff.gateway")

#: Endpoints on which another model is better than none. Elsewhere (embeddings, say) its answer would be worth nothing.
_CONVERSATIONS = frozenset({"/chat/completions", "/completions", "/messages", "/responses"})

_DEFAULT_HANDLING = RetryAfterHandling()
#: Where a route has several models and the first one has no policy: the others are there to follow it.
_WITHIN_ROUTE = RetrySettings(fallback_scope="fallback_list_only")


class DecisionSink(Protocol):
    """Where records of decisions go."""

    def write(self, entry: Record) -> None:
        """Take a record."""

    def flush(self) -> None:
        """Let readers see what was taken."""


class Gateway:
    """The configured channels, what is known of them, the limits, and the requests that are under way.

    `chance` gives random numbers from 0 to 1 (jitter), `wall_clock` seconds since the epoch (dates of providers);
    `remember` is told which channel answered a conversation that was routed by intent.
    """

    def __init__(
        self,
        settings: Settings,
        chance: Callable[[], float] = random.random,
        wall_clock: Callable[[], float] = time.time,
        ledger: Ledger | None = None,
        decisions: DecisionSink | None = None,
        remember: Callable[[str, Pin], None] | None = None,
    ) -> None:
        self.catalog = Catalog(settings.channels, settings.aliases)
        self.exchanges = Exchanges()
        self.health = Health(settings.channels, MemoryLedger() if ledger is None else ledger, wall_clock)
        self.origins = OriginPolicy(settings.allowed_origins)
        self.max_request_bytes = settings.max_request_bytes
        self.max_attempts = settings.max_attempts
        self.local_header = settings.local_header
        """On answers that `egress` made itself. No provider knows its name."""
        self.chance = chance
        self.wall_clock = wall_clock
        self._decisions = decisions
        self.routing = settings.routing
        self.speeds = Speeds()
        self._remember = remember

    def begin(
        self,
        id_: str,
        call: ModelCall,
        asked: str | None,
        limits: Limits,
        now_s: float,
        routed: Routed | None = None,
        *,
        streams: bool = False,
    ) -> Exchange:
        """A new exchange with its chain; `streams`: a stream is asked for. Raises UnknownModelError."""
        primary, *others = self._primaries(asked, routed)
        policy = primary.channel.retry
        if policy is None and others:
            policy = _WITHIN_ROUTE
        listed = self._listed([primary, *others])
        targets = self._targets(primary, listed, policy, call)
        chain = build_chain(
            _candidate(primary, listed=True),
            policy,
            [_candidate(each) for each in targets.values()],
            [_candidate(each, listed=True) for each in listed],
        )
        obstacles = self.health.obstacles(targets.values(), id_) if policy is not None else {}
        exchange = Exchange(
            id=id_,
            call=call,
            asked=asked,
            policy=policy,
            chain=chain,
            targets=targets,
            limits=limits,
            started_s=now_s,
            upcoming=first_target(policy, chain, obstacles, limits),
            obstacles=obstacles,
            routed=routed,
            streams=streams,
        )
        self.exchanges.start(exchange)
        return exchange

    def _primaries(self, asked: str | None, routed: Routed | None) -> list[Target]:
        """The channel that comes first, and the others of its route. Raises UnknownModelError."""
        if routed is None:
            return [self.catalog.resolve(asked)]
        found = [target for target in map(self.catalog.find, routed.models) if target is not None]
        if found:
            return found
        # Nothing fits: the default channel, without one what the client named.
        if self.catalog.default is not None:
            return [Target(self.catalog.default, self.catalog.default.model)]
        if asked in AUTO_MODELS and self.catalog.find(asked or "") is None:
            first = next((each for each in self.catalog.channels if not each.is_wildcard), None)
            if first is not None:
                return [Target(first, first.model)]
        return [self.catalog.resolve(asked)]

    def by_speed(self, routed: Routed, *, streams: bool, now_s: float) -> Routed:
        """With the models in the order in which they are to be asked for speed's sake, where the route wants that."""
        if not routed.fastest or len(routed.models) < 2:
            return routed
        names: dict[str, str] = {}
        for model in routed.models:
            target = self.catalog.find(model)
            names.setdefault(model if target is None else target.name, model)
        ordered = self.speeds.order(tuple(names), streams=streams, now_s=now_s)
        return replace(routed, models=tuple(names[name] for name in ordered))

    def start_attempt(self, exchange: Exchange, now_s: float) -> Target:
        """The upcoming attempt begins; elsewhere, if its channel is on trial and another request was quicker."""
        if not self.health.claim(exchange.next_target, exchange.id):
            exchange.choose_again(self._obstacles(exchange), now_s, self.chance())
            self.health.claim(exchange.next_target, exchange.id)
        target = exchange.start_attempt(now_s)
        self.speeds.note_sent(target.name, streams=exchange.streams, now_s=now_s)
        return target

    def would_follow(self, exchange: Exchange, failure: Failure, now_s: float) -> bool:
        """Whether there is a channel, fit to be asked, to which this failure would lead."""
        obstacles = self._obstacles(exchange)
        decision = exchange.what_next(failure, now_s, obstacles)
        return not isinstance(decision, PassOn) and decision.channel not in obstacles

    def fail(
        self, exchange: Exchange, failure: Failure, setback: Setback | None, remains: Remains, now_s: float
    ) -> Decision:
        """The attempt that runs failed; `setback` is what is held against its channel, if anything is."""
        hop = exchange.trail.hops[-1]
        hop.retry_after_s = failure.retry_after_s
        hop.fault = "caller" if setback is None else setback.fault.name.lower()
        hop.cause = "" if setback is None else setback.cause
        self.hold_against(exchange, setback, now_s)
        return exchange.fail(failure, remains, now_s, self.chance(), self._obstacles(exchange))

    def hold_against(self, exchange: Exchange, setback: Setback | None, now_s: float) -> None:
        """Let later requests know of the failure of the attempt that runs; None: it says nothing about the channel."""
        hop, target = exchange.trail.hops[-1], exchange.target
        if setback is None:
            self.health.abandon(target, exchange.id)
            return
        handling = _DEFAULT_HANDLING if exchange.policy is None else exchange.policy.retry_after
        if setback.hint_s is not None:
            setback = replace(setback, hint_s=min(setback.hint_s, handling.max_s))
        hop.held_against_s = self.health.note_failure(target, setback, handling, exchange.id, now_s - hop.started_s)

    def note_answer(self, exchange: Exchange, first_byte_s: float, now_s: float) -> None:
        """The attempt that runs began to be answered; `first_byte_s` is a clock reading."""
        started_s = exchange.trail.hops[-1].started_s
        self.health.note_answer(exchange.target, now_s - started_s, first_byte_s - started_s, _slow_rule(exchange))
        self.speeds.note_answer(exchange.target.name, now_s - started_s, streams=exchange.streams, now_s=now_s)
        routed = exchange.routed
        if routed is not None and routed.session and self._remember is not None:
            # Also where failover led: the next turn finds its prompt cache there.
            self._remember(routed.session, Pin(routed.route, exchange.target.name))

    def note_end(self, exchange: Exchange, now_s: float) -> None:
        """The answer to the attempt that runs is complete."""
        self.health.note_end(exchange.target, now_s - exchange.trail.hops[-1].started_s, _slow_rule(exchange))

    def note_broken(self, request_id: str, attempt: int, now_s: float) -> None:
        """`egress` says that the provider broke off its answer to this attempt (from 1) after it had begun."""
        exchange = self.exchanges.find(request_id)
        if (
            exchange is None
            or exchange.hop is None
            or len(exchange.trail.hops) != attempt
            or exchange.failures[attempt - 1 :]
        ):
            return
        exchange.broken = True
        hop = exchange.hop
        hop.after_content, hop.fault, hop.outcome = True, Fault.CHANNEL.name.lower(), failures.CUT_SHORT.word
        log.error("request_id=%s %s", exchange.id, failures.sentence(failures.CUT_SHORT, exchange.target))
        self.hold_against(exchange, Setback(Fault.CHANNEL, failures.CUT_SHORT.word, failures.CUT_SHORT.status), now_s)

    def close(self, exchange: Exchange, ending: Ending, status: int, now_s: float) -> None:
        """The client has all that it gets; `status` is what it got."""
        self.exchanges.close(exchange)
        if self._decisions is not None:
            self._decisions.write(record(exchange, ending, status, now_s, self.wall_clock()))

    def tick(self, now_s: float) -> None:
        """Due every second or so: lets go of what is over, and hands on what was counted."""
        for exchange in self.exchanges.forget(now_s):
            log.debug("request_id=%s its client left, or its provider broke off", exchange.id)
            left_s = now_s if exchange.left_s is None else exchange.left_s
            self.close(exchange, *(("broken", 200) if exchange.broken else ("left", 0)), left_s)
        self.health.flush()
        if self._decisions is not None:
            self._decisions.flush()

    def _obstacles(self, exchange: Exchange) -> Obstacles:
        return self.health.obstacles(exchange.targets.values(), exchange.id)

    def _listed(self, models: list[Target]) -> list[Target]:
        """Those that follow the first model, in order: each model's fallbacks after it, wildcards filled in."""
        found: dict[str, Target] = {}
        for model in models:
            found.setdefault(model.name, model)
            policy = model.channel.retry
            for name in () if policy is None else policy.fallback_models:
                target = self.catalog.find(name)
                if target is not None:
                    found.setdefault(target.name, target)
        return list(found.values())[1:]

    def _targets(
        self, primary: Target, listed: list[Target], policy: RetrySettings | None, call: ModelCall
    ) -> dict[str, Target]:
        """Every target that the chain may have, by its name."""
        targets = {primary.name: primary}
        if policy is None:
            return targets
        for target in listed:
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


def _slow_rule(exchange: Exchange) -> HighLatencyRule | None:
    return None if exchange.policy is None else exchange.policy.on_high_latency
