"""`planoai validate`: what `up` would say, without anything being started or written."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = """
model_providers:
  - {model: a/one, base_url: "https://a.example", access_key: $FIRST_KEY, default: true}
  - {model: b/二, base_url: "http://127.0.0.1:8000"}
tracing: {}
"""

Validate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def validate(tmp_path: Path) -> Validate:
    """Runs the command in a folder of its own, with a home that is not there yet."""

    def run(*arguments: str, config: str = CONFIG, **variables: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-P", "-m", "planoai", "validate", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PLANO_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **variables},
        )

    return run


def test_a_good_configuration(validate: Validate, tmp_path: Path) -> None:
    """The real Envoy looked at it; channels and notices are shown, and nothing was written anywhere."""
    done = validate(FIRST_KEY="sk-secret")

    assert (0, [f"✓ {tmp_path}/config.yaml is valid.", ""]) == (done.returncode, done.stdout.splitlines()[:2])
    assert [
        "  a/one  a.example       $FIRST_KEY  default",
        "  b/二   127.0.0.1:8000  no key",
    ] == done.stdout.splitlines()[2:]
    assert "`tracing` has no effect" in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert ["config.yaml"] == [path.name for path in tmp_path.iterdir()]


def test_a_wrong_configuration(validate: Validate) -> None:
    """Exit code 2, every mistake with its line, the missing variable, no key and no traceback."""
    mistakes = CONFIG.replace("https://a.example", "a.example") + "  typo: {}\nlisteners: [{port: 0}]\n"
    done = validate(config=mistakes.replace("tracing: {}\n  typo: {}", "model_aliasses: {}"))

    assert 2 == done.returncode
    for fragment in ("config.yaml:3", "FIRST_KEY", "model_aliases", "port"):
        assert fragment in done.stderr
    assert "The configuration has 4 mistakes; nothing was changed." in done.stderr
    assert "Traceback" not in done.stderr


def test_no_such_file(validate: Validate) -> None:
    """Exit code 2 and the path."""
    done = validate("other.yaml")

    assert 2 == done.returncode
    assert "other.yaml does not exist" in done.stderr


def test_no_envoy(validate: Validate) -> None:
    """Exit code 1; --envoy is taken."""
    done = validate("--envoy", "/none/envoy", FIRST_KEY="sk-secret")

    assert 1 == done.returncode
    assert "There is no Envoy at /none/envoy, which --envoy names" in done.stderr


def test_envoy_refuses_it(validate: Validate, tmp_path: Path) -> None:
    """Exit code 1 and Envoy's reason."""
    (tmp_path / "ca.pem").write_text("nothing of use")
    done = validate(FIRST_KEY="sk-secret", SSL_CERT_FILE=str(tmp_path / "ca.pem"))

    assert 1 == done.returncode
    assert f"trusted CA certificates from {tmp_path}/ca.pem" in done.stderr


@pytest.mark.parametrize("proxy", ["socks5://proxy.example:1080", "http://proxy.example:many"])
def test_a_proxy_that_cannot_be_used(validate: Validate, proxy: str) -> None:
    """A sentence, and no traceback, whatever the environment says."""
    done = validate(FIRST_KEY="sk-secret", HTTPS_PROXY=proxy)

    assert 1 == done.returncode
    assert "for a/one is not of a kind that works here" in done.stderr
    assert "Traceback" not in done.stderr
