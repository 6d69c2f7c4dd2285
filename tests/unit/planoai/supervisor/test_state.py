"""state.json."""

import json

import msgspec

from planoai.home import PlanoHome
from planoai.supervisor.identity import ProcessIdentity
from planoai.supervisor.lifecycle import LastExit, Phase, ProcessRecord
from planoai.supervisor.spec import Channel, Listener
from planoai.supervisor.state import (
    GatewayPhase,
    State,
    read_identities,
    read_state,
    remove_state,
    state_path,
    write_state,
)

STATE = State(
    planoai_version="1.2.3",
    phase=GatewayPhase.RUNNING,
    supervisor=ProcessIdentity(pid=1, create_time=2.5, boot_id="b"),
    foreground=False,
    config_path="/c.yaml",
    started_at=100.0,
    processes=(
        ProcessRecord(
            name="envoy",
            log_file="/envoy.log",
            phase=Phase.READY,
            identity=ProcessIdentity(pid=3, create_time=4.5),
            restarts=2,
            last_exit=LastExit(at=5.0, reason="exit status 1", log_lines=("x",)),
        ),
        ProcessRecord(name="router", log_file="/router.log"),
    ),
    listeners=(Listener("l", "0.0.0.0", 12000),),
    channels=(Channel("a/b", "https://x", "openai", True, "$K", False),),
    ready_urls=("http://127.0.0.1:12000/readyz",),
    logs="/logs",
    stop_grace_s=20.0,
)


def test_it_comes_back_as_it_was(home: PlanoHome) -> None:
    """Every field; private to the user; nothing else is left in the directory."""
    write_state(home, STATE)
    write_state(home, STATE)

    assert STATE == read_state(home)
    assert 0o600 == state_path(home).stat().st_mode & 0o777
    assert [] == [path.name for path in home.run.iterdir() if path.name.startswith(".state")]


def test_identities_are_read_from_any_version(home: PlanoHome) -> None:
    """An older planoai must be able to stop what a newer one started."""
    write_state(home, STATE)
    raw = json.loads(state_path(home).read_text()) | {"version": 99, "phase": "dancing", "new": 1}
    state_path(home).write_text(json.dumps(raw))

    assert read_state(home) is None
    assert {
        "supervisor": ProcessIdentity(pid=1, create_time=2.5, boot_id="b"),
        "envoy": ProcessIdentity(pid=3, create_time=4.5),
    } == read_identities(home)


def test_a_damaged_or_missing_file_is_no_state(home: PlanoHome) -> None:
    """No error: there is simply nothing known."""
    assert (None, {}) == (read_state(home), read_identities(home))
    state_path(home).write_text('{"version":')
    assert (None, {}) == (read_state(home), read_identities(home))


def test_removing_twice_is_no_error(home: PlanoHome) -> None:
    """Gone is gone."""
    write_state(home, STATE)
    remove_state(home)
    remove_state(home)

    assert not state_path(home).exists()


def test_healthy_means_that_everything_is_ready() -> None:
    """One process that is not ready is enough."""
    ready = msgspec.structs.replace(STATE, processes=STATE.processes[:1])

    assert ready.is_healthy()
    assert not STATE.is_healthy()
    assert not msgspec.structs.replace(ready, phase=GatewayPhase.STOPPING).is_healthy()
