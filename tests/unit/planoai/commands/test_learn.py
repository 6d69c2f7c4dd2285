"""`planoai route --learn`."""

import json
import stat
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from planoai.commands.route import route
from planoai.config import load_config
from planoai.errors import PlanoError

CONFIG = """\
version: v0.4.0
model_providers:
  - {model: a/opus, base_url: "http://127.0.0.1:9/v1", provider_interface: openai, default: true}
  - {model: a/flash, base_url: "http://127.0.0.1:9/v1", provider_interface: openai}
routing_preferences:
  - name: zebra
    description: questions for team zebra   # nobody else's
    models: [a/opus]
  - {name: heron, description: questions for team heron, models: [a/flash]}
model_aliases: {}   # none
"""
ZEBRA = [
    f"please order {n} more brackets for the warehouse in {city}" for n, city in enumerate(("Ulm", "Bonn", "Kiel"))
]
HERON = [f"the frobnicator on floor {n} blinks {colour}" for n, colour in enumerate(("red", "green", "blue"))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration and prompts."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "config.yaml").chmod(0o640)
    lines = [{"prompt": text, "route": "zebra"} for text in ZEBRA] + [
        {"text": text, "route": "heron"} for text in HERON
    ]
    lines.append({"prompt": "my password is hunter22, please order brackets", "route": "zebra"})
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def run(folder: Path, *more: str) -> Result:
    """The command."""
    arguments = ("--learn", str(folder / "prompts.jsonl"), "--config", str(folder / "config.yaml"))
    return CliRunner().invoke(route, (*arguments, *more))


def test_examples_are_written(folder: Path) -> None:
    """Everything else stays as it was, the old file beside it; a second time they are known to be there."""
    result = run(folder)
    assert 0 == result.exit_code, result.output
    assert "accuracy" in result.output
    assert "1 prompt becomes no examples, because they look as if they held a secret: line 7" in result.stderr
    path = folder / "config.yaml"
    assert CONFIG == (folder / "config.yaml.bak").read_text()
    assert [0o640, 0o640] == [stat.S_IMODE(each.stat().st_mode) for each in (path, folder / "config.yaml.bak")]
    learnt = {each.name: each.examples for each in load_config(path, {}).config.routing_preferences}
    assert set(learnt["zebra"]) <= set(ZEBRA)
    assert any(learnt.values())
    assert all(line in path.read_text() for line in ("# nobody else's", "model_aliases: {}   # none"))
    assert "hunter22" not in path.read_text() + result.output
    again = run(folder)
    assert 0 == again.exit_code, again.output
    assert "because they are examples already" in again.stderr


def test_a_dry_run_shows_the_change(folder: Path) -> None:
    """A diff, without keys that stand in the file; nothing is written."""
    path = folder / "config.yaml"
    path.write_text(
        CONFIG.replace("model_aliases: {}", "").replace("default: true}", "access_key: sk-abc, default: true}")
    )
    before = path.read_text().replace("  - {model: a/flash", "  - {headers: {x-k: sk-def}, model: a/flash")
    path.write_text(before)
    result = run(folder, "--dry-run")
    assert 0 == result.exit_code, result.output
    assert "+    examples:" in result.stdout.splitlines()
    assert "sk-" not in result.output
    assert before == path.read_text()
    assert not (folder / "config.yaml.bak").exists()


def test_nothing_better_nothing_written(folder: Path) -> None:
    """Prompts that go right already; and labels without sense."""
    path = folder / "config.yaml"
    path.write_text(CONFIG.replace("questions for team zebra", "ordering brackets").replace("{}", "{}"))
    (folder / "prompts.jsonl").write_text(
        '{"prompt": "write a function that parses dates", "route": null}\n{"prompt": "", "route": null}'
    )
    nothing = run(folder)
    assert "No example would help" in nothing.output
    noise = [{"prompt": f"{word} is what I mean, you know", "route": name}
             for word, name in zip("abcdefgh", ("zebra", "heron") * 4, strict=True)]  # fmt: skip
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, noise)))
    before = path.read_text()
    assert 0 == run(folder).exit_code
    assert before == path.read_text()


def test_what_cannot_be_edited_is_shown(folder: Path) -> None:
    """The examples, to be copied by hand."""
    path = folder / "config.yaml"
    text = CONFIG.replace(
        "  - name: zebra\n    description: questions for team zebra   # nobody else's\n    models: [a/opus]\n", ""
    )
    older = text.replace(
        "provider_interface: openai, default: true}",
        "provider_interface: openai, default: true,\n"
        "     routing_preferences: [{name: zebra, description: questions for team zebra}]}",
    ).replace("version: v0.4.0", "version: v0.3.0")
    path.write_text(older)
    result = run(folder)
    assert isinstance(result.exception, PlanoError), result.output
    assert "cannot be edited" in result.exception.message
    assert {"zebra"} <= {
        each["name"] for each in yaml.safe_load("\n".join(result.exception.details))["routing_preferences"]
    }


def test_unknown_routes_are_refused_with_their_lines(folder: Path) -> None:
    """All of them, and the names that there are."""
    lines = [{"prompt": "x", "route": name} for name in ("zebra", "poems", "heron", "poems", "songs")]
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    error = run(folder).exception
    assert isinstance(error, PlanoError)
    assert "prompts.jsonl:2: 'poems' is no route of the configuration (lines 2 and 4); 'songs' is" in error.message
    assert (2, "Its routes: zebra, heron.") == (error.exit_code, error.remedy)


@pytest.mark.parametrize("more", [("hello",), ("--json",), ("--backend", "auto")])
def test_what_does_not_go_together(folder: Path, more: tuple[str, ...]) -> None:
    """--learn routes nothing."""
    result = run(folder, *more)
    assert 2 == result.exit_code
    assert "--learn goes with neither" in result.output


def test_a_link_stays_a_link(folder: Path) -> None:
    """The file behind it is changed, and its copy lies beside it."""
    (folder / "real").mkdir()
    (folder / "config.yaml").rename(folder / "real" / "config.yaml")
    (folder / "config.yaml").symlink_to(folder / "real" / "config.yaml")
    assert 0 == run(folder).exit_code
    assert (folder / "config.yaml").is_symlink()
    assert (folder / "real" / "config.yaml.bak").exists()


def test_a_dry_run_shows_no_secret_of_the_routing(folder: Path) -> None:
    """Neither the password of Redis nor the key of a router, which may stand beside the routes."""
    path = folder / "config.yaml"
    routing = (
        'routing:\n  remote: {base_url: "http://127.0.0.1:9", model: m, access_key: sk-of-the-router}\n'
        '  session_cache: {type: redis, url: "redis://:pw-of-redis@127.0.0.1:9"}\n'
    )
    path.write_text(CONFIG.replace("model_aliases: {}   # none\n", routing))
    result = run(folder, "--dry-run")
    assert 0 == result.exit_code, result.output
    assert "routing:" in result.output
    assert "sk-of-the-router" not in result.output
    assert "pw-of-redis" not in result.output
