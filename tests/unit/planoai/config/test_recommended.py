"""The recommended configuration is part of the package."""

from planoai.config.recommended import recommended_config_text


def test_text() -> None:
    """It is the documented file: current version, seven models."""
    text = recommended_config_text()
    assert text.startswith("version: v0.4.0\n")
    assert 7 == text.count("\n    model: ")
