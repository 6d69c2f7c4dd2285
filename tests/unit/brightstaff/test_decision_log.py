"""brightstaff.decision_log: the file with one line for each request."""

import logging
from pathlib import Path

import pytest

from brightstaff.decision_log import DecisionLog, find_records, read_records
from brightstaff.decisions import Record


def entry(id_: str) -> Record:
    """A record of which only the id matters."""
    return Record(1.0, id_, "/chat/completions", "m", "one/m", "answered", 200, 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "decisions.jsonl"


def ids(path: Path) -> list[str]:
    """Of all records, the newest first."""
    return [each.id for each in read_records(path)]


def test_records_are_there_after_a_flush(path: Path) -> None:
    """In whole lines, for the owner only; the newest is read first."""
    log = DecisionLog(path)
    log.flush()
    assert not path.exists()
    for id_ in ("a", "b"):
        log.write(entry(id_))
    assert not path.exists()
    log.flush()
    assert (["b", "a"], 0o600) == (ids(path), path.stat().st_mode & 0o777)


def test_many_are_written_without_being_told(path: Path) -> None:
    """What is gathered stays small."""
    log = DecisionLog(path)
    for number in range(1000):
        log.write(entry(str(number)))
    assert path.stat().st_size > 60_000


def test_two_workers_and_a_rotation(path: Path) -> None:
    """Both append; who renames the file gets a new one, and readers find both."""
    one, two = DecisionLog(path), DecisionLog(path)
    for log, id_ in ((one, "a"), (two, "b"), (one, "c")):
        log.write(entry(id_))
        log.flush()
    path.rename(path.with_name("decisions.jsonl.2"))
    two.write(entry("d"))
    two.flush()
    path.rename(path.with_name("decisions.jsonl.1"))
    path.with_name("decisions.jsonl.txt").write_text("not one of ours")
    one.write(entry("e"))
    one.flush()
    assert ["e", "d", "c", "b", "a"] == ids(path)


def test_what_cannot_be_read_is_passed_over(path: Path) -> None:
    """A line that was cut hides nothing else."""
    log = DecisionLog(path)
    log.write(entry("a"))
    log.flush()
    path.write_bytes(path.read_bytes() + b'{"at_s":2.0,"id":"cut')
    assert ["a"] == ids(path)


def test_finding(path: Path) -> None:
    """By whatever is asked."""
    log = DecisionLog(path)
    for id_ in ("abc", "abd", "xyz"):
        log.write(entry(id_))
    log.flush()
    assert ["abd", "abc"] == [each.id for each in find_records(path, lambda each: each.id.startswith("ab"))]


def test_a_full_disk_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says it once."""
    log = DecisionLog(tmp_path / "missing" / "decisions.jsonl")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            log.write(entry("a"))
            log.flush()
    assert 1 == len(caplog.messages)
    assert caplog.messages[0].startswith("decisions are not logged: ")
