"""brightstaff.breaker: what failed several times in a row is left alone for a while."""

from brightstaff.breaker import Breaker


def test_it_opens_after_some_failures_in_a_row() -> None:
    """Two failures are borne, the third one trips it, for five seconds."""
    breaker = Breaker()
    assert [False, False, True] == [breaker.note_failure(0.0) for _ in range(3)]
    assert [False, False, True] == [breaker.allows(at_s) for at_s in (0.1, 4.9, 5.0)]


def test_a_success_between_starts_the_count_anew() -> None:
    """Failures count in a row only."""
    breaker = Breaker()
    breaker.note_failure(0.0)
    breaker.note_failure(0.0)
    assert not breaker.note_success()
    assert [False, False, True] == [breaker.note_failure(0.0) for _ in range(3)]


def test_one_trial_after_the_pause() -> None:
    """The first question after the pause goes through; others wait for its outcome."""
    breaker = Breaker(threshold=1)
    breaker.note_failure(0.0)
    assert [True, False] == [breaker.allows(5.0), breaker.allows(5.1)]
    assert breaker.note_success()
    assert breaker.allows(5.2)


def test_the_pause_doubles_up_to_its_limit() -> None:
    """A trial that fails makes the next pause longer; that it is tripped is told once."""
    breaker = Breaker(threshold=1, pause_s=5.0, longest_pause_s=12.0)
    told, pauses = [], []
    now_s = 0.0
    for _ in range(4):
        told.append(breaker.note_failure(now_s))
        pauses.append(breaker.open_until_s - now_s)
        now_s = breaker.open_until_s
    assert ([True, False, False, False], [5.0, 10.0, 12.0, 12.0]) == (told, pauses)
