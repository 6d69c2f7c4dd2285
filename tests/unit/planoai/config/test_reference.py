"""The reference names every key and stays the same."""

import re

from planoai.config.introspection import no_effect, objects
from planoai.config.providers import BUILTIN_PROVIDERS
from planoai.config.recommended import recommended_config_text
from planoai.config.reference import reference_markdown

TEXT = reference_markdown()


def test_every_key_is_there() -> None:
    """Each object has a table with all its keys; those without effect are listed below it."""
    sections = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", TEXT, re.MULTILINE))
    for where, model in {model: (where, model) for where, model in reversed(list(objects()))}.values():
        section = sections[f"`{where}`" if where else "Top level"]
        for name, field in model.model_fields.items():
            expected = f"`{name}`" if no_effect(field) else f"\n| `{name}` |"
            assert expected in section, (where, name)


def test_providers_and_example() -> None:
    """Built-in providers and the recommended configuration are part of it."""
    for prefix in BUILTIN_PROVIDERS:
        assert f"\n| `{prefix}` |" in TEXT
    assert recommended_config_text().rstrip() in TEXT


def test_tables_are_whole() -> None:
    """Every row of a table has as many cells as its head."""
    width = 0
    for line in TEXT.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert cells in (width, 0) or width == 0, line
        width = cells


def test_units() -> None:
    """Defaults are shown with their units."""
    assert "| `timeout` | duration | `3600s` |" in TEXT
    assert "| `max_request_bytes` | size | `64MiB` |" in TEXT


def test_stable() -> None:
    """Written twice, it is the same; it ends in one newline."""
    assert reference_markdown() == TEXT
    assert TEXT.endswith("```\n")
