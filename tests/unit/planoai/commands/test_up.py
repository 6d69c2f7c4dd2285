"""`planoai up`: finding the configuration, and what is shown."""

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from planoai.commands.output import Output
from planoai.commands.up import find_config, show_gateway, up_reporter
from planoai.errors import EXIT_USAGE, PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.progress import GatewayReady, ProcessReady, SupervisorStarted
from planoai.supervisor.spec import Channel, Listener, ProcessSpec
from planoai.supervisor.stop import StopReport


@dataclass(frozen=True)
class FakeGateway:
    """What a compiled gateway shows."""

    config_path: Path = Path("/etc/plano/config.yaml")
    processes: tuple[ProcessSpec, ...] = ()
    listeners: tuple[Listener, ...] = (Listener("model_listener", "0.0.0.0", 12000),)
    channels: tuple[Channel, ...] = (
        Channel("custom/a", "https://one.example.com", "openai", True, "$KEY_A", False),
        Channel("custom-aws/a", "https://two.example.com", "openai", False, "$KEY_B", False),
    )
    ready_urls: tuple[str, ...] = ()
    admin_socket: Path = Path("/x")
    rotated_logs: tuple[Path, ...] = ()

    def write(self) -> None:
        """Nothing: the fake processes read no files."""


@pytest.fixture
def text() -> io.StringIO:
    """What was written."""
    return io.StringIO()


@pytest.fixture
def output(text: io.StringIO) -> Output:
    """Both streams in one text."""
    console = Console(file=text, highlight=False, soft_wrap=True, markup=False)
    return Output(console, console)


def test_a_file_that_is_named(tmp_path: Path) -> None:
    """It is used, whatever its name and wherever DIR is."""
    (tmp_path / "mine.yml").touch()

    assert tmp_path / "mine.yml" == find_config(tmp_path / "mine.yml", Path("/none"))


def test_the_default_names_in_their_order(tmp_path: Path) -> None:
    """config.yaml before plano_config.yaml."""
    (tmp_path / "plano_config.yaml").touch()
    assert tmp_path / "plano_config.yaml" == find_config(None, tmp_path)
    (tmp_path / "config.yaml").touch()
    assert tmp_path / "config.yaml" == find_config(None, tmp_path)


def test_a_missing_file_is_an_error_and_no_other_is_taken(tmp_path: Path) -> None:
    """A typing mistake must not start something else."""
    (tmp_path / "config.yaml").touch()
    with pytest.raises(PlanoError, match=r"confg\.yaml does not exist") as caught:
        find_config(tmp_path / "confg.yaml", tmp_path)

    assert EXIT_USAGE == caught.value.exit_code
    assert "planoai demo" in caught.value.remedy


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """As in `planoai up .`, with a path that is there."""
    with pytest.raises(PlanoError, match="is a directory, not a file"):
        find_config(tmp_path, tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    """Both names and the directory are in the message."""
    with pytest.raises(PlanoError, match=rf"neither config\.yaml nor plano_config\.yaml in {tmp_path}") as caught:
        find_config(None, tmp_path)

    assert EXIT_USAGE == caught.value.exit_code


def test_what_a_running_gateway_shows(text: io.StringIO, output: Output) -> None:
    """URL, channels with host, key name and default, configuration, logs, how to stop."""
    show_gateway(output, FakeGateway(), PlanoHome(Path("/home/x/.plano")), foreground=False)

    assert (
        "✓ Plano is running.\n"
        "\n"
        "  http://127.0.0.1:12000/v1   (model_listener, on all interfaces)\n"
        "\n"
        "  custom/a      one.example.com  $KEY_A  default\n"
        "  custom-aws/a  two.example.com  $KEY_B\n"
        "\n"
        "  Configuration  /etc/plano/config.yaml\n"
        "  Logs           /home/x/.plano/run/logs   (planoai logs -f)\n"
        "  Stop           planoai down\n"
    ) == text.getvalue()


def test_how_to_stop_in_the_foreground(text: io.StringIO, output: Output) -> None:
    """Ctrl-C."""
    show_gateway(output, FakeGateway(), PlanoHome(Path("/home/x/.plano")), foreground=True)

    assert "  Stop           Ctrl-C\n" in text.getvalue()


@pytest.mark.parametrize(
    ("verbose", "expected"), [(False, ""), (True, "envoy is ready (pid 3, 0.25 s)\neverything is ready (0.50 s)\n")]
)
def test_steps_only_when_asked_for(text: io.StringIO, output: Output, verbose: bool, expected: str) -> None:
    """--verbose."""
    reporter = up_reporter(output, verbose=verbose)
    reporter.progress(SupervisorStarted(pid=1))
    reporter.progress(ProcessReady(name="envoy", pid=3, after_s=0.25))
    reporter.progress(GatewayReady(after_s=0.5))

    assert expected == text.getvalue()


@pytest.mark.parametrize(
    ("stale", "expected"),
    [
        (False, "Stopped the Plano that was running (supervisor, envoy).\n"),
        (True, "Stopped what an earlier Plano had left (supervisor, envoy).\n"),
    ],
)
def test_a_replaced_gateway_is_mentioned(text: io.StringIO, output: Output, stale: bool, expected: str) -> None:
    """What was stopped to make room."""
    up_reporter(output, verbose=False).replaced(StopReport(stopped=("supervisor", "envoy"), was_stale=stale))

    assert expected == text.getvalue()
