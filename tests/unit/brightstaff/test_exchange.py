"""brightstaff.exchange: what is kept of a request between its attempts, and how it is forgotten."""

from dataclasses import replace

import pytest

from brightstaff import failures
from brightstaff.catalog import Target
from brightstaff.conditions import Obstacle
from brightstaff.exchange import Exchange, Exchanges, KeptAnswer
from brightstaff.retry import Candidate, Failure, Limits, PassOn, TryNext
from brightstaff.settings import Backoff, Channel, RetrySettings
from brightstaff.surface import ModelCall


def exchange(id_: str) -> Exchange:
    """An exchange of which only the id matters."""
    return Exchange(
        id=id_,
        call=ModelCall("/chat/completions", ""),
        asked="one/m",
        policy=None,
        chain=(),
        targets={},
        limits=Limits(),
        started_s=0.0,
        upcoming=None,
    )


def test_a_new_request_has_no_exchange() -> None:
    """Nothing is kept before it began."""
    assert Exchanges().resume("a") is None


def test_the_same_exchange_until_it_is_closed() -> None:
    """Each attempt meets the object of the one before."""
    exchanges = Exchanges()
    first = exchange("a")
    exchanges.start(first)
    exchanges.rest(first, 1.0)
    assert exchanges.resume("a") is first
    exchanges.rest(first, 2.0)
    assert exchanges.resume("a") is first
    exchanges.close(first)
    assert (None, 0) == (exchanges.resume("a"), len(exchanges))


def test_who_does_not_come_back_is_forgotten() -> None:
    """After `keep_s` seconds of rest an exchange is given back, so that its end can be noted."""
    exchanges = Exchanges(keep_s=60.0)
    gone, stays, last = exchange("gone"), exchange("stays"), exchange("last")
    for each in (gone, stays, last):
        exchanges.start(each)
    exchanges.rest(gone, 0.0)
    exchanges.rest(stays, 0.5)
    exchanges.rest(last, 60.0)
    assert [gone] == exchanges.forget(60.0)
    assert 0.0 == gone.left_s, "when it left, not when that was noticed"
    assert (None, stays, last) == (exchanges.resume("gone"), exchanges.resume("stays"), exchanges.resume("last"))


def test_whose_provider_broke_off_is_forgotten_sooner() -> None:
    """Nobody waits for it but `ingress`, which comes at once."""
    exchanges = Exchanges(keep_s=60.0)
    broken, left = exchange("broken"), exchange("left")
    broken.broken = True
    for each in (broken, left):
        exchanges.start(each)
        exchanges.rest(each, 0.0)
    assert [broken] == exchanges.forget(2.0)
    assert (None, left) == (exchanges.find("broken"), exchanges.find("left"))


def test_a_running_attempt_may_take_as_long_as_it_likes() -> None:
    """Only resting exchanges are forgotten."""
    exchanges = Exchanges(keep_s=60.0)
    runs, other = exchange("runs"), exchange("other")
    exchanges.start(runs)
    exchanges.rest(runs, 0.0)
    exchanges.resume("runs")
    exchanges.start(other)
    assert [] == exchanges.forget(10_000.0)
    assert exchanges.resume("runs") is runs


def test_rest_begins_anew_with_each_attempt() -> None:
    """The time counts from the last attempt, not from the first."""
    exchanges = Exchanges(keep_s=60.0)
    again, other = exchange("again"), exchange("other")
    exchanges.start(again)
    exchanges.start(other)
    exchanges.rest(again, 0.0)
    exchanges.rest(other, 1.0)
    exchanges.rest(again, 59.0)
    exchanges.rest(exchange("none"), 70.0)
    assert [other] == exchanges.forget(70.0)
    assert (again, None) == (exchanges.resume("again"), exchanges.resume("other"))


def test_a_closed_exchange_does_not_come_back_by_resting() -> None:
    """The late news that a stream was closed keeps nothing of an exchange that is over."""
    exchanges = Exchanges()
    over = exchange("over")
    exchanges.start(over)
    exchanges.close(over)
    exchanges.rest(over, 1.0)
    assert (None, 0) == (exchanges.resume("over"), len(exchanges))
    exchanges.close(over)


# -------------------------------------------------------------------- one exchange


def chained(*names: str, most: int = 9) -> Exchange:
    """An exchange with a chain of these channels, all of them listed."""
    found = {name: Target(Channel(name, name[:1], "m", "openai", name, name, "/v1"), "m") for name in names}
    chain = tuple(Candidate(name, name[:1], "m", listed=True) for name in names)
    policy = RetrySettings(names[1:], default_max_attempts=most)
    return replace(exchange("id-1"), policy=policy, chain=chain, targets=found, upcoming=TryNext(names[0]))


def test_an_attempt_notes_where_it_goes_and_what_was_passed_over() -> None:
    """The hop carries what the decision knew."""
    against = (("a/m", Obstacle(5.0, "cools down after 429")),)
    request = replace(chained("a/m", "b/m"), upcoming=TryNext("b/m", 0.5, against))
    assert "b/m" == request.start_attempt(10.0).name
    hop = request.trail.hops[0]
    assert (against, 0.5, 10.0, None) == (hop.passed_over, hop.waited_s, hop.started_s, request.upcoming)
    assert "b/m" == request.target.name
    with pytest.raises(RuntimeError, match="no attempt is due"):
        request.start_attempt(11.0)


def test_a_failure_leads_to_the_next_and_in_the_end_to_a_reason() -> None:
    """`fail` prepares the next attempt; when nothing follows it keeps why."""
    request = chained("a/m", "b/m")
    request.start_attempt(0.0)
    assert TryNext("b/m") == request.fail(Failure("a/m", 503), failures.RESET, 1.0, 0.5)
    assert (TryNext("b/m"), 1.0) == (request.upcoming, request.first_retry_s)
    request.start_attempt(1.0)
    assert isinstance(request.fail(Failure("b/m", 503), failures.RESET, 2.0, 0.5), PassOn)
    assert "no channel is left that different_provider allows" == request.why_no_more


def test_what_next_notes_nothing() -> None:
    """It only asks."""
    request = chained("a/m", "b/m")
    request.start_attempt(0.0)
    assert TryNext("b/m") == request.what_next(Failure("a/m", 504, timeout=True), 1.0, {})
    assert ([], None) == (request.failures, request.upcoming)


def test_another_choice_when_a_trial_was_taken() -> None:
    """At the first attempt and after a failure; what there was to wait has been waited."""
    request = chained("a/m", "b/m", "c/m")
    taken = {"a/m": Obstacle(0.0, "is being tried again after 503", status=503)}
    request.choose_again(taken, 0.0, 0.5)
    assert TryNext("b/m", 0.0, tuple(taken.items())) == request.upcoming
    request.start_attempt(0.0)
    request.fail(Failure("b/m", 503), failures.RESET, 1.0, 0.5, taken)
    assert request.upcoming is not None
    assert "c/m" == request.upcoming.channel
    request.choose_again({"c/m": Obstacle(9.0, "x")}, 1.0, 0.5)
    assert "a/m" == request.upcoming.channel


def test_the_smallest_wait() -> None:
    """Of what providers said in this request, less the time since, and of hints that others got earlier."""
    request = chained("a/m", "b/m", "c/m")
    assert request.smallest_wait_s(0.0) is None
    request.failures = [Failure("a/m", 429, retry_after_s=30.0, at_s=10.0), Failure("b/m", 503, at_s=11.0)]
    assert 25.0 == request.smallest_wait_s(15.0)
    request.obstacles = {
        "a/m": Obstacle(1.0, "its own cool-down", hinted=True),
        "b/m": Obstacle(1.0, "nobody said so"),
        "c/m": Obstacle(12.0, "said earlier", hinted=True),
        "d/m": Obstacle(2.0, "nobody said so"),
    }
    assert 12.0 == request.smallest_wait_s(15.0)
    assert 0.0 == request.smallest_wait_s(99.0)


def test_what_a_kept_answer_answered() -> None:
    """Its own status; one that says none counts as a bad gateway."""
    assert (429, 502) == (KeptAnswer([(":status", "429")], b"").status, KeptAnswer([], b"").status)


def test_the_wait_includes_who_was_passed_over() -> None:
    """What spoke against the others when the attempt failed is kept for the client's Retry-After."""
    request = chained("a/m", "b/m")
    request.start_attempt(0.0)
    against = {"b/m": Obstacle(7.0, "cools down after 429", hinted=True)}
    request.fail(Failure("a/m", 503), failures.RESET, 1.0, 0.5, against)
    assert (against, 7.0) == (request.obstacles, request.smallest_wait_s(1.0))


def waiting() -> Exchange:
    """An exchange that asks its only channel again after 10 seconds, then after 20."""
    backoff = Backoff(base_s=10.0, max_s=99.0, jitter=False)
    request = chained("a/m", "b/m")
    policy = RetrySettings(default_strategy="same_model", default_max_attempts=9, backoff=backoff)
    return replace(request, policy=policy)


def test_when_the_next_attempt_may_begin() -> None:
    """After its wait; the budget runs from the beginning of the first retry, whatever follows."""
    request = waiting()
    request.start_attempt(0.0)
    request.fail(Failure("a/m", 503), failures.RESET, 100.0, 1.0)
    assert (110.0, 110.0) == (request.not_before_s, request.first_retry_s)
    request.start_attempt(110.0)
    request.fail(Failure("a/m", 503), failures.RESET, 200.0, 1.0)
    assert (220.0, 110.0) == (request.not_before_s, request.first_retry_s)
    at_once = chained("a/m", "b/m")
    at_once.start_attempt(0.0)
    at_once.fail(Failure("a/m", 503), failures.RESET, 5.0, 1.0)
    assert (0.0, 5.0) == (at_once.not_before_s, at_once.first_retry_s)


def test_another_choice_keeps_what_was_waited() -> None:
    """The record says how long was waited, not how long would have to be waited now."""
    backoff = Backoff("global", base_s=10.0, max_s=99.0, jitter=False)
    request = chained("a/m", "b/m", "c/m")
    request.policy = RetrySettings(("b/m", "c/m"), default_max_attempts=9, backoff=backoff)
    request.start_attempt(0.0)
    request.fail(Failure("a/m", 503), failures.RESET, 1.0, 0.5)
    request.upcoming = TryNext("b/m", 4.0)
    taken = {"b/m": Obstacle(0.0, "is being tried again after 503")}
    request.choose_again(taken, 11.0, 0.5)
    assert TryNext("c/m", 4.0, tuple(taken.items())) == request.upcoming


def test_no_better_choice_leaves_the_first_one() -> None:
    """When nothing else may be asked any more, the attempt that was decided still takes place."""
    request = replace(chained("a/m", "b/m", "c/m"), limits=Limits(deadline_s=10.0))
    request.start_attempt(0.0)
    request.fail(Failure("a/m", 503), failures.RESET, 1.0, 0.5)
    request.choose_again({"b/m": Obstacle(0.0, "is being tried again after 503")}, 10.0, 0.5)
    assert TryNext("b/m") == request.upcoming


def test_a_new_attempt_is_not_broken() -> None:
    """That the one before broke off says nothing about this one."""
    request = chained("a/m", "b/m")
    request.broken = True
    request.start_attempt(0.0)
    assert not request.broken
