"""brightstaff.redis_sessions: conversations in Redis, and requests that never suffer from it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from brightstaff.breaker import Breaker
from brightstaff.redis_sessions import RedisSessions, StoreError
from brightstaff.routing import Pin
from brightstaff.sessions import MemorySessions
from brightstaff.settings import RedisSettings
from support import soon

PIN, OTHER = Pin("code", "one/m"), Pin(None, "two/m")
SETTINGS = RedisSettings("redis://:secret@h", key_prefix="p:", timeout_s=0.05)


class Clock:
    """A clock that is set by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


class Fake:
    """A Redis that does as it is told, and may be shared by several gateways."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.ttls_s: set[int] = set()
        self.exchanges = 0
        self.drops = 0
        self.trouble: Exception | None = None
        self.refused = ""
        self.answers = asyncio.Event()
        self.answers.set()

    async def ping(self) -> None:
        """Fails while there is trouble."""
        if self.trouble is not None:
            raise self.trouble

    async def exchange(
        self, reads: Sequence[str], writes: Mapping[str, bytes], ttl_s: int
    ) -> tuple[list[bytes | None], str]:
        """Waits for `answers`."""
        self.exchanges += 1
        self.ttls_s.add(ttl_s)
        await self.answers.wait()
        await self.ping()
        self.values.update(writes)
        return [self.values.get(name) for name in reads], self.refused

    async def drop(self) -> None:
        """Counted."""
        self.drops += 1


def new_sessions(fake: Fake, clock: Clock | None = None) -> RedisSessions:
    """Sessions of a gateway of its own, whose breaker opens after two failures."""
    clock = clock or Clock()
    return RedisSessions(fake, MemorySessions(60.0, 10, clock), SETTINGS, 60.0, clock, Breaker(threshold=2))


@asynccontextmanager
async def running(*sessions: RedisSessions) -> AsyncIterator[None]:
    """With their loops."""
    async with asyncio.TaskGroup() as tasks:
        loops = [tasks.create_task(each.run()) for each in sessions]
        yield
        for each in loops:
            each.cancel()


async def test_gateways_share_conversations() -> None:
    """What one writes another reads, under a hash of its key, for as long as is set; the newest pin counts."""
    fake = Fake()
    one, two = new_sessions(fake), new_sessions(fake)
    async with running(one, two):
        await soon(lambda: one.is_connected and two.is_connected)
        one.put("session:abc", PIN)
        assert PIN == await one.get("session:abc")  # also before Redis knows
        await soon(lambda: fake.values)
        assert PIN == await two.get("session:abc")
        two.put("session:abc", OTHER)
        await soon(lambda: b"two" in next(iter(fake.values.values())))
        assert OTHER == await one.get("session:abc")
        assert await one.get("session:xyz") is None
    (name,) = fake.values
    assert name.startswith("p:")
    assert "abc" not in name
    assert {60} == fake.ttls_s


async def test_many_at_once_go_in_one() -> None:
    """What comes while Redis is being asked is asked together."""
    fake = Fake()
    sessions = new_sessions(fake)
    async with running(sessions):
        await soon(lambda: sessions.is_connected)
        for number in range(20):
            sessions.put(f"{number}", Pin("r", f"m{number}"))
        await soon(lambda: len(fake.values) == 20)
        found = await asyncio.gather(*(sessions.get(f"{number}") for number in range(20)))
    assert [f"m{number}" for number in range(20)] == [pin.model for pin in found if pin is not None]
    assert fake.exchanges <= 3


async def test_without_a_connection_nobody_waits(caplog: pytest.LogCaptureFixture) -> None:
    """What this gateway knows itself holds; told once, and once more when all is well."""
    fake = Fake()
    fake.trouble = StoreError("it cannot be reached")
    sessions = new_sessions(fake)
    with caplog.at_level(logging.INFO, "brightstaff.sessions"):
        async with running(sessions):
            await soon(lambda: sessions.failures > 1)
            sessions.put("a", PIN)
            assert [PIN, None] == [await sessions.get("a"), await sessions.get("b")]
            assert 0 == fake.exchanges
            fake.trouble = None
            await soon(lambda: sessions.is_connected)
    first, last = [record.getMessage() for record in caplog.records]
    assert "conversations are remembered by this gateway only, as Redis fails: it cannot be reached" == first
    assert f"conversations are shared through Redis, after {sessions.failures} failures" == last


async def test_a_connection_that_breaks() -> None:
    """Who waits gets what this gateway knows; then it connects anew, and shares again."""
    fake = Fake()
    sessions = new_sessions(fake)
    async with running(sessions):
        await soon(lambda: sessions.is_connected)
        sessions.put("a", PIN)
        await soon(lambda: fake.values)
        fake.trouble = StoreError("it broke the connection")
        assert PIN == await sessions.get("a")
        assert not sessions.is_connected
        fake.trouble = None
        await soon(lambda: sessions.is_connected)
        sessions.put("b", OTHER)
        await soon(lambda: len(fake.values) == 2)
    assert fake.drops >= 2


async def test_slowness_delays_few_requests_and_none_for_long(caplog: pytest.LogCaptureFixture) -> None:
    """Two wait 50 ms; then nobody asks for a while; one does then, and when it gets its answer all do."""
    fake, clock = Fake(), Clock()
    sessions = new_sessions(fake, clock)
    async with running(sessions):
        await soon(lambda: sessions.is_connected)
        sessions.put("a", PIN)
        await soon(lambda: fake.values)
        fake.answers.clear()
        with caplog.at_level(logging.INFO, "brightstaff.sessions"):
            loop = asyncio.get_running_loop()
            times_s = []
            for _ in range(5):
                started_s = loop.time()
                assert PIN == await sessions.get("a")
                times_s.append(loop.time() - started_s)
            assert [True, True, False, False, False] == [each > 0.03 for each in times_s]
            assert 2 == sessions.failures
            fake.answers.set()
            clock.now_s = 6.0
            await soon(lambda: fake.exchanges >= 2)
            assert PIN == await sessions.get("a")
            await soon(lambda: len(caplog.records) == 2)
    assert ["longer than 50 ms" in caplog.records[0].getMessage(), True] == [
        True,
        caplog.records[1].getMessage() == "Redis is quick again",
    ]


async def test_a_redis_that_hangs_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """After a second without an answer the connection is given up."""
    fake = Fake()
    sessions = new_sessions(fake)
    async with running(sessions):
        await soon(lambda: sessions.is_connected)
        fake.answers.clear()
        assert await sessions.get("a") is None
        fake.trouble = StoreError("x")
        await soon(lambda: not sessions.is_connected)
    assert "it does not answer" in caplog.text


@pytest.mark.parametrize(
    "value", [b"", b"{", b"\xff\xff", b"[1]", b'{"model": 1}', b'{"route": "r"}', b'{"model": "' + b"x" * 9000 + b'"}']
)
async def test_nonsense_is_not_known(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What others wrote there is no pin, and is told once without its content."""
    fake = Fake()
    sessions = new_sessions(fake)
    async with running(sessions):
        await soon(lambda: sessions.is_connected)
        sessions.put("a", PIN)
        sessions.put("b", PIN)
        await soon(lambda: len(fake.values) == 2)
        fake.values = dict.fromkeys(fake.values, value)
        assert [PIN, PIN] == [await sessions.get("a"), await sessions.get("b")]
    assert 2 == sessions.failures
    assert ["Redis is no help with some conversations: it holds something that is no conversation"] == [
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    ]


async def test_a_redis_that_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """One that is full, or read-only, say: told once."""
    fake = Fake()
    fake.refused = "it answers READONLY"
    sessions = new_sessions(fake)
    async with running(sessions):
        await soon(lambda: sessions.is_connected)
        for key in ("a", "b"):
            assert await sessions.get(key) is None
    assert 1 == caplog.text.count("READONLY")


async def test_what_waits_to_be_written_is_bounded() -> None:
    """While Redis hangs, this gateway's memory does not grow with it."""
    fake = Fake()
    sessions = new_sessions(fake)
    async with running(sessions):
        await soon(lambda: sessions.is_connected)
        fake.answers.clear()
        for number in range(10_500):
            sessions.put(str(number), PIN)
        await soon(lambda: fake.exchanges == 1)
        fake.answers.set()
        await soon(lambda: len(fake.values) == 10_000)


def test_no_text_shows_the_password() -> None:
    """Settings are shown without it; what is stored is as other versions read it."""
    assert "secret" not in repr(SETTINGS)
    assert "secret" not in repr(msgspec.structs.replace(SETTINGS, key_prefix="q"))
