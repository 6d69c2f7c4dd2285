"""planoai.prices: the file with the prices of models."""

from pathlib import Path

import pytest

from planoai.errors import PlanoError
from planoai.prices import load_prices, parse_prices


def test_prices() -> None:
    """Input and output are added; a bare number stands for the sum."""
    text = "a/b: {input: 3, output: 15}\nc: 0.5\n"
    assert {"a/b": 18.0, "c": 0.5} == parse_prices(text, "p.yaml")
    assert {} == parse_prices("", "p.yaml")


@pytest.mark.parametrize("text", ["- a", "a: cheap", "a: {input: 1}", "a: {input: -1, output: 2}", "a: true", "a: [1"])
def test_mistakes_name_the_file(text: str) -> None:
    """What is no price is refused."""
    with pytest.raises(PlanoError, match=r"p\.yaml"):
        parse_prices(text, "p.yaml")


def test_files(tmp_path: Path) -> None:
    """From a file; one that is not there, or no text, is an error about the setting."""
    path = tmp_path / "p.yaml"
    with pytest.raises(PlanoError, match=r"routing\.price_file"):
        load_prices(path)
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(PlanoError, match="UTF-8"):
        load_prices(path)
    path.write_text("a/b: 1")
    assert {"a/b": 1.0} == load_prices(path)
