"""`planoai status`."""

import io
import json
import re
from typing import Any

import msgspec
import pytest
from rich.console import Console

from brightstaff.conditions import Condition
from brightstaff.ledger import LastError, SharedLedger
from brightstaff.traffic import FAILED, bucket_of
from planoai.commands.output import Output
from planoai.commands.status import run_status
from planoai.errors import EXIT_FAILURE, EXIT_NOT_RUNNING, EXIT_OK
from planoai.home import PlanoHome
from planoai.supervisor.identity import ProcessIdentity
from planoai.supervisor.lifecycle import Phase
from planoai.supervisor.spec import Channel
from planoai.supervisor.state import state_path, write_state

GONE = ProcessIdentity(pid=2**22 + 1, create_time=1.0)


def fine(url: str) -> None:
    """Every listener answers."""
    del url


def _console(file: io.StringIO) -> Console:
    return Console(file=file, highlight=False, soft_wrap=True, markup=False, emoji=False)


def status(home: PlanoHome, output: Output, *, as_json: bool = False, probe: Any = fine) -> int:
    return run_status(home, output, as_json=as_json, probe=probe, wall_clock=lambda: 1200.0)


def test_not_running(home: PlanoHome, output: Output, text: io.StringIO) -> None:
    """Exit code 3."""
    assert EXIT_NOT_RUNNING == status(home, output)
    assert "Plano is not running.\n" == text.getvalue()


def test_running(home: PlanoHome, output: Output, text: io.StringIO, process: Any, record_state: Any) -> None:
    """Uptime, configuration, listener, each process with its memory, restarts and their reason, channels."""
    supervisor, envoy = process(), process()
    record_state(supervisor, envoy)

    assert EXIT_OK == status(home, output)
    shown = text.getvalue()
    assert "✓ Plano is running, for 3 min 20 s.\n" in shown
    assert "Configuration  /etc/config.yaml\n" in shown
    assert "http://127.0.0.1:12000/v1   (model_listener)\n" in shown
    assert re.search(rf"brightstaff +ready +pid {supervisor.pid} +3 min 20 s +\d+ MB\n", shown)
    assert re.search(rf"envoy +ready +pid {envoy.pid} +1 min 40 s +\d+ MB +1 restart\n", shown)
    assert ", ended by SIGSEGV\n        [critical] it crashed\n" in shown
    assert "  a/b  x.example.com  $K  default\n" in shown
    assert re.search(r"\n  CHANNEL +STATE +LAST 5 MINUTES \(MEDIAN\)\n  a/b +well +no requests\n$", shown)


def test_json(home: PlanoHome, output: Output, text: io.StringIO, process: Any, record_state: Any) -> None:
    """One object, with everything that is shown."""
    supervisor, envoy = process(), process()
    record_state(supervisor, envoy)

    assert EXIT_OK == status(home, output, as_json=True)
    report = json.loads(text.getvalue())
    assert (True, True, 200.0, "/etc/config.yaml") == tuple(
        report[key] for key in ("running", "healthy", "uptime_s", "config")
    )
    assert {"name": "envoy", "pid": envoy.pid, "restarts": 1, "uptime_s": 100.0}.items() <= report["processes"][
        1
    ].items()
    assert report["processes"][1]["rss_bytes"] > 0
    assert "ended by SIGSEGV" == report["processes"][1]["last_exit"]["reason"]
    assert "http://127.0.0.1:12000/v1" == report["listeners"][0]["url"]
    assert "$K" == report["channels"][0]["key_name"]


def test_json_when_nothing_runs(home: PlanoHome, output: Output, text: io.StringIO) -> None:
    """Still one object."""
    assert EXIT_NOT_RUNNING == status(home, output, as_json=True)
    assert {"running": False, "healthy": False, "pids": {}}.items() <= json.loads(text.getvalue()).items()


def test_a_process_that_is_being_restarted(
    home: PlanoHome, output: Output, text: io.StringIO, process: Any, record_state: Any
) -> None:
    """Degraded, exit code 1, and when it will be started."""
    record_state(process(), None, phase=Phase.RESTARTING, next_start_at=1204.5)

    assert EXIT_FAILURE == status(home, output)
    assert "! Plano is degraded, for 3 min 20 s.\n" in text.getvalue()
    assert "envoy        starts again in 4.5 s" in text.getvalue()


def test_a_listener_that_does_not_answer(
    home: PlanoHome, output: Output, text: io.StringIO, process: Any, record_state: Any
) -> None:
    """All processes are there, and yet nothing works: degraded."""
    record_state(process(), process())

    assert EXIT_FAILURE == status(home, output, probe=lambda url: "HTTP 503")
    assert "  ! http://127.0.0.1:12000/readyz: HTTP 503\n" in text.getvalue()


def test_what_a_killed_supervisor_left(
    home: PlanoHome, output: Output, text: io.StringIO, process: Any, record_state: Any
) -> None:
    """Not running, and what is still there."""
    envoy = process()
    record_state(GONE, envoy)

    assert EXIT_NOT_RUNNING == status(home, output)
    assert f"still there: envoy (pid {envoy.pid}). `planoai down` stops them." in text.getvalue()


def test_a_gateway_of_another_version(
    home: PlanoHome, output: Output, text: io.StringIO, process: Any, record_state: Any
) -> None:
    """What can be known of it, and what to do."""
    supervisor = process()
    record_state(supervisor, None)
    changed = json.loads(state_path(home).read_text()) | {"version": 99}
    state_path(home).write_text(json.dumps(changed))

    assert EXIT_FAILURE == status(home, output)
    assert "started by another version of planoai" in text.getvalue()


@pytest.mark.parametrize("as_json", [True, False])
def test_no_home_yet(tmp_path: Any, output: Output, text: io.StringIO, as_json: bool) -> None:
    """Before the first `up`; nothing is created by looking."""
    assert EXIT_NOT_RUNNING == status(PlanoHome(tmp_path / "none"), output, as_json=as_json)
    assert not (tmp_path / "none").exists()
    assert text.getvalue()


@pytest.fixture
def troubled(home: PlanoHome, process: Any, record_state: Any) -> None:
    """A gateway whose only channel cools down, with its counts in the ledger."""
    record_state(process(), process())
    ledger = SharedLedger(home.ledger)
    cools = Condition(failures_in_a_row=1, since_s=1190.0, until_s=1228.0, cause="429", status=429, hinted=True)
    ledger.change({"channel a/b": lambda _: cools})
    ledger.note_error(LastError("a/b", 1198.0, "429", "id-1"))
    ledger.add_traffic({("a/b", 20, FAILED): 1, ("a/b", 20, bucket_of(840)): 11}, 1200.0)
    ledger.close()


@pytest.mark.usefixtures("troubled")
def test_how_channels_fare(home: PlanoHome, output: Output, text: io.StringIO) -> None:
    """State, why, the last error and the last minutes; no line wider than a small terminal."""
    assert EXIT_OK == status(home, output)
    assert "  a/b      cools down, 28 s left  12 attempts, 92 % ok, 0.9 s\n" in text.getvalue()
    assert "      after 429 (says the provider); last error: 429, 2 s ago\n" in text.getvalue()
    table = text.getvalue().partition("CHANNEL")[2]
    assert 80 >= max(len(line) for line in table.splitlines())


@pytest.mark.usefixtures("troubled")
def test_how_channels_fare_for_scripts(home: PlanoHome, output: Output, text: io.StringIO) -> None:
    """The same in the channel's `health`."""
    assert EXIT_OK == status(home, output, as_json=True)
    report = json.loads(text.getvalue())
    health = report["channels"][0]["health"]
    assert ("cools_down", 28.0, 12) == (health["state"], health["left_s"], health["traffic"]["attempts"])
    assert report["ledger_error"] is None


@pytest.mark.parametrize("as_json", [True, False])
def test_a_ledger_that_cannot_be_read(
    home: PlanoHome, text: io.StringIO, process: Any, record_state: Any, as_json: bool
) -> None:
    """A warning; everything else is shown, and the exit code is that of the gateway."""
    record_state(process(), process())
    home.ledger.write_bytes(b"this is no database, and longer than a header of one" * 40)
    warnings = io.StringIO()
    separate = Output(_console(text), _console(warnings))

    assert EXIT_OK == status(home, separate, as_json=as_json)
    assert "! How the channels fare is not known: " in warnings.getvalue()
    assert "file is not a database" in warnings.getvalue()
    if as_json:
        report = json.loads(text.getvalue())
        assert ("file is not a database", None) == (report["ledger_error"], report["channels"][0]["health"])
    else:
        assert "  a/b  x.example.com  $K  default\n" in text.getvalue()
        assert "CHANNEL" not in text.getvalue()


def test_many_models_of_a_wildcard_channel(
    home: PlanoHome, output: Output, text: io.StringIO, process: Any, record_state: Any
) -> None:
    """Those that are not well first, and not all of them; a name that a client made up is harmless."""
    state = record_state(process(), process())
    write_state(
        home, msgspec.structs.replace(state, channels=(Channel("w/*", "https://w", "openai", False, None, True),))
    )
    ledger = SharedLedger(home.ledger)
    ledger.add_traffic({(f"w/{number:02}", 20, bucket_of(840)): 1 for number in range(24)}, 1200.0)
    cools = Condition(failures_in_a_row=1, since_s=1190.0, until_s=1228.0, cause="503", status=503)
    ledger.change({"channel w/z\x1b[2J": lambda _: cools})
    ledger.close()

    assert EXIT_OK == status(home, output)
    shown = text.getvalue().partition("CHANNEL")[2].splitlines()
    assert shown[1].startswith("  w/* ")
    assert shown[2].startswith("    w/z\ufffd[2J ")
    assert "      after 503" == shown[3]
    assert shown[4].startswith("    w/00 ")
    assert "    5 more models (--json has all)" == shown[-1]
