"""`planoai route`."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planoai.commands.route import route
from planoai.errors import PlanoError
from tiny_gguf import write_gguf

CONFIG = """
version: v0.4.0
model_providers:
  - {model: a/opus, base_url: "http://127.0.0.1:9/v1", provider_interface: openai, default: true}
  - {model: a/flash, base_url: "http://127.0.0.1:9/v1", provider_interface: openai}
routing_preferences:
  - {name: code, description: "writing code, implementing features", models: [a/opus, a/flash]}
  - {name: chat, description: "casual conversation, simple questions", models: [a/flash]}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration with two routes."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return str(path)


def run(*arguments: str, stdin: str = "") -> Result:
    """The command."""
    return CliRunner().invoke(route, arguments, input=io.BytesIO(stdin.encode()))


def test_a_prompt(config: str) -> None:
    """The route and its models, why, what was read, every probability."""
    result = run("write a function that parses dates", "--config", config)
    assert 0 == result.exit_code, result.output
    lines = result.output.splitlines()
    assert "code → a/opus, then a/flash" == lines[0]
    assert "  read     write a function that parses dates" in lines
    assert ["chat", "code"] == sorted(line.split()[0] for line in lines[-3:-1])
    assert "(none)" in lines[-1]


@pytest.mark.parametrize("source", ["-", "@"])
def test_a_request(config: str, tmp_path: Path, source: str) -> None:
    """From standard input or a file; for scripts."""
    body = json.dumps({"input": [{"role": "user", "content": "write a function that parses dates"}]})
    path = tmp_path / "request.json"
    path.write_text(body)
    result = run(f"@{path}" if source == "@" else "-", "--config", config, "--json", stdin=body)
    told = json.loads(result.output)
    assert ("code", ["a/opus", "a/flash"], "builtin") == (told["route"], told["models"], told["backend"])
    assert "write a function that parses dates" == told["read"]


def test_a_short_turn_shows_what_it_leans_on(config: str, tmp_path: Path) -> None:
    """What was said before, and a long text is cut."""
    path = tmp_path / "request.json"
    messages = [{"role": "user", "content": "write a function " + "x" * 400}, {"role": "user", "content": "in rust"}]
    path.write_text(json.dumps({"messages": messages}))
    result = run(f"@{path}", "--config", config)
    assert "  read     in rust" in result.output
    assert "  after    write a function" in result.output


def test_nothing_to_route(config: str) -> None:
    """Neither a prompt nor a file to learn from: the command line is wrong."""
    result = run("--config", config)
    assert (2, True) == (result.exit_code, "Give a PROMPT, or --learn FILE" in result.output)


def test_a_file_that_is_no_text(config: str, tmp_path: Path) -> None:
    """Is told."""
    path = tmp_path / "x"
    path.write_bytes(b"\xff\xff")
    result = run(f"@{path}", "--config", config)
    assert isinstance(result.exception, PlanoError)
    assert "UTF-8" in str(result.exception)


def test_a_local_model(config: str, tmp_path: Path) -> None:
    """Decides here as in the gateway; all probabilities are told."""
    model = write_gguf(tmp_path / "tiny.gguf")
    with Path(config).open("a") as file:
        file.write(f"routing: {{model: {model}}}\n")
    result = run("write a function that parses dates", "--config", config, "--backend", "llama", "--json")
    told = json.loads(result.output)
    assert "llama" == told["backend"]
    assert {"code", "chat"} == set(told["probabilities"])


def test_a_local_model_that_is_not_there(config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is an error that says what to do."""
    monkeypatch.setenv("PLANO_HOME", str(tmp_path / "home"))
    result = run("hello", "--config", config, "--backend", "llama")
    assert isinstance(result.exception, PlanoError)
    assert "planoai models pull" in str(result.exception.remedy)
