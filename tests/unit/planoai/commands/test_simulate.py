"""planoai.commands.simulate: what it says, what it refuses, and that it ends when it is told."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from planoai.commands.simulate import simulate
from planoai.config.problems import ConfigError
from planoai.errors import EXIT_FAILURE, EXIT_USAGE, PlanoError
from planoai.simulator import SimulatorClient, run_in_thread


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The command in a process of its own, once it serves, and its address."""
    environment = {**os.environ, "HOME": str(home), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "planoai", "simulate", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first.startswith("Simulated provider at http"), first + process.stdout.read()
            while "Ctrl-C" not in process.stdout.readline():
                pass
            yield process, first.split()[-1].removesuffix("/v1")
        finally:
            process.kill()


def test_serves_and_logs(tmp_path: Path) -> None:
    """Rules of a file are followed, each request is a line without its key, and Ctrl-C ends it with code 0."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  - {name: mine, match: {key: 'sk-1234567890abcdef'}, behaviours: [{content: hello}]}\n")
    with running(tmp_path, "--rules", str(rules), "--model", "only-this") as (process, url):
        request = urllib.request.Request(f"{url}/v1/models", headers={"Authorization": "Bearer sk-1234567890abcdef"})  # noqa: S310
        with urllib.request.urlopen(request) as response:  # noqa: S310
            assert b"only-this" in response.read()
        assert SimulatorClient(url).wait_for_requests(1)[0].rule == "mine"
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        output = process.stdout.read()
        assert process.wait(10) == 0
    assert "GET /v1/models model=- key=sk-…cdef → 200" in output
    assert "sk-1234567890abcdef" not in output
    assert output.endswith("Stopped.\n")


def test_quiet(tmp_path: Path) -> None:
    """With --quiet requests are not shown; SIGTERM ends it too."""
    with running(tmp_path, "--quiet", "--behaviour", '{"status": 418}', "--no-steering", "--no-record") as (
        process,
        url,
    ):
        client = SimulatorClient(url)
        with pytest.raises(urllib.error.HTTPError, match="418") as caught:
            urllib.request.urlopen(f"{url}/v1/models")  # noqa: S310
        caught.value.close()
        assert client.requests() == []
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.read() == "Stopped.\n"


def test_port_in_use() -> None:
    """Another's port is named, and what to do."""
    with run_in_thread() as sim:
        caught = failure("--port", str(sim.port))
    assert isinstance(caught, PlanoError)
    assert (f"Port {sim.port} is already in use.", EXIT_FAILURE) == (caught.message, caught.exit_code)
    assert "--port" in caught.remedy


def test_wrong_rules(tmp_path: Path) -> None:
    """A bad file is reported with its lines."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  - behaviour: 429\n")
    caught = failure("--rules", str(rules))
    assert isinstance(caught, ConfigError)
    assert f"{rules}:2: error: unknown field `behaviour`; did you mean `behaviours`?" in str(caught)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--behaviour", "{"], "--behaviour: this is no JSON"),
        (["--behaviour", '{"statu": 1}'], "--behaviour: statu: unknown field `statu`; did you mean `status`?"),
        (["--tls-cert", __file__], "--tls-cert and --tls-key belong together; only one was given."),
    ],
)
def test_wrong_options(arguments: list[str], message: str) -> None:
    """What is wrong with the command line is said, with exit code 2."""
    caught = failure(*arguments)
    assert isinstance(caught, PlanoError)
    assert caught.message.startswith(message)
    assert caught.exit_code == EXIT_USAGE


def test_certificate_that_is_none() -> None:
    """A file that is no certificate is named."""
    caught = failure("--tls-cert", __file__, "--tls-key", __file__)
    assert isinstance(caught, PlanoError)
    assert __file__ in caught.message


def test_tls(tmp_path: Path) -> None:
    """With a certificate the address is https."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    files = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
    with running(tmp_path, *files) as (_, url):
        assert url.startswith("https://127.0.0.1:")


def test_help_keeps_its_lines() -> None:
    """Examples can be copied from the help, line by line."""
    output = CliRunner().invoke(simulate, ["--help"]).output
    assert "\n  A healthy provider:\n    planoai simulate\n" in output
    assert "\n        behaviours: [{status: 503, times: 2}]\n" in output


def failure(*arguments: str) -> BaseException | None:
    """What the command ends with, before it serves."""
    return CliRunner().invoke(simulate, list(arguments)).exception
