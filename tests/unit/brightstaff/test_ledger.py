"""brightstaff.ledger: what is remembered, in memory and in a file that several workers share."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from brightstaff.conditions import WELL, Condition
from brightstaff.ledger import (
    NOTHING,
    LastError,
    Ledger,
    MemoryLedger,
    SharedLedger,
    forget_conditions,
    read_ledger,
)
from brightstaff.traffic import FAILED, Summary

COOLS = Condition(failures_in_a_row=1, since_s=10.0, until_s=20.0, cause="429", status=429)
MINUTE = 30_000_000


def become(condition: Condition) -> Callable[[Condition], Condition]:
    """The transition to this condition, from whatever there was."""
    return lambda _: condition


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "channels.sqlite"


@pytest.fixture(params=["memory", "shared"])
def ledger(request: pytest.FixtureRequest, path: Path) -> Iterator[Ledger]:
    """Both kinds."""
    if request.param == "memory":
        yield MemoryLedger()
        return
    shared = SharedLedger(path)
    yield shared
    shared.close()


def test_a_condition_is_kept_until_it_is_well(ledger: Ledger) -> None:
    """What is well is not in the ledger; a change starts from what there is."""
    assert {} == ledger.conditions()
    ledger.change({"channel a/m": become(COOLS), "channel b/m": lambda condition: condition})
    assert {"channel a/m": COOLS} == ledger.conditions()
    seen: list[Condition] = []

    def see(condition: Condition) -> Condition:
        seen.append(condition)
        return WELL

    ledger.change({"channel a/m": see})
    assert ([COOLS], {}) == (seen, ledger.conditions())


def test_memory_keeps_errors_and_the_last_hour() -> None:
    """For one worker."""
    ledger = MemoryLedger()
    error = LastError("a/m", 1.0, "429", "id-1")
    ledger.note_error(error)
    ledger.add_traffic({("a/m", MINUTE, 3): 1}, MINUTE * 60.0)
    ledger.add_traffic({("a/m", MINUTE, 3): 2}, MINUTE * 60.0)
    assert ({"a/m": error}, {("a/m", MINUTE, 3): 3}) == (ledger.errors, ledger.traffic)
    ledger.add_traffic({}, (MINUTE + 99) * 60.0)
    assert {} == ledger.traffic


def test_two_workers_see_the_same(path: Path) -> None:
    """At once, in both directions; and each changes what is there, not what it last saw."""
    one, two = SharedLedger(path), SharedLedger(path)
    try:
        assert {} == two.conditions()
        one.change({"key $A": become(COOLS)})
        assert {"key $A": COOLS} == two.conditions()
        seen: list[Condition] = []

        def see(condition: Condition) -> Condition:
            seen.append(condition)
            return Condition(cause="503", failures_in_a_row=2)

        two.change({"key $A": see})
        assert ([COOLS], "503") == (seen, one.conditions()["key $A"].cause)
    finally:
        one.close()
        two.close()


def test_it_outlives_its_worker_and_is_private(path: Path) -> None:
    """A worker that starts again finds what it knew; nobody else may read it."""
    first = SharedLedger(path)
    first.change({"channel a/m": become(COOLS)})
    modes = {each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    first.close()
    again = SharedLedger(path)
    assert ({"channel a/m": COOLS}, {0o600}) == (again.conditions(), modes)
    again.close()


def test_what_is_long_over_is_forgotten(ledger: Ledger, path: Path) -> None:
    """An hour after the end of a cool-down nothing of it is kept in the file."""
    if isinstance(ledger, MemoryLedger):
        return
    ledger.change({"channel a/m": become(COOLS)})
    ledger.add_traffic({}, COOLS.until_s + 3599)
    assert ledger.conditions()
    ledger.add_traffic({}, COOLS.until_s + 3601)
    assert {} == ledger.conditions()


def test_a_file_that_fails_stops_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What this worker knows still holds; the log says once what is missing."""
    ledger = SharedLedger(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DROP TABLE conditions")
    other.execute("DROP TABLE errors")
    other.execute("DROP TABLE traffic")
    with caplog.at_level(logging.WARNING):
        ledger.change({"channel a/m": become(COOLS)})
        ledger.note_error(LastError("a/m", 1.0, "429", "id"))
        ledger.add_traffic({("a/m", MINUTE, 3): 1}, 0.0)
        assert "channel a/m" in ledger.conditions()
    assert 1 == len(caplog.messages)
    assert caplog.messages[0].startswith("cool-downs are not shared with other workers, nor kept over a restart: ")
    ledger.close()
    other.close()


def overwrite(path: Path) -> None:
    """The file becomes something else."""
    path.write_bytes(b"This is no database. " * 5000)


def empty(path: Path) -> None:
    """Nothing is left in the file."""
    path.write_bytes(b"")


def remove(path: Path) -> None:
    """Somebody cleans up."""
    for each in path.parent.iterdir():
        each.unlink()


@pytest.mark.parametrize("damage", [overwrite, empty, remove])
def test_whatever_becomes_of_the_file(
    path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    """No decision fails because of it; what this worker finds out afterwards holds for it; one warning at most."""
    ledger = SharedLedger(path)
    ledger.change({"channel a/m": become(COOLS)})
    damage(path)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            ledger.conditions()
            ledger.change({"channel b/m": become(COOLS)})
            ledger.note_error(LastError("b/m", 1.0, "429", "id"))
            ledger.add_traffic({("b/m", MINUTE, 3): 1}, 0.0)
        assert COOLS == ledger.conditions()["channel b/m"]
    assert len(caplog.messages) <= 1
    ledger.close()


def test_another_worker_that_holds_the_file_is_not_waited_for(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It goes on without; when the file is free again everything is written and read as before."""
    ledger = SharedLedger(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with caplog.at_level(logging.WARNING):
        ledger.change({"channel a/m": become(COOLS)})
        ledger.add_traffic({("a/m", MINUTE, 3): 1}, MINUTE * 60.0)
    other.execute("ROLLBACK")
    assert 1 == len(caplog.messages)
    recent = Condition(cause="429", until_s=MINUTE * 60.0)
    ledger.change({"channel b/m": become(recent)})
    ledger.add_traffic({("a/m", MINUTE, 12): 2}, MINUTE * 60.0)
    reading = read_ledger(path, MINUTE * 60.0)
    assert (recent, {"a/m": Summary(2, 2, 8.0)}) == (reading.conditions["channel b/m"], reading.traffic)
    ledger.close()
    other.close()


def test_a_change_that_fails_leaves_the_file_free(path: Path) -> None:
    """An error of ours is heard of, nothing of it is written, and no other worker is kept out."""

    def wrong(_: Condition) -> Condition:
        raise RuntimeError("wrong")

    one, two = SharedLedger(path), SharedLedger(path)
    with pytest.raises(RuntimeError, match="wrong"):
        one.change({"channel a/m": wrong})
    two.change({"channel b/m": become(COOLS)})
    assert {"channel b/m": COOLS} == one.conditions()
    one.close()
    two.close()


def test_counts_that_cannot_be_written_leave_the_file_free(path: Path) -> None:
    """What was begun is taken back: cool-downs still reach the other workers."""
    one, two = SharedLedger(path), SharedLedger(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DROP TABLE traffic")
    one.add_traffic({("a/m", MINUTE, 3): 1}, 0.0)
    two.change({"channel a/m": become(COOLS)})
    one.change({"channel b/m": become(COOLS)})
    assert {"channel a/m": COOLS, "channel b/m": COOLS} == two.conditions()
    for each in (one, two, other):
        each.close()


def test_what_is_no_database_is_not_kept_open(path: Path) -> None:
    """The caller hears of it, and can remove the file."""
    path.write_text("This is no database. " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        SharedLedger(path)
    assert str(path) not in [each.path for each in psutil.Process().open_files()]


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    """The caller hears of it."""
    with pytest.raises(FileNotFoundError):
        SharedLedger(tmp_path / "missing" / "channels.sqlite")


def test_counts_are_kept_for_an_hour(path: Path) -> None:
    """In the file as well: it does not grow with the days."""
    ledger = SharedLedger(path)
    ledger.add_traffic({("a/m", MINUTE, 12): 1, ("a/m", MINUTE - 60, 12): 2}, MINUTE * 60.0)
    assert 3 == read_ledger(path, MINUTE * 60.0, minutes=999).traffic["a/m"].attempts
    ledger.add_traffic({}, (MINUTE + 1) * 60.0)
    assert 1 == read_ledger(path, MINUTE * 60.0, minutes=999).traffic["a/m"].attempts
    ledger.close()


def test_what_another_version_wrote_is_passed_over(path: Path) -> None:
    """One line that cannot be read does not hide the others."""
    ledger = SharedLedger(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("INSERT INTO conditions VALUES ('channel x', '{\"since_s\": \"new\"}')")
    other.execute("INSERT INTO conditions VALUES ('channel a/m', '{\"cause\": \"503\"}')")
    assert {"channel a/m": Condition(cause="503")} == ledger.conditions()
    ledger.close()
    other.close()


# ---------------------------------------------------------------- for planoai


def test_the_reading_of_all_workers(path: Path) -> None:
    """Conditions, errors of the last day, and the counts of the last minutes, added up."""
    one, two = SharedLedger(path), SharedLedger(path)
    cools = Condition(cause="429", until_s=MINUTE * 60.0)
    one.change({"channel a/m": become(cools)})
    error = LastError("a/m", MINUTE * 60.0, "429", "id-1")
    two.note_error(LastError("b/m", 5.0, "429", "id-0"))
    two.note_error(error)
    one.add_traffic({("a/m", MINUTE, 12): 2, ("a/m", MINUTE - 9, 40): 7}, MINUTE * 60.0)
    two.add_traffic({("a/m", MINUTE, 12): 1, ("a/m", MINUTE, FAILED): 1}, MINUTE * 60.0)
    reading = read_ledger(path, MINUTE * 60.0 + 59)
    assert ({"channel a/m": cools}, {"a/m": error}) == (reading.conditions, reading.errors)
    assert {"a/m": Summary(4, 3, 8.0)} == reading.traffic
    one.close()
    two.close()


def test_without_a_file_there_is_nothing_to_read_or_forget(path: Path) -> None:
    """And none is made."""
    assert (NOTHING, [], False) == (read_ledger(path, 0.0), forget_conditions(path, None), path.exists())


def test_forgetting_reaches_the_workers(path: Path) -> None:
    """All, or those that are named; what was not held is not told."""
    ledger = SharedLedger(path)
    ledger.change({"channel a/m": become(COOLS), "key $B": become(COOLS), "key $C": become(COOLS)})
    assert ["key $B"] == forget_conditions(path, ["key $B", "key $X"])
    assert {"channel a/m", "key $C"} == set(ledger.conditions())
    assert ["channel a/m", "key $C"] == forget_conditions(path, None)
    assert {} == ledger.conditions()
    ledger.close()
