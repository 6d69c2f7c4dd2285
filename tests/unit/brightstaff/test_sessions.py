"""brightstaff.sessions: where conversations have been."""

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from brightstaff.routing import Pin
from brightstaff.sessions import ForgivingSessions, MemorySessions, Sessions, SharedSessions

PIN = Pin("code", "one/m")


class Clock:
    """A clock that is set by hand."""

    now_s = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


@pytest.fixture(params=["memory", "shared"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Sessions, Clock]]:
    """Each kind of store, for three conversations of ten seconds."""
    clock = Clock()
    if request.param == "memory":
        yield MemorySessions(10.0, 3, clock), clock
        return
    shared = SharedSessions(tmp_path / "s.sqlite", 10.0, 3, clock)
    yield shared, clock
    shared.close()


async def test_what_is_put_is_got(store: tuple[Sessions, Clock]) -> None:
    """The last pin counts; a conversation that nobody knows has none."""
    sessions, _ = store
    sessions.put("a", PIN)
    sessions.put("a", Pin(None, "two/m"))
    assert (Pin(None, "two/m"), None) == (await sessions.get("a"), await sessions.get("b"))


async def test_it_ends_after_its_time(store: tuple[Sessions, Clock]) -> None:
    """Writing prolongs, reading does not."""
    sessions, clock = store
    sessions.put("a", PIN)
    clock.now_s += 9
    assert PIN == await sessions.get("a")
    clock.now_s += 2
    assert await sessions.get("a") is None


async def test_memory_holds_no_more_than_its_number() -> None:
    """The one that was written longest ago goes first."""
    sessions = MemorySessions(10.0, 2, Clock())
    for key in ("a", "b", "a", "c"):
        sessions.put(key, PIN)
    assert [True, False, True] == [await sessions.get(key) is not None for key in ("a", "b", "c")]
    assert 2 == len(sessions)


def test_the_file_is_swept(tmp_path: Path) -> None:
    """Now and then old ones and those above the number are removed."""
    clock = Clock()
    sessions = SharedSessions(tmp_path / "s.sqlite", 10.0, 3, clock)
    for number in range(257):
        clock.now_s += 0.001
        sessions.put(str(number), PIN)
    with sqlite3.connect(tmp_path / "s.sqlite") as db:
        assert [(3,)] == db.execute("SELECT count(*) FROM pins").fetchall()
    db.close()
    sessions.close()


async def test_workers_share_a_private_file(tmp_path: Path) -> None:
    """What one writes another reads; others on the machine do not."""
    path = tmp_path / "s.sqlite"
    one, two = (SharedSessions(path, 10.0, 3, Clock()) for _ in range(2))
    one.put("a", PIN)
    assert PIN == await two.get("a")
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    one.close()
    two.close()


async def test_a_store_that_fails_is_no_reason_to_fail() -> None:
    """What cannot be read is not known; it is told once."""

    class Broken:
        async def get(self, key: str) -> Pin | None:
            raise sqlite3.OperationalError(key)

        def put(self, key: str, pin: Pin) -> None:
            raise sqlite3.OperationalError(key + str(pin))

    told: list[str] = []
    sessions = ForgivingSessions(Broken(), told.append)
    sessions.put("a", PIN)
    assert await sessions.get("a") is None
    assert 1 == len(told)
