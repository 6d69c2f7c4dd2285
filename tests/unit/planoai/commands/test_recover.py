"""`planoai recover`."""

import io
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from brightstaff.conditions import Condition
from brightstaff.ledger import SharedLedger, read_ledger
from planoai.commands.output import Output
from planoai.commands.recover import recover, run_recover
from planoai.errors import EXIT_NOT_RUNNING, EXIT_OK, EXIT_USAGE, PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.spec import Channel
from planoai.supervisor.state import state_path, write_state

COOLS = Condition(failures_in_a_row=1, since_s=990.0, until_s=1028.0, cause="429", status=429)
SLOW = Condition(slow_since_s=990.0, slow_until_s=1120.0)

CHANNELS = (
    Channel("a/m", "https://x", "openai", True, "$K", False, "key $K"),
    Channel("a/other", "https://x", "openai", False, None, False, None),
    Channel("b/m", "https://x", "openai", False, "$K", False, "key $K"),
    Channel("w/*", "https://x", "openai", False, "$W", True, "key $W"),
    Channel("w/own", "https://x", "openai", False, "$O", False, "key $O"),
)

HELD = {
    "channel a/m": COOLS,
    "channel a/other": SLOW,
    "channel b/m": COOLS,
    "channel w/one": COOLS,
    "channel w/own": COOLS,
    "channel w/two": COOLS,
    "key $K": COOLS,
    "key $W": COOLS,
    "prefix a": COOLS,
}


@pytest.fixture
def running(home: PlanoHome, process: Any, record_state: Any) -> PlanoHome:
    """A gateway of which every channel failed."""
    state = record_state(process(), process())
    write_state(home, msgspec.structs.replace(state, channels=CHANNELS))
    ledger = SharedLedger(home.ledger)
    ledger.change({subject: lambda _, held=held: held for subject, held in HELD.items()})
    ledger.close()
    return home


def lift(home: PlanoHome, output: Output, *names: str) -> int:
    return run_recover(home, output, names, wall_clock=lambda: 1000.0)


def still_held(home: PlanoHome) -> set[str]:
    return set(read_ledger(home.ledger, 1000.0).conditions)


@pytest.mark.parametrize(
    ("names", "lifted"),
    [
        ((), set(HELD)),
        (("a/m",), {"channel a/m", "key $K", "prefix a"}),
        (("a/other",), {"channel a/other", "prefix a"}),
        (("a/other", "b/m"), {"channel a/other", "prefix a", "channel b/m", "key $K"}),
        (("w/one",), {"channel w/one", "key $W"}),
        (("w/*",), {"channel w/one", "channel w/two", "key $W"}),
        (("w/own",), {"channel w/own"}),
    ],
)
def test_what_is_lifted(running: PlanoHome, output: Output, names: tuple[str, ...], lifted: set[str]) -> None:
    """Of all; or of the named channels, their keys and their prefixes; of a wildcard channel with its models."""
    assert EXIT_OK == lift(running, output, *names)
    assert set(HELD) - lifted == still_held(running)


def test_what_was_lifted_is_told(running: PlanoHome, output: Output, text: io.StringIO) -> None:
    """With what it was."""
    assert EXIT_OK == lift(running, output, "a/other")
    assert (
        "✓ Lifted:\n  channel a/other: left out, 120 s left, too slow\n  prefix a: cools down, 28 s left, after 429\n"
    ) == text.getvalue()


def test_nothing_was_held(running: PlanoHome, output: Output, text: io.StringIO) -> None:
    """That is no error."""
    lift(running, output)
    assert EXIT_OK == lift(running, output, "a/m", "b/m") == lift(running, output)
    assert text.getvalue().endswith("Nothing was held against a/m, b/m.\nNothing was held against any channel.\n")


@pytest.mark.parametrize("name", ["c/m", "a", "a/none", "w/", ""])
def test_an_unknown_channel(running: PlanoHome, output: Output, name: str) -> None:
    """The known ones are listed, nothing is lifted; exit code 2."""
    with pytest.raises(PlanoError, match=rf"There is no channel {name}\. Channels:") as caught:
        lift(running, output, "a/m", name)

    assert tuple(each.name for each in CHANNELS) == caught.value.details
    assert EXIT_USAGE == caught.value.exit_code
    assert set(HELD) == still_held(running)


def test_not_running(home: PlanoHome, output: Output, text: io.StringIO) -> None:
    """Exit code 3."""
    assert EXIT_NOT_RUNNING == lift(home, output, "a/m")
    assert "Plano is not running." in text.getvalue()


def test_a_gateway_of_another_version(running: PlanoHome, output: Output) -> None:
    """Its channels are not known; all of them can be recovered."""
    changed = msgspec.json.decode(state_path(running).read_bytes()) | {"version": 99}
    state_path(running).write_bytes(msgspec.json.encode(changed))

    with pytest.raises(PlanoError, match="another version of planoai"):
        lift(running, output, "a/m")
    assert EXIT_OK == lift(running, output)
    assert set() == still_held(running)


def test_a_ledger_that_cannot_be_read(running: PlanoHome, output: Output) -> None:
    """What is wrong, and what to do."""
    running.ledger.write_bytes(b"this is no database, and longer than a header of one" * 40)

    with pytest.raises(PlanoError, match=r"cannot be changed: .*: file is not a database") as caught:
        lift(running, output)
    assert "planoai up" in caught.value.remedy


def test_the_command(home: PlanoHome) -> None:
    """Its exit code is that of `run_recover`."""
    result = CliRunner(env={"PLANO_HOME": str(home.root)}).invoke(recover, ["a/m"])

    assert (EXIT_NOT_RUNNING, True) == (result.exit_code, "not running" in result.output)
