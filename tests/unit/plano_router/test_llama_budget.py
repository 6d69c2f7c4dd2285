"""plano_router.llama_budget: how much of a conversation is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_router.llama_budget import Pace, choose_turns, cut_middle
from plano_router.reading import Turn


def words(text: str) -> int:
    """Tokens of a simple kind."""
    return len(text.split())


@pytest.mark.parametrize(
    ("tokens_per_s", "timeout_s", "constant", "expected"),
    [(100, 2.5, 50, 100), (31, 2.5, 118, 64), (0, 2.5, 0, 64), (5000, 2.5, 50, 2048), (1000, 0.5, 50, 250)],
)
def test_the_budget_follows_from_the_time(tokens_per_s: float, timeout_s: float, constant: int, expected: int) -> None:
    """Six tenths of it, less what comes with every question; 64 at least, 2048 at most."""
    assert expected == Pace(tokens_per_s).budget(timeout_s, constant)


def test_the_pace_is_followed() -> None:
    """By long decisions; short ones only say that it is quicker, late ones that it is slower."""
    pace = Pace(1000)
    pace.saw(10, 1)
    assert 1000 == pace.tokens_per_s
    pace.saw(10, 0.005)
    assert 1300 == pace.tokens_per_s
    pace = Pace(1000)
    pace.saw(500, 1)
    assert 850 == pace.tokens_per_s
    pace.missed(200, 2)
    assert pytest.approx(70) == pace.tokens_per_s
    pace.missed(1_000, 1)
    pace.missed(0, 0)
    assert pytest.approx(70) == pace.tokens_per_s
    pace.missed(0, 1)
    assert 0 < pace.tokens_per_s < 1


def test_the_newest_turn_comes_first() -> None:
    """It is cut only when it alone is too long; of the assistant one line is enough; what does not fit is left out."""
    turns = (
        Turn("user", "old " * 100),
        Turn("assistant", "\n  Here it is:\n" + "code " * 200),
        Turn("user", "and now in Rust"),
    )
    assert list(turns[2:]) == choose_turns(turns, 20, words)
    both = choose_turns(turns, 30, words)
    assert [Turn("assistant", "Here it is:"), turns[2]] == both
    everything = choose_turns(turns, 70, words)
    assert ["user", "assistant", "user"] == [each.role for each in everything]
    assert "…" in everything[0].text
    assert [] == choose_turns((), 64, words)


def test_long_lines_of_the_assistant_are_cut() -> None:
    """One line may be a whole text."""
    turns = (Turn("assistant", "x" * 999), Turn("user", "go on"))
    assert f"{'x' * 160}…" == choose_turns(turns, 64, words)[0].text


@given(st.text(max_size=300), st.integers(4, 80))
def test_a_cut_text_fits(text: str, most: int) -> None:
    """With head and tail; a token is a character here."""
    cut = cut_middle(text, most, len)
    assert len(cut) <= max(most, 3)
    assert (text[:1], text[-1:]) == (cut[:1], cut[-1:])
    assert (cut == text) == (len(text) <= most)
