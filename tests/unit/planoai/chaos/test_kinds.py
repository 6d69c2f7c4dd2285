"""planoai.chaos.kinds: the failures that are tried."""

from planoai.chaos.kinds import ALL_DOWN, IDLE_S, KINDS, find_kind


def test_each_has_a_name_of_its_own() -> None:
    """By which `--failure` finds it."""
    everything = [*KINDS, ALL_DOWN]
    assert everything == [find_kind(each.name) for each in everything]
    assert len(everything) == len({each.title for each in everything})
    assert find_kind("weather") is None


def test_one_of_them_is_the_callers_mistake() -> None:
    """The control: it must pass through."""
    assert ["400"] == [each.name for each in KINDS if each.callers]


def test_what_comes_after_content_concerns_streams() -> None:
    """A JSON answer is held until it is whole."""
    assert all(each.stream_only for each in KINDS if each.after_content)


def test_a_slow_token_comes_before_the_idle_time_is_over() -> None:
    """Otherwise it would be another failure."""
    slow = find_kind("slow-first-token")
    assert slow is not None
    assert slow.behaviour.delay_before_first_token_s < IDLE_S
