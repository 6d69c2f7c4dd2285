"""`planoai down`."""

import io
from pathlib import Path
from typing import Any

from planoai.commands.down import run_down
from planoai.commands.output import Output
from planoai.home import PlanoHome
from planoai.supervisor.identity import ProcessIdentity
from planoai.supervisor.state import state_path

GONE = ProcessIdentity(pid=2**22 + 1, create_time=1.0)


def test_nothing_ran(home: PlanoHome, output: Output, text: io.StringIO) -> None:
    """It says so; that is no error."""
    run_down(home, output)

    assert "Plano is not running.\n" == text.getvalue()


def test_no_home_yet(tmp_path: Path, output: Output, text: io.StringIO) -> None:
    """Nothing is created."""
    run_down(PlanoHome(tmp_path / "none"), output)

    assert "Plano is not running.\n" == text.getvalue()
    assert not (tmp_path / "none").exists()


def test_it_ran(home: PlanoHome, output: Output, text: io.StringIO, process: Any, record_state: Any) -> None:
    """Stopped, and each process named when asked."""
    supervisor, envoy = process(), process()
    record_state(supervisor, envoy)
    run_down(home, output, verbose=True)

    assert "✓ Plano was stopped.\n  supervisor\n  brightstaff\n  envoy\n" == text.getvalue()
    assert [False, False] == [supervisor.is_alive(), envoy.is_alive()]
    assert not state_path(home).exists()


def test_left_overs(home: PlanoHome, output: Output, text: io.StringIO, process: Any, record_state: Any) -> None:
    """The supervisor had been killed."""
    envoy = process()
    record_state(GONE, envoy)
    run_down(home, output)

    assert "✓ Stopped what an earlier Plano had left; its supervisor had been killed.\n" == text.getvalue()
    assert not envoy.is_alive()


def test_a_stale_state_only(home: PlanoHome, output: Output, text: io.StringIO, record_state: Any) -> None:
    """Nothing ran any more: cleaned up."""
    record_state(GONE, GONE)
    run_down(home, output)

    assert "Plano is not running.\n" == text.getvalue()
    assert not state_path(home).exists()
