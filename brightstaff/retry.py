"""What follows an attempt that failed: the answer is passed on, or another attempt is made, where and after how long.

A pure function of the policy, the chain, the failures so far and the clock.

The chain is the primary channel, its `fallback_models` in their order, then every other channel: those with the same
bare model first, each group in the order of the configuration. The fallbacks are taken as they are listed; among the
others the strategy chooses, by the prefix, compared with the channel that has just failed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from brightstaff.settings import RetrySettings, Strategy

#: Statuses that say "not now" or "not here" rather than "not like this": with a policy they are retried even if no rule
#: names them. 529 is Anthropic's `overloaded_error`.
RETRIABLE_STATUSES = frozenset({408, 425, 429, *range(500, 600)})

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
    """When the provider says that it may be asked again."""


@dataclass(frozen=True)
class Limits:
    """What holds beside the policy."""

    max_attempts: int = 32
    """Of the gateway, or fewer if the caller says so."""
    deadline_s: float | None = None
    """Clock reading by which the caller wants its answer."""


@dataclass(frozen=True)
class PassOn:
    """The client gets what there is."""


@dataclass(frozen=True)
class TryNext:
    """Another attempt."""

    channel: str
    delay_s: float = 0.0


Decision = PassOn | TryNext


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


def decide(
    policy: RetrySettings | None,
    chain: Sequence[Candidate],
    failures: Sequence[Failure],
    *,
    now_s: float,
    first_retry_s: float | None,
    limits: Limits,
    chance: float = 1.0,
) -> Decision:
    """What follows the last of `failures`.

    `first_retry_s` is the clock reading at the first retry of this request, None before it; `chance` is a random
    number from 0 to 1, for the jitter.
    """
    last = failures[-1]
    applicable = None if policy is None else _rule_for(policy, last)
    if policy is None or applicable is None:
        return PassOn()
    strategy, max_attempts = applicable
    if len(failures) >= min(max_attempts, limits.max_attempts):
        return PassOn()
    following = _following(chain, failures, strategy)
    if following is None:
        return PassOn()
    delay_s = _delay_s(policy, chain, failures, following, chance)
    starts_s = now_s + delay_s
    if limits.deadline_s is not None and starts_s >= limits.deadline_s:
        return PassOn()
    budget_s = policy.max_retry_duration_s
    if budget_s is not None and starts_s - (now_s if first_retry_s is None else first_retry_s) > budget_s:
        return PassOn()
    return TryNext(following.name, delay_s)


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


def _following(chain: Sequence[Candidate], failures: Sequence[Failure], strategy: Strategy) -> Candidate | None:
    failed = next((each for each in chain if each.name == failures[-1].channel), None)
    if strategy == "same_model":
        return failed
    tried = {failure.channel for failure in failures}
    for candidate in chain:
        if candidate.name in tried:
            continue
        same_prefix = failed is not None and candidate.prefix == failed.prefix
        if candidate.listed or same_prefix == (strategy == "same_provider"):
            return candidate
    return None


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
        delay_s = max(delay_s, min(last.retry_after_s, policy.max_retry_after_s))
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
