"""planoai.wording: spans and names for people."""

import pytest

from planoai.wording import ago, left, one_line, span


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "0 ms"),
        (0.0123, "12 ms"),
        (0.0996, "0.1 s"),
        (0.2, "0.2 s"),
        (1.04, "1 s"),
        (1.94, "1.9 s"),
        (9.96, "10 s"),
        (120, "120 s"),
        (121, "2 min 1 s"),
        (300, "5 min"),
        (1799.6, "30 min"),
        (3900, "1 h 5 min"),
        (7200, "2 h"),
    ],
)
def test_span(seconds: float, expected: str) -> None:
    """As exactly as people read it."""
    assert expected == span(seconds)


@pytest.mark.parametrize(("seconds", "expected"), [(0.01, "1 s"), (27.1, "28 s"), (28.0, "28 s"), (700, "11 min")])
def test_left(seconds: float, expected: str) -> None:
    """Rounded up."""
    assert expected == left(seconds)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(-3, "just now"), (0.9, "just now"), (1.9, "1 s ago"), (200, "3 min 20 s ago")]
)
def test_ago(seconds: float, expected: str) -> None:
    """Rounded down."""
    assert expected == ago(seconds)


def test_a_clients_name_is_harmless() -> None:
    """No escape sequence, no line of its own, no more than fits; letters of any script stay."""
    assert "模型\ufffd[2J\ufffdx" == one_line("模型\x1b[2J\nx")
    assert ("a" * 79 + "…", "a" * 80) == (one_line("a" * 200), one_line("a" * 80))
