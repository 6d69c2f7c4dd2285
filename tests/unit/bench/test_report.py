"""bench.report: figures in words."""

import pytest

from bench.report import number, with_range, with_ratio
from bench.stats import Spread
from bench.summary import Figure


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.123, "0.12"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346"), (-15.04, "-15.0")],
)
def test_three_figures(value: float, expected: str) -> None:
    """No more figures than mean something."""
    assert expected == number(value)


def test_with_range() -> None:
    """The median, and between what it lay; nothing where nothing is known."""
    assert ["2.00x (1.50-3.00)", ""] == [with_range(Spread(2.0, 1.5, 3.0), "x"), with_range(None)]


def test_with_ratio() -> None:
    """The median, and how many times Envoy alone it is."""
    figure = Spread(2.0, 1.5, 3.0)
    assert ["2.00 (4.00x)", "2.00", ""] == [
        with_ratio(Figure(figure, 4.0)),
        with_ratio(Figure(figure, None)),
        with_ratio(None),
    ]
