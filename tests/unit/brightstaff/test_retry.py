"""brightstaff.retry: pass the answer on, or try another channel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.retry import PassOn, TryNext, decide
from brightstaff.settings import RetrySettings, StatusRule

CHAIN = RetrySettings(fallback_models=("two/m", "three/m"), default_max_attempts=3)


def rule(*codes: tuple[int, int], max_attempts: int = 3) -> StatusRule:
    """A rule for these ranges of statuses."""
    return StatusRule(codes, "different_provider", max_attempts)


def test_without_a_policy_there_is_no_retry() -> None:
    """A channel without `retry_policy` has its answer passed on, whatever it is."""
    assert all(PassOn() == decide(None, ["one/m"], status, 32) for status in range(100, 600))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 520, 529, 599])
def test_statuses_that_say_not_now_are_retried(status: int) -> None:
    """With a policy, these need no rule."""
    assert TryNext("two/m") == decide(CHAIN, ["one/m"], status, 32)


@pytest.mark.parametrize("status", [200, 201, 204, 302, 304, 400, 401, 403, 404, 409, 413, 422, 451, 499])
def test_statuses_that_say_not_like_this_are_passed_on(status: int) -> None:
    """Success, redirects and the caller's mistakes are final unless a rule names them."""
    assert PassOn() == decide(CHAIN, ["one/m"], status, 32)


def test_fallbacks_are_tried_in_their_order() -> None:
    """Each next one is the first that was not yet tried; then the answer passes."""
    assert TryNext("two/m") == decide(CHAIN, ["one/m"], 429, 32)
    assert TryNext("three/m") == decide(CHAIN, ["one/m", "two/m"], 429, 32)
    longer = RetrySettings(fallback_models=CHAIN.fallback_models, default_max_attempts=9)
    assert PassOn() == decide(longer, ["one/m", "two/m", "three/m"], 429, 32)


def test_the_primary_in_its_own_list_is_skipped() -> None:
    """A list that names the primary too does not lead back to it."""
    policy = RetrySettings(fallback_models=("one/m", "two/m"))
    assert TryNext("two/m") == decide(policy, ["one/m"], 429, 32)


def test_default_max_attempts_counts_the_first() -> None:
    """Two attempts are one retry."""
    policy = RetrySettings(fallback_models=("two/m", "three/m"), default_max_attempts=2)
    assert TryNext("two/m") == decide(policy, ["one/m"], 429, 32)
    assert PassOn() == decide(policy, ["one/m", "two/m"], 429, 32)


def test_a_rule_admits_further_statuses() -> None:
    """What a rule names is retried though it is not retriable by itself."""
    policy = RetrySettings(fallback_models=("two/m",), on_status_codes=(rule((404, 404)),))
    assert TryNext("two/m") == decide(policy, ["one/m"], 404, 32)
    assert PassOn() == decide(policy, ["one/m"], 403, 32)


def test_a_rule_has_its_own_limit() -> None:
    """`max_attempts` of the rule goes before the default, upwards and downwards; 1 means no retry."""
    policy = RetrySettings(
        fallback_models=("two/m", "three/m", "four/m"),
        default_max_attempts=2,
        on_status_codes=(rule((429, 429), max_attempts=3), rule((500, 502), max_attempts=1)),
    )
    assert TryNext("three/m") == decide(policy, ["one/m", "two/m"], 429, 32)
    assert PassOn() == decide(policy, ["one/m"], 501, 32)
    assert PassOn() == decide(policy, ["one/m", "two/m"], 503, 32)


def test_the_first_rule_that_covers_a_status_counts() -> None:
    """Of overlapping rules the earlier one decides."""
    policy = RetrySettings(
        fallback_models=("two/m",),
        on_status_codes=(rule((500, 500), max_attempts=1), rule((500, 599), max_attempts=5)),
    )
    assert PassOn() == decide(policy, ["one/m"], 500, 32)
    assert TryNext("two/m") == decide(policy, ["one/m"], 503, 32)


def test_the_gateway_has_the_last_word() -> None:
    """No policy goes beyond the limit of the gateway itself."""
    policy = RetrySettings(fallback_models=("two/m", "three/m"), default_max_attempts=99)
    assert PassOn() == decide(policy, ["one/m", "two/m"], 429, 2)


names = st.sampled_from([f"p{n}/m" for n in range(8)])
ranges = st.tuples(st.integers(100, 599), st.integers(100, 599)).map(lambda pair: (min(pair), max(pair)))
policies = st.builds(
    RetrySettings,
    fallback_models=st.lists(names, max_size=8).map(tuple),
    default_max_attempts=st.integers(1, 10),
    on_status_codes=st.lists(
        st.builds(
            StatusRule,
            codes=st.lists(ranges, min_size=1, max_size=3).map(tuple),
            strategy=st.sampled_from(["same_model", "same_provider", "different_provider"]),
            max_attempts=st.integers(1, 10),
        ),
        max_size=3,
    ).map(tuple),
)


@given(policy=policies, statuses=st.lists(st.integers(100, 599), min_size=12, max_size=12), limit=st.integers(1, 12))
def test_every_chain_is_short_and_in_order(policy: RetrySettings, statuses: list[int], limit: int) -> None:
    """Whatever the providers answer: no channel twice, no limit exceeded, the order of the configuration kept."""
    tried = ["primary/m"]
    for status in statuses:
        decision = decide(policy, tried, status, limit)
        if isinstance(decision, PassOn):
            break
        assert decision.channel not in tried
        tried.append(decision.channel)
    highest = max([policy.default_max_attempts, *(each.max_attempts for each in policy.on_status_codes)])
    assert len(tried) <= max(1, min(limit, highest))
    untried_first = list(dict.fromkeys(policy.fallback_models))
    assert untried_first[: len(tried) - 1] == tried[1:]
