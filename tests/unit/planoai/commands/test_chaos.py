"""planoai.commands.chaos: what it refuses before anything is started. The rest is tried end to end."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from planoai.chaos.kinds import ALL_DOWN, KINDS
from planoai.commands.chaos import chaos
from planoai.config.problems import ConfigError

CONFIG = (
    'version: v0.4.0\nmodel_providers:\n  - {model: one/m, base_url: "http://a.example", access_key: $NOBODY_SET}\n'
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """One channel, whose key is not set."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def test_the_kinds() -> None:
    """Without a configuration."""
    result = CliRunner().invoke(chaos, ["--list"])
    assert (0, len(KINDS) + 1) == (result.exit_code, len(result.output.splitlines()))
    assert ALL_DOWN.name in result.output


def test_unknown_names(config: Path) -> None:
    """With those that there are."""
    wrong = CliRunner().invoke(chaos, [str(config), "--failure", "weather"])
    assert (2, True) == (wrong.exit_code, "there is no failure 'weather'; there are 429" in wrong.output)
    wrong = CliRunner().invoke(chaos, [str(config), "--channel", "two/m"])
    assert (2, True) == (wrong.exit_code, "there is no channel 'two/m'; there are one/m" in wrong.output)


def test_a_wrong_configuration(config: Path) -> None:
    """The same mistakes as for `up`, but no key is missed."""
    config.write_text(CONFIG.replace("http://a.example", "nowhere"))
    result = CliRunner().invoke(chaos, [str(config)])
    assert isinstance(result.exception, ConfigError)
    assert 1 == len(result.exception.errors)
