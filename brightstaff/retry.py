"""The decision after each answer: pass it on, or try another channel.

A pure function of the policy, the attempts so far and what just happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from brightstaff.settings import RetrySettings

#: Statuses that say "not now" or "not here" rather than "not like this": with a policy they are retried even if no
#: rule names them. 529 is Anthropic's `overloaded_error`.
_RETRIABLE = frozenset({408, 425, 429, *range(500, 600)})


@dataclass(frozen=True)
class PassOn:
    """The client gets this answer."""


@dataclass(frozen=True)
class TryNext:
    """Another attempt, on the channel of this name."""

    channel: str


Decision = PassOn | TryNext


def decide(policy: RetrySettings | None, tried: Sequence[str], status: int, max_attempts: int) -> Decision:
    """What follows the answer `status` of the last channel in `tried` (the primary is the first).

    `policy` is the primary's; without one there is no retry of any kind. `max_attempts` is the limit of the gateway
    itself.
    """
    if policy is None:
        return PassOn()
    rule = next((rule for rule in policy.on_status_codes if rule.covers(status)), None)
    if rule is None and status not in _RETRIABLE:
        return PassOn()
    allowed = rule.max_attempts if rule is not None else policy.default_max_attempts
    if len(tried) >= min(allowed, max_attempts):
        return PassOn()
    following = next((name for name in policy.fallback_models if name not in tried), None)
    return PassOn() if following is None else TryNext(following)
