"""Where a request goes first, and what follows an attempt that failed: another one, where and when, or the end.

Pure functions of the policy, the chain, the failures so far, the clock, and what speaks against each channel.

The chain is the primary channel, its `fallback_models` in their order, then every other channel: those with the same
bare model first, each group in the order of the configuration. The fallbacks are taken as they are listed; among the
others the strategy chooses, by the prefix, compared with the channel that has just failed. Channels against which
something speaks (a cool-down, say) come after those that are free, the one that is free first before the others; none
is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from brightstaff.conditions import Obstacle
from brightstaff.settings import RetrySettings, Strategy

#: Statuses that say "not now" or "not here" rather than "not like this": with a policy they are retried even if no rule
#: names them. 529 is Anthropic's `overloaded_error`.
RETRIABLE_STATUSES = frozenset({408, 425, 429, *range(500, 600)})

#: Why nothing follows a failure of a channel without a policy.
NO_POLICY = "the channel has no retry_policy"

#: The back-off doubles so many times at most; `max_ms` is reached long before.
_MOST_DOUBLINGS = 30


@dataclass(frozen=True)
class Candidate:
    """A channel in the chain."""

    name: str
    prefix: str
    model: str
    listed: bool = False
    """Whether it is the primary or one of its `fallback_models`."""


@dataclass(frozen=True)
class Failure:
    """What came of an attempt."""

    channel: str
    status: int
    """HTTP status; 502 or 504 where there was no answer."""
    timeout: bool = False
    """A deadline of ours passed."""
    channel_at_fault: bool = False
    """The answer's own words say that the channel failed, whatever the status."""
    retry_after_s: float | None = None
    """In so many seconds, says the provider, it may be asked again."""
    at_s: float = 0.0
    """Clock reading when it was noted."""


@dataclass(frozen=True)
class Limits:
    """What holds beside the policy."""

    max_attempts: int = 32
    """Of the gateway, or fewer if the caller says so."""
    deadline_s: float | None = None
    """Clock reading by which the caller wants its answer."""
    fallback: bool = True
    """Whether another channel than the primary may be asked at all."""


@dataclass(frozen=True)
class PassOn:
    """The client gets what there is."""

    why: str = field(default="", compare=False)
    """For people."""


@dataclass(frozen=True)
class TryNext:
    """Another attempt."""

    channel: str
    delay_s: float = 0.0
    passed_over: tuple[tuple[str, Obstacle], ...] = ()
    """Channels before it in the chain that were left out this time, and why."""


Decision = PassOn | TryNext
Obstacles = Mapping[str, Obstacle]
"""By the names of channels; one that is free is not in it."""

NO_OBSTACLES: Obstacles = MappingProxyType({})


def build_chain(
    primary: Candidate, policy: RetrySettings | None, channels: Sequence[Candidate], named: Sequence[Candidate]
) -> tuple[Candidate, ...]:
    """Every candidate for a request, in order, none twice.

    `named` are the fallbacks, `channels` all that are configured.
    """
    if policy is None:
        return (primary,)
    others: list[Candidate] = []
    if policy.fallback_scope == "all_providers":
        # A stable sort: within both groups the order of the configuration is kept.
        others = sorted(channels, key=lambda each: each.model != primary.model)
    chain: dict[str, Candidate] = {}
    for candidate in (primary, *named, *others):
        chain.setdefault(candidate.name, candidate)
    return tuple(chain.values())


def first_target(
    policy: RetrySettings | None, chain: Sequence[Candidate], obstacles: Obstacles, limits: Limits
) -> TryNext:
    """Where the first attempt goes: to the primary, or past it if it is not to be asked now and another one can be."""
    primary = chain[0]
    against = obstacles.get(primary.name)
    if against is None or policy is None or not limits.fallback:
        return TryNext(primary.name)
    # What the policy says about the failure that is behind it holds here, too.
    behind = Failure(primary.name, against.status, timeout=against.timeout, channel_at_fault=True)
    strategy, max_attempts = _rule_for(policy, behind) or (policy.default_strategy, policy.default_max_attempts)
    if strategy == "same_model" or max_attempts <= 1:
        return TryNext(primary.name)
    eligible = [primary, *_eligible(chain[1:], primary, strategy)]
    chosen, passed_over = _pick(eligible, obstacles)
    return TryNext(chosen.name, 0.0, passed_over)


def decide(
    policy: RetrySettings | None,
    chain: Sequence[Candidate],
    failures: Sequence[Failure],
    *,
    now_s: float,
    first_retry_s: float | None,
    limits: Limits,
    chance: float = 1.0,
    obstacles: Obstacles = NO_OBSTACLES,
) -> Decision:
    """What follows the last of `failures`.

    `first_retry_s` is the clock reading at the first retry of this request, None before it; `chance` is a random
    number from 0 to 1, for the jitter.
    """
    last = failures[-1]
    if policy is None:
        return PassOn(NO_POLICY)
    applicable = _rule_for(policy, last)
    if applicable is None:
        return PassOn(f"{last.status} is no failure of the channel, and no rule names it")
    if not limits.fallback:
        return PassOn("the caller wants this channel or an error")
    strategy, max_attempts = applicable
    most = min(max_attempts, limits.max_attempts)
    if len(failures) >= most:
        whose = "the caller" if limits.max_attempts < max_attempts else "the policy"
        return PassOn(f"{whose} allows {most} attempt{'' if most == 1 else 's'}")
    found = _following(policy, chain, failures, strategy, obstacles)
    if found is None:
        return PassOn(f"no channel is left that {strategy} allows")
    following, passed_over = found
    delay_s = _delay_s(policy, chain, failures, following, chance)
    starts_s = now_s + delay_s
    if limits.deadline_s is not None and starts_s >= limits.deadline_s:
        return PassOn("the caller's time is up")
    budget_s = policy.max_retry_duration_s
    if budget_s is not None and starts_s - (now_s if first_retry_s is None else first_retry_s) > budget_s:
        return PassOn("max_retry_duration_ms is used up")
    return TryNext(following.name, delay_s, passed_over)


def _rule_for(policy: RetrySettings, failure: Failure) -> tuple[Strategy, int] | None:
    """Strategy and limit for this failure; None when it is not retried."""
    if failure.timeout and policy.on_timeout is not None:
        return policy.on_timeout.strategy, policy.on_timeout.max_attempts
    rule = next((rule for rule in policy.on_status_codes if rule.covers(failure.status)), None)
    if rule is not None and not failure.timeout:
        return rule.strategy, rule.max_attempts
    if failure.timeout or failure.channel_at_fault or failure.status in RETRIABLE_STATUSES:
        return policy.default_strategy, policy.default_max_attempts
    return None


def _following(
    policy: RetrySettings,
    chain: Sequence[Candidate],
    failures: Sequence[Failure],
    strategy: Strategy,
    obstacles: Obstacles,
) -> tuple[Candidate, tuple[tuple[str, Obstacle], ...]] | None:
    """The next channel, and those before it that are not to be asked now; None if the strategy leaves none."""
    failed = next((each for each in chain if each.name == failures[-1].channel), None)
    if strategy == "same_model":
        return None if failed is None else (failed, ())
    tried = {failure.channel for failure in failures}
    untried = [candidate for candidate in chain if candidate.name not in tried]
    eligible = _eligible(untried, failed, strategy)
    if not eligible:
        return None
    return _pick(eligible, {**obstacles, **_told_in_this_request(policy, eligible, chain, failures)})


def _eligible(candidates: Sequence[Candidate], failed: Candidate | None, strategy: Strategy) -> list[Candidate]:
    def fits(candidate: Candidate) -> bool:
        same_prefix = failed is not None and candidate.prefix == failed.prefix
        return candidate.listed or same_prefix == (strategy == "same_provider")

    return [candidate for candidate in candidates if fits(candidate)]


def _pick(eligible: Sequence[Candidate], obstacles: Obstacles) -> tuple[Candidate, tuple[tuple[str, Obstacle], ...]]:
    """The first that is free; if none is, the one that is free first."""
    chosen = next((each for each in eligible if each.name not in obstacles), None)
    if chosen is None:
        chosen = min(eligible, key=lambda each: obstacles[each.name].left_s)
    before = eligible[: eligible.index(chosen)]
    return chosen, tuple((each.name, obstacles[each.name]) for each in before if each.name in obstacles)


def _told_in_this_request(
    policy: RetrySettings, eligible: Sequence[Candidate], chain: Sequence[Candidate], failures: Sequence[Failure]
) -> Obstacles:
    """With `scope: provider`, a Retry-After holds for the other channels of the prefix, within this request as well."""
    if policy.retry_after.scope != "provider":
        return NO_OBSTACLES
    prefixes = {candidate.name: candidate.prefix for candidate in chain}
    waits_s: dict[str, float] = {}
    for failure in failures:
        prefix = prefixes.get(failure.channel)
        if failure.retry_after_s is not None and prefix is not None:
            waits_s[prefix] = max(waits_s.get(prefix, 0.0), min(failure.retry_after_s, policy.retry_after.max_s))
    return {
        each.name: Obstacle(waits_s[each.prefix], "shares its provider's Retry-After", hinted=True)
        for each in eligible
        if each.prefix in waits_s
    }


def _delay_s(
    policy: RetrySettings,
    chain: Sequence[Candidate],
    failures: Sequence[Failure],
    following: Candidate,
    chance: float,
) -> float:
    last = failures[-1]
    failed = next((each for each in chain if each.name == last.channel), None)
    relation: Literal["same_model", "same_provider", "global"]
    if following.name == last.channel:
        relation = "same_model"
    elif failed is not None and failed.prefix == following.prefix:
        relation = "same_provider"
    else:
        relation = "global"
    backoff = policy.backoff
    scopes = ("same_model", "same_provider", "global")
    delay_s = 0.0
    if scopes.index(relation) <= scopes.index(backoff.apply_to):
        delay_s = min(backoff.max_s, backoff.base_s * 2 ** min(len(failures) - 1, _MOST_DOUBLINGS))
        if backoff.jitter:
            # "Equal jitter": half of the delay is certain, so that there is a pause; the rest spreads clients out.
            delay_s = delay_s / 2 + delay_s / 2 * chance
    if relation == "same_model" and last.retry_after_s is not None:
        delay_s = max(delay_s, min(last.retry_after_s, policy.retry_after.max_s))
    return delay_s


def most_useful(failures: Sequence[Failure]) -> int:
    """Which failure tells the client most when all attempts failed: index into `failures`.

    A rate limit (come back later) over an answer of a provider that fails, over a key that is refused, over no answer
    at all; the latest among equals.
    """

    def rank(failure: Failure) -> int:
        if failure.status == 429:
            return 3
        if failure.timeout or failure.status in (502, 504):
            return 0
        return 2 if failure.status >= 500 else 1

    return max(range(len(failures)), key=lambda index: (rank(failures[index]), index))
