"""brightstaff.exchange: what is kept of a request between its attempts, and how it is forgotten."""

from brightstaff.exchange import Exchange, Exchanges
from brightstaff.retry import Limits
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
    """After `keep_s` seconds of rest an exchange is gone, at the next rest of any other."""
    exchanges = Exchanges(keep_s=60.0)
    gone, stays, last = exchange("gone"), exchange("stays"), exchange("last")
    for each in (gone, stays, last):
        exchanges.start(each)
    exchanges.rest(gone, 0.0)
    exchanges.rest(stays, 0.5)
    exchanges.rest(last, 60.0)
    assert (None, stays, last) == (exchanges.resume("gone"), exchanges.resume("stays"), exchanges.resume("last"))


def test_a_running_attempt_may_take_as_long_as_it_likes() -> None:
    """Only resting exchanges are forgotten."""
    exchanges = Exchanges(keep_s=60.0)
    runs, other = exchange("runs"), exchange("other")
    exchanges.start(runs)
    exchanges.rest(runs, 0.0)
    exchanges.resume("runs")
    exchanges.start(other)
    exchanges.rest(other, 10_000.0)
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
    exchanges.rest(again, 70.0)
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
