"""plano_router.trimming: what was pasted is cut to head and tail."""

from hypothesis import given
from hypothesis import strategies as st

from plano_router.trimming import MOST_CHARACTERS, trim


def test_what_people_write_stays() -> None:
    """Prose, and short code."""
    text = "please look at this\n```py\nx = 1\n```\nwhy?"
    assert text == trim(text)


def test_long_blocks_are_cut() -> None:
    """Six lines of the head, three of the tail, and the words around them."""
    block = "\n".join(f"line {number}" for number in range(100))
    lines = trim(f"before\n```\n{block}\n```\nafter").splitlines()
    assert ["before", "```", "line 0"] == lines[:3]
    assert ["line 5", "…", "line 97"] == lines[7:10]
    assert ["```", "after"] == lines[-2:]


def test_logs_are_cut_without_a_fence() -> None:
    """Lines that a program wrote; the request after them stays."""
    log = "\n".join(f"2026-01-31 10:11:{number:02} INFO x" for number in range(60))
    cut = trim(f"{log}\nwhat is wrong here?")
    assert cut.endswith("\nwhat is wrong here?")
    assert 11 == len(cut.splitlines())


def test_long_prose_keeps_both_ends() -> None:
    """Requests stand at the beginning or at the end."""
    cut = trim("begin " + "x " * 5000 + "end")
    assert cut.startswith("begin")
    assert cut.endswith("end")
    assert MOST_CHARACTERS + 3 == len(cut)


@given(st.text())
def test_it_never_grows_much(text: str) -> None:
    """Whatever comes, the result is bounded."""
    assert len(trim(text)) <= MOST_CHARACTERS + 3
