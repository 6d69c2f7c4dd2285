"""planoai.model_strength: how capable a model is, by its name."""

import pytest

from planoai.model_strength import strength


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("custom/claude-opus-4-6", 3),
        ("custom/gpt-5.4", 3),
        ("custom/gemini-3.1-pro-preview", 3),
        ("deepseek/deepseek-reasoner", 3),
        ("openai/o3", 3),
        ("x/qwen3-max", 3),
        ("custom/claude-sonnet-4-6", 2),
        ("x/anything", 2),
        ("custom/gemini-3-flash-preview", 1),
        ("anthropic/claude-haiku-4-5", 1),
        ("openai/gpt-5-mini", 1),
        ("openai/o4-mini", 1),
        ("x/llama-3-8b", 1),
        ("gpt-4.1-nano", 1),
    ],
)
def test_strength(model: str, expected: float) -> None:
    """Small, middling, large; with or without a prefix."""
    assert expected == strength(model)
