"""`planoai eval`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planoai.commands.eval import evaluate
from planoai.errors import PlanoError

CONFIG = """
version: v0.4.0
model_providers:
  - {model: a/opus, base_url: "http://127.0.0.1:9/v1", provider_interface: openai, default: true}
  - {model: a/flash, base_url: "http://127.0.0.1:9/v1", provider_interface: openai}
routing_preferences:
  - {name: code, description: "writing code, implementing features", models: [a/opus]}
  - {name: chat, description: "casual conversation, simple questions", models: [a/flash]}
"""
PROMPTS = (
    {"prompt": "write a function that parses dates", "route": "code", "lang": "en"},
    {"prompt": "hello there, how are you", "route": "chat", "lang": "en"},
    {"prompt": "write a script that renames files", "route": "chat", "lang": "en"},
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Prompts and a configuration."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, PROMPTS)))
    return str(tmp_path / "prompts.jsonl"), str(tmp_path / "config.yaml")


def run(*arguments: str) -> Result:
    """The command."""
    return CliRunner().invoke(evaluate, arguments)


def test_the_report(files: tuple[str, str]) -> None:
    """Accuracy, by language and route, and what was mistaken for what."""
    result = run(files[0], "--config", files[1])
    assert 0 == result.exit_code, result.output
    rows = {line[:25].strip(): line[25:].strip() for line in result.output.splitlines()}
    assert "3 prompts" in rows
    assert "66.7 %" in result.output
    assert "Mistaken by auto: meant → given" in result.output
    assert "1  chat  →  code" in result.output


def test_backends_side_by_side(files: tuple[str, str]) -> None:
    """One report for each, for scripts, too."""
    backends = ("--backend", "builtin", "--backend", "auto")
    told = json.loads(run(files[0], "--config", files[1], *backends, "--json").output)
    assert ["builtin", "auto"] == [each["backend"] for each in told]
    assert [3, 3] == [each["prompts"] for each in told]
    assert {"code": [1, 1], "chat": [1, 2]} == told[0]["routes"]


def test_mistakes(files: tuple[str, str]) -> None:
    """A file that is no text, a route that there is not."""
    Path(files[0]).write_bytes(b"\xff\xff")
    first = run(files[0], "--config", files[1])
    Path(files[0]).write_text('{"prompt": "x", "route": "poems"}')
    second = run(files[0], "--config", files[1])
    assert [True, True] == [isinstance(each.exception, PlanoError) for each in (first, second)]
