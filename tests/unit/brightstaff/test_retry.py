"""brightstaff.retry: what follows an attempt that failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.conditions import Obstacle
from brightstaff.retry import (
    RETRIABLE_STATUSES,
    Candidate,
    Decision,
    Failure,
    Limits,
    PassOn,
    TryNext,
    build_chain,
    decide,
    first_target,
    most_useful,
)
from brightstaff.settings import Backoff, RetryAfterHandling, RetrySettings, StatusRule, Strategy, TimeoutRule

#: The recommended configuration: A is the primary, B and C its fallbacks, the others are only configured.
A = Candidate("custom/opus", "custom", "opus", listed=True)
B = Candidate("custom-aws/opus", "custom-aws", "opus", listed=True)
C = Candidate("custom-official/opus", "custom-official", "opus", listed=True)
SONNET = Candidate("custom/sonnet", "custom", "sonnet")
SPARE = Candidate("spare/opus", "spare", "opus")
GPT = Candidate("other/gpt", "other", "gpt")
CHAIN = (A, B, C, SPARE, SONNET, GPT)
NO_LIMITS = Limits()
POLICY = RetrySettings(fallback_models=(B.name, C.name), default_max_attempts=9)


def policy(strategy: Strategy = "different_provider", most: int = 9, **more: object) -> RetrySettings:
    """A policy with the two fallbacks."""
    return RetrySettings(
        fallback_models=(B.name, C.name),
        default_strategy=strategy,
        default_max_attempts=most,
        **more,  # type: ignore[arg-type]
    )


def rule(*codes: tuple[int, int], strategy: Strategy = "different_provider", most: int = 9) -> StatusRule:
    """A rule for these ranges of statuses."""
    return StatusRule(codes, strategy, most)


def after(
    settings: RetrySettings | None,
    *failures: tuple[Candidate, int] | Failure,
    chain: tuple[Candidate, ...] = CHAIN,
    now_s: float = 100.0,
    first_retry_s: float | None = None,
    limits: Limits = NO_LIMITS,
    chance: float = 1.0,
) -> Decision:
    """The decision after these failures."""
    noted = [each if isinstance(each, Failure) else Failure(each[0].name, each[1]) for each in failures]
    return decide(settings, chain, noted, now_s=now_s, first_retry_s=first_retry_s, limits=limits, chance=chance)


# -------------------------------------------------------------------------------------------------- the chain


def test_the_chain_of_the_recommended_configuration() -> None:
    """Primary, fallbacks in their order, then the others: the same model first, then the order of the configuration."""
    plain = [Candidate(each.name, each.prefix, each.model) for each in (A, SONNET, B, GPT, SPARE, C)]
    assert (A, B, C, SPARE, SONNET, GPT) == build_chain(A, POLICY, plain, [B, C])


def test_the_chain_without_a_policy_and_with_the_list_only() -> None:
    """No policy, no chain; `fallback_list_only` ends with the list."""
    assert (A,) == build_chain(A, None, CHAIN, [B, C])
    only = RetrySettings(fallback_models=(B.name,), fallback_scope="fallback_list_only")
    assert (A, B) == build_chain(A, only, CHAIN, [B])


def test_nothing_is_in_the_chain_twice() -> None:
    """A list that names the primary, or a channel twice, changes nothing."""
    assert (A, B, C, SPARE, SONNET, GPT) == build_chain(A, POLICY, CHAIN, [A, B, A, C, B])


# -------------------------------------------------------------------------------------------------- what is retried


def test_without_a_policy_there_is_no_retry() -> None:
    """A channel without `retry_policy` has its answer passed on, whatever it is."""
    assert all(PassOn() == after(None, (A, status), chain=(A,)) for status in range(100, 600))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 520, 529, 599])
def test_statuses_that_say_not_now_are_retried(status: int) -> None:
    """With a policy, these need no rule."""
    assert TryNext(B.name) == after(POLICY, (A, status))


@pytest.mark.parametrize("status", [200, 302, 400, 401, 402, 403, 404, 409, 413, 422, 451, 499])
def test_other_statuses_are_final_unless_the_answer_blames_the_channel(status: int) -> None:
    """A caller's mistake burns no channel; a dead key behind the same status does."""
    assert PassOn() == after(POLICY, (A, status))
    assert TryNext(B.name) == after(POLICY, Failure(A.name, status, channel_at_fault=True))


def test_a_rule_admits_further_statuses_and_the_first_that_fits_counts() -> None:
    """401 in the recommended configuration; ranges; the order of the rules."""
    settings = policy(on_status_codes=(rule((401, 401), most=2), rule((400, 499), most=3)))
    assert TryNext(B.name) == after(settings, (A, 401))
    assert PassOn() == after(settings, (A, 401), (B, 401))
    assert TryNext(C.name) == after(settings, (A, 404), (B, 404))


def test_a_timeout_has_a_rule_of_its_own() -> None:
    """`on_timeout`, else the defaults; rules for the status 504 are for answers that say so."""
    late = Failure(A.name, 504, timeout=True)
    assert PassOn() == after(policy(on_timeout=TimeoutRule("different_provider", 1)), late)
    assert TryNext(B.name) == after(policy(on_status_codes=(rule((504, 504), most=1),)), late)
    assert PassOn() == after(policy(on_status_codes=(rule((504, 504), most=1),)), (A, 504))


# -------------------------------------------------------------------------------------------------- where to


def test_fallbacks_are_tried_in_their_order_whatever_their_prefix() -> None:
    """What the user listed is meant, also where the strategy would choose otherwise."""
    same_prefix = Candidate("custom/haiku", "custom", "haiku", listed=True)
    chain = (A, same_prefix, B)
    assert TryNext(same_prefix.name) == after(POLICY, (A, 429), chain=chain)
    assert TryNext(B.name) == after(policy("same_provider"), (A, 429), chain=(A, B, SONNET))


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("different_provider", [SPARE.name, SONNET.name, GPT.name]), ("same_provider", [])],
)
def test_the_strategy_chooses_among_the_others(strategy: Strategy, expected: list[str]) -> None:
    """Compared with the channel that just failed: after B and C comes another prefix, or the same one."""
    tried: list[tuple[Candidate, int]] = [(A, 500), (B, 500), (C, 500)]
    found: list[str] = []
    while isinstance(decision := after(policy(strategy), *tried), TryNext):
        found.append(decision.channel)
        tried.append((next(each for each in CHAIN if each.name == decision.channel), 500))
    assert expected == found


def test_same_provider_finds_another_model_of_the_prefix() -> None:
    """The cheaper model of the same key, where no list says otherwise."""
    assert TryNext(SONNET.name) == after(
        RetrySettings(default_strategy="same_provider"), (A, 429), chain=(A, SPARE, SONNET)
    )


def test_same_model_stays() -> None:
    """The same channel again, up to the limit."""
    settings = policy("same_model", most=3, backoff=Backoff(jitter=False))
    assert TryNext(A.name, 0.1) == after(settings, (A, 500))
    assert TryNext(A.name, 0.2) == after(settings, (A, 500), (A, 500))
    assert PassOn() == after(settings, (A, 500), (A, 500), (A, 500))


# -------------------------------------------------------------------------------------------------- when


def test_the_wait_doubles_up_to_its_most() -> None:
    """0.1, 0.2, 0.4, … 5 seconds."""
    settings = policy("same_model", most=99, backoff=Backoff(jitter=False))
    waits = [after(settings, *[(A, 500)] * count).delay_s for count in range(1, 10)]  # type: ignore[union-attr]
    assert [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0] == pytest.approx(waits)


def test_jitter_keeps_half_of_the_wait() -> None:
    """There is always a pause, and never a longer one than without jitter."""
    settings = policy("same_model")
    assert TryNext(A.name, 0.05) == after(settings, (A, 500), chance=0.0)
    assert TryNext(A.name, 0.1) == after(settings, (A, 500), chance=1.0)


@pytest.mark.parametrize(
    ("apply_to", "same_prefix", "other_prefix"),
    [("same_model", 0.0, 0.0), ("same_provider", 0.1, 0.0), ("global", 0.1, 0.1)],
)
def test_where_the_wait_applies(apply_to: str, same_prefix: float, other_prefix: float) -> None:
    """By default another channel is asked at once."""
    settings = policy(backoff=Backoff(apply_to=apply_to, jitter=False))  # type: ignore[arg-type]
    listed = Candidate(SONNET.name, "custom", "sonnet", listed=True)
    assert TryNext(listed.name, same_prefix) == after(settings, (A, 429), chain=(A, listed))
    assert TryNext(B.name, other_prefix) == after(settings, (A, 429))


def test_retry_after_is_waited_for_on_the_same_channel_only() -> None:
    """Another channel is asked at once; the same one when it said, within the cap."""
    hint = Failure(A.name, 429, retry_after_s=30.0)
    huge = Failure(A.name, 429, retry_after_s=86_400.0)
    assert TryNext(B.name, 0.0) == after(POLICY, hint)
    assert TryNext(A.name, 30.0) == after(policy("same_model"), hint)
    assert TryNext(A.name, 60.0) == after(policy("same_model", retry_after=RetryAfterHandling(max_s=60.0)), huge)


def test_no_wait_beyond_the_budget_or_the_callers_deadline() -> None:
    """Then the client gets the failure now rather than later."""
    hint = Failure(A.name, 429, retry_after_s=30.0)
    assert PassOn() == after(policy("same_model", max_retry_duration_s=29.0), hint)
    assert TryNext(A.name, 30.0) == after(policy("same_model", max_retry_duration_s=31.0), hint)
    assert PassOn() == after(policy("same_model"), hint, limits=Limits(deadline_s=130.0))
    assert TryNext(B.name) == after(POLICY, (A, 429), limits=Limits(deadline_s=100.5))


def test_the_budget_runs_from_the_first_retry() -> None:
    """Not from the request: a slow first answer does not use it up."""
    settings = policy(max_retry_duration_s=10.0)
    assert TryNext(B.name) == after(settings, (A, 500), now_s=1000.0)
    assert TryNext(C.name) == after(settings, (A, 500), (B, 500), now_s=1010.0, first_retry_s=1000.0)
    assert PassOn() == after(settings, (A, 500), (B, 500), now_s=1010.5, first_retry_s=1000.0)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_attempts_count_the_first(most: int) -> None:
    """In the policy, in a rule, and for the caller."""
    tried = [(A, 503), (B, 503), (C, 503)][:most]
    assert PassOn() == after(policy(most=most), *tried)
    assert PassOn() == after(policy(on_status_codes=(rule((503, 503), most=most),)), *tried)
    assert PassOn() == after(POLICY, *tried, limits=Limits(max_attempts=most))


# -------------------------------------------------------------------------------------------------- the end


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [([429, 503, 502], 0), ([503, 429, 429], 2), ([502, 503], 1), ([503, 401], 0), ([401, 502], 0), ([502, 504], 1)],
)
def test_the_failure_that_tells_most(statuses: list[int], expected: int) -> None:
    """A rate limit over a failing provider over a refused key over no answer; the latest among equals."""
    assert expected == most_useful([Failure(A.name, status) for status in statuses])


# -------------------------------------------------------------------------------------------------- obstacles


def cools(left_s: float, *, status: int = 429, hinted: bool = False) -> Obstacle:
    """A cool-down with so much left."""
    return Obstacle(left_s, f"cools down after {status}", hinted, status)


def first(settings: RetrySettings | None, obstacles: dict[str, Obstacle], limits: Limits = NO_LIMITS) -> TryNext:
    """Where a request for A goes."""
    return first_target(settings, CHAIN, obstacles, limits)


def test_the_primary_is_first_unless_it_cools_down() -> None:
    """Then the next of the chain is, and the decision says what was passed over."""
    assert TryNext(A.name) == first(POLICY, {})
    assert TryNext(A.name) == first(POLICY, {B.name: cools(9)})
    assert TryNext(B.name, 0.0, ((A.name, cools(9)),)) == first(POLICY, {A.name: cools(9)})
    both = {A.name: cools(9), B.name: cools(5)}
    assert TryNext(C.name, 0.0, ((A.name, cools(9)), (B.name, cools(5)))) == first(POLICY, both)


def test_when_all_cool_down_the_one_that_is_free_first_is_tried() -> None:
    """The last usable candidate is never left out."""
    only = RetrySettings((B.name, C.name), fallback_scope="fallback_list_only")
    against = {A.name: cools(9), B.name: cools(5), C.name: cools(7)}
    decision = first_target(only, (A, B, C), against, NO_LIMITS)
    assert (B.name, (A.name,)) == (decision.channel, tuple(name for name, _ in decision.passed_over))
    after_b = decide(
        only, (A, B, C), [Failure(B.name, 503)], now_s=0, first_retry_s=None, limits=NO_LIMITS, obstacles=against
    )
    assert isinstance(after_b, TryNext)
    assert C.name == after_b.channel


@pytest.mark.parametrize(
    ("settings", "limits"),
    [
        (None, NO_LIMITS),
        (POLICY, Limits(fallback=False)),
        (policy("same_model"), NO_LIMITS),
        (policy(most=1), NO_LIMITS),
        (policy(on_status_codes=(rule((429, 429), most=1),)), NO_LIMITS),
    ],
    ids=["no policy", "fallback off", "same_model", "one attempt", "one attempt for this status"],
)
def test_who_must_not_leave_the_primary_does_not(settings: RetrySettings | None, limits: Limits) -> None:
    """A cool-down is no reason to do what the policy or the caller forbids."""
    assert TryNext(A.name) == first(settings, {A.name: cools(9)}, limits)


def test_the_strategy_holds_for_what_is_passed_over() -> None:
    """The rule for the failure behind a cool-down says what the next channel must be."""
    chain = (A, SPARE, SONNET)
    same = RetrySettings(on_status_codes=(rule((429, 429), strategy="same_provider"),))
    assert SONNET.name == first_target(same, chain, {A.name: cools(9)}, NO_LIMITS).channel
    assert SPARE.name == first_target(same, chain, {A.name: cools(9, status=503)}, NO_LIMITS).channel


def test_after_a_failure_the_next_that_is_free() -> None:
    """Channels that cool down wait behind those that do not."""
    decision = decide(
        POLICY,
        CHAIN,
        [Failure(A.name, 429)],
        now_s=0,
        first_retry_s=None,
        limits=NO_LIMITS,
        obstacles={B.name: cools(3)},
    )
    assert TryNext(C.name, 0.0, ((B.name, cools(3)),)) == decision


def test_a_retry_after_of_the_whole_provider() -> None:
    """With `scope: provider` the other channels of its prefix come last, within the request as well."""
    twin = Candidate("custom/twin", "custom", "opus", listed=True)
    chain = (A, twin, B)
    limited = Failure(A.name, 429, retry_after_s=900.0)
    whole = RetrySettings((twin.name, B.name), retry_after=RetryAfterHandling("provider", max_s=60.0))
    passed = ((twin.name, Obstacle(60.0, "shares its provider's Retry-After", hinted=True)),)
    assert TryNext(B.name, 0.0, passed) == after(whole, limited, chain=chain)
    assert TryNext(twin.name) == after(RetrySettings((twin.name, B.name)), limited, chain=chain)
    last = after(whole, limited, (B, 503), chain=chain)
    assert isinstance(last, TryNext)
    assert twin.name == last.channel, "better than none"


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        (after(None, (A, 503)), "the channel has no retry_policy"),
        (after(POLICY, (A, 404)), "404 is no failure of the channel, and no rule names it"),
        (after(POLICY, (A, 503), limits=Limits(fallback=False)), "the caller wants this channel or an error"),
        (after(policy(most=1), (A, 503)), "the policy allows 1 attempt"),
        (after(POLICY, (A, 503), (B, 503), limits=Limits(2)), "the caller allows 2 attempts"),
        (after(POLICY, (A, 503), chain=(A,)), "no channel is left that different_provider allows"),
        (after(POLICY, (A, 503), limits=Limits(deadline_s=100.0)), "the caller's time is up"),
        (
            after(policy(max_retry_duration_s=5.0), (A, 503), (B, 503), first_retry_s=90.0),
            "max_retry_duration_ms is used up",
        ),
    ],
)
def test_the_end_has_a_reason(decision: Decision, why: str) -> None:
    """For people who ask why nobody else was asked."""
    assert isinstance(decision, PassOn)
    assert why == decision.why


# -------------------------------------------------------------------------------------------------- properties

names = st.sampled_from(["p1/a", "p1/b", "p2/a", "p2/c", "p3/a", "p3/d"])
strategies = st.sampled_from(["same_model", "same_provider", "different_provider"])
statuses = st.sampled_from([400, 401, 404, 408, 429, 500, 502, 503, 504, 529])


@st.composite
def policies(draw: st.DrawFn) -> RetrySettings:
    """Any policy."""
    rules = draw(st.lists(st.tuples(statuses, strategies, st.integers(1, 6)), max_size=3))
    return RetrySettings(
        fallback_models=tuple(draw(st.lists(names, max_size=5))),
        fallback_scope=draw(st.sampled_from(["all_providers", "fallback_list_only"])),
        default_strategy=draw(strategies),
        default_max_attempts=draw(st.integers(1, 8)),
        on_status_codes=tuple(StatusRule(((code, code),), strategy, most) for code, strategy, most in rules),
        max_retry_duration_s=draw(st.none() | st.floats(0.01, 20)),
        backoff=Backoff(apply_to=draw(st.sampled_from(["same_model", "same_provider", "global"]))),
        retry_after=RetryAfterHandling(draw(st.sampled_from(["model", "provider"])), max_s=draw(st.floats(1, 60))),
    )


def candidate(name: str, *, listed: bool = False) -> Candidate:
    """By its name."""
    return Candidate(name, name.partition("/")[0], name.partition("/")[2], listed)


@given(
    settings=policies(),
    primary=names,
    obstacles=st.dictionaries(names, st.builds(Obstacle, st.floats(0, 100), st.just("busy"), st.booleans())),
    answers=st.lists(
        st.tuples(statuses, st.booleans(), st.booleans(), st.none() | st.floats(0, 100)), min_size=40, max_size=40
    ),
    most=st.integers(1, 32),
    patience_s=st.none() | st.floats(0.1, 60),
    chance=st.floats(0, 1),
)
def test_every_request_ends_within_its_limits(
    settings: RetrySettings,
    primary: str,
    obstacles: dict[str, Obstacle],
    answers: list[tuple[int, bool, bool, float | None]],
    most: int,
    patience_s: float | None,
    chance: float,
) -> None:
    """Attempts are bounded, no channel comes twice unless `same_model` says so, order is kept, no wait is too long."""
    everything = [candidate(each) for each in ("p1/a", "p1/b", "p2/a", "p2/c", "p3/a", "p3/d")]
    listed = [candidate(each, listed=True) for each in settings.fallback_models]
    chain = build_chain(candidate(primary, listed=True), settings, everything, listed)
    limits = Limits(max_attempts=most, deadline_s=patience_s)
    now_s, first_retry_s = 0.0, None
    channel = first_target(settings, chain, obstacles, limits).channel
    failures: list[Failure] = []
    for status, timeout, at_fault, hint_s in answers:
        failures.append(Failure(channel, status, timeout, at_fault, hint_s))
        decision = decide(
            settings,
            chain,
            failures,
            now_s=now_s,
            first_retry_s=first_retry_s,
            limits=limits,
            chance=chance,
            obstacles=obstacles,
        )
        if isinstance(decision, PassOn):
            # Obstacles only change the order: without them it would end here, too.
            alone = decide(
                settings, chain, failures, now_s=now_s, first_retry_s=first_retry_s, limits=limits, chance=chance
            )
            assert isinstance(alone, PassOn)
            break
        assert not [name for name, _ in decision.passed_over if name not in obstacles and not failures]
        assert 0 <= decision.delay_s <= max(settings.backoff.max_s, settings.retry_after.max_s)
        now_s += decision.delay_s
        first_retry_s = now_s if first_retry_s is None else first_retry_s
        if settings.max_retry_duration_s is not None:
            assert now_s - first_retry_s <= settings.max_retry_duration_s + 1e-9 or len(failures) == 1
        if patience_s is not None:
            assert now_s < patience_s
        if decision.channel != channel:
            assert decision.channel not in {each.channel for each in failures}
        channel = decision.channel
    else:
        pytest.fail("it never ended")
    assert len(failures) <= most
    order = [each.name for each in chain]
    blocked = obstacles if settings.retry_after.scope == "model" else dict.fromkeys(order)
    fresh = [
        each
        for each in dict.fromkeys(failure.channel for failure in failures)
        if each in settings.fallback_models and each not in blocked
    ]
    assert sorted(fresh, key=order.index) == fresh


@given(settings=policies(), status=statuses)
def test_what_is_retried_without_a_rule(settings: RetrySettings, status: int) -> None:
    """Only statuses of the fixed set, or answers that blame the channel."""
    decision = after(settings, (A, status))
    named = any(each.covers(status) for each in settings.on_status_codes)
    if isinstance(decision, TryNext):
        assert named or status in RETRIABLE_STATUSES
