"""brightstaff.trail: what was tried, what came of it, how long it took."""

import string

from hypothesis import given
from hypothesis import strategies as st

from brightstaff.conditions import Obstacle
from brightstaff.trail import Hop, Trail


def test_trail_reads_in_the_order_of_the_attempts() -> None:
    """Channel, outcome and milliseconds of each hop; the one that runs counts up to now."""
    trail = Trail()
    trail.start("one/m", 10.0).end("429", 10.0124)
    trail.start("two/m", 10.5).end("refused", 10.501)
    trail.start("three/m", 11.0)
    assert "one/m=429/12ms, two/m=refused/1ms, three/m=running/2500ms" == trail.render(13.5)


def test_empty_trail_is_empty() -> None:
    """Nothing was tried, nothing is said."""
    assert Trail().render(1.0) == ""


def test_the_first_outcome_stands() -> None:
    """What is noted later about a hop that has ended does not change it."""
    hop = Hop("one/m", 1.0)
    hop.end("429", 2.0)
    hop.end("reset", 9.0)
    assert "one/m=429/1000ms" == hop.render(100.0)


def test_a_clock_may_stand_at_zero() -> None:
    """A hop that ended at clock reading 0.0 has ended."""
    hop = Hop("one/m", -1.0)
    hop.end("200", 0.0)
    assert "one/m=200/1000ms" == hop.render(50.0)


def test_a_hop_keeps_what_the_decision_knew() -> None:
    """Who was passed over, and how long was waited, are for the record; the trail that a client reads stays short."""
    against = (("zero/m", Obstacle(4.0, "cools down after 429")),)
    trail = Trail()
    hop = trail.start("one/m", 10.0, against, 0.5)
    assert (against, 0.5, [hop]) == (hop.passed_over, hop.waited_s, trail.hops)
    plain = Trail().start("one/m", 10.0)
    assert ((), 0.0, "", "", None, 0.0, False) == (
        plain.passed_over,
        plain.waited_s,
        plain.fault,
        plain.cause,
        plain.retry_after_s,
        plain.held_against_s,
        plain.after_content,
    )
    assert "one/m=running/1000ms" == trail.render(11.0)


def test_another_model_is_told() -> None:
    """Who asked for one model and got another one sees it."""
    trail = Trail()
    trail.start("one/m", 0.0).end("429", 0.5)
    hop = trail.start("two/n", 0.5)
    hop.end("200", 1.0)
    hop.other_model = True
    assert "one/m=429/500ms, two/n=200/500ms;other-model" == trail.render(9.0)


@given(names=st.lists(st.text(max_size=300), min_size=1, max_size=5))
def test_any_name_is_safe_in_a_header(names: list[str]) -> None:
    """Whatever a model is called, the value is printable ASCII, and commas only separate hops."""
    trail = Trail()
    for name in names:
        trail.start(name, 0.0).end("200", 0.001)
    rendered = trail.render(1.0)
    printable = set(string.printable) - set("\t\n\r\x0b\x0c")
    assert set(rendered) <= printable
    assert len(names) == len(rendered.split(","))
    assert all(hop.endswith("=200/1ms") for hop in rendered.split(","))
