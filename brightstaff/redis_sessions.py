"""Conversations in Redis, for gateways on several machines; what this process knows itself stands in when Redis fails.

Requests never talk to Redis. One loop does (`run`): it takes what requests want to know and to remember, sends it in
one go over one connection, and connects anew when that fails. A request waits for its answer no longer than
`timeout_s`, and not at all while there is no connection, or after Redis was too slow several times in a row.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from brightstaff.breaker import Breaker
from brightstaff.routing import Pin
from brightstaff.sessions import Sessions
from brightstaff.settings import RedisSettings

log = logging.getLogger("brightstaff.sessions")

#: The loop itself is patient: a connection takes several round trips, and what hangs for longer is broken.
_CONNECT_S = 3.0
_ANSWER_S = 1.0
#: Between two tries to connect.
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
#: So many conversations wait to be written at most; while Redis is slow, the others are remembered here only.
_MOST_WAITING = 10_000
_LONGEST_VALUE_BYTES = 4096


class StoreError(Exception):
    """Redis did not do as it was asked. The message is for the log, and holds nothing that Redis said."""


class Store(Protocol):
    """What is needed of Redis."""

    async def ping(self) -> None:
        """Connect, if there is no connection, and see that it works. Raises StoreError."""

    async def exchange(
        self, reads: Sequence[str], writes: Mapping[str, bytes], ttl_s: int
    ) -> tuple[list[bytes | None], str]:
        """Write, then read: the values, and what was refused (a word for the log, or nothing). Raises StoreError."""

    async def drop(self) -> None:
        """Let go of the connection; the next call makes another."""


class _Stored(msgspec.Struct, frozen=True):
    """What is kept of a conversation."""

    model: str
    route: str | None = None


class RedisSessions:
    """Where conversations have been, for all gateways that share a Redis. `run` has to run."""

    def __init__(
        self,
        store: Store,
        local: Sessions,
        settings: RedisSettings,
        ttl_s: float,
        clock: Callable[[], float],
        breaker: Breaker | None = None,
    ) -> None:
        self._store = store
        self._local = local
        self._settings = settings
        self._ttl_s = max(1, round(ttl_s))
        self._clock = clock
        self._breaker = Breaker() if breaker is None else breaker
        self._reads: list[tuple[str, asyncio.Future[Pin | None]]] = []
        self._writes: dict[str, bytes] = {}
        self._work = asyncio.Event()
        self._refused: set[str] = set()
        self._in_trouble = False
        self.is_connected = False
        self.failures = 0
        """How often Redis was no help: not there, too slow, or full of nonsense."""

    async def get(self, key: str) -> Pin | None:
        """The pin of a conversation: what Redis says, in time, and without that what this process knows."""
        name = self._name(key)
        if name in self._writes or not self.is_connected or not self._breaker.allows(self._clock()):
            return await self._local.get(key)
        found: asyncio.Future[Pin | None] = asyncio.get_running_loop().create_future()
        self._reads.append((name, found))
        self._work.set()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                pin = await found
        except TimeoutError:
            self._note_slow()
            return await self._local.get(key)
        return await self._local.get(key) if pin is None else pin

    def put(self, key: str, pin: Pin) -> None:
        """Remember, or prolong; Redis is told in a moment."""
        self._local.put(key, pin)
        if self.is_connected and len(self._writes) < _MOST_WAITING:
            self._writes[self._name(key)] = msgspec.json.encode(_Stored(pin.model, pin.route))
            self._work.set()

    async def run(self) -> None:
        """Runs for ever: connects, and carries questions and news to Redis."""
        try:
            while True:
                await self._connect()
                await self._serve()
        finally:
            await self._store.drop()

    async def _connect(self) -> None:
        """Until Redis answers."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    await self._store.ping()
            except (StoreError, TimeoutError) as error:
                self._note_trouble(error)
                await self._store.drop()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            after = f", after {self.failures} failures" if self.failures else ""
            log.info("conversations are shared through Redis%s", after)
            self.is_connected, self._in_trouble = True, False
            return

    async def _serve(self) -> None:
        """Until Redis fails."""
        while True:
            await self._work.wait()
            self._work.clear()
            reads, self._reads = [each for each in self._reads if not each[1].done()], []
            writes, self._writes = self._writes, {}
            if not reads and not writes:
                continue
            try:
                async with asyncio.timeout(_ANSWER_S):
                    values, refused = await self._store.exchange([name for name, _ in reads], writes, self._ttl_s)
            except (StoreError, TimeoutError) as error:
                self.is_connected = False
                self._note_trouble(error)
                self._writes.clear()
                _tell([*reads, *self._reads], [None] * (len(reads) + len(self._reads)))
                self._reads.clear()
                await self._store.drop()
                return
            pins = [None if value is None else _read(value) for value in values]
            if any(value is not None and pin is None for value, pin in zip(values, pins, strict=True)):
                refused = refused or "it holds something that is no conversation"
            self._note_refused(refused)
            _tell(reads, pins)
            if reads and self._breaker.note_success():
                log.info("Redis is quick again")

    def _name(self, key: str) -> str:
        """Under which a conversation is kept: what clients send as its key is nobody else's business."""
        digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=16)
        return f"{self._settings.key_prefix}{digest.hexdigest()}"

    def _note_trouble(self, error: Exception) -> None:
        """Told once, until there is a connection again."""
        self.failures += 1
        if not self._in_trouble:
            why = str(error) or "it does not answer"
            log.warning("conversations are remembered by this gateway only, as Redis fails: %s", why)
        self._in_trouble = True

    def _note_slow(self) -> None:
        self.failures += 1
        if self._breaker.note_failure(self._clock()):
            log.warning(
                "Redis needs longer than %d ms for an answer; it is left alone for a while, and conversations are "
                "remembered here only",
                round(self._settings.timeout_s * 1000),
            )

    def _note_refused(self, what: str) -> None:
        """Each kind is told once."""
        if what:
            self.failures += 1
        if what and what not in self._refused:
            self._refused.add(what)
            log.warning("Redis is no help with some conversations: %s", what)


def _read(value: bytes) -> Pin | None:
    """A pin as another gateway wrote it; what is none is not known."""
    if len(value) > _LONGEST_VALUE_BYTES:
        return None
    try:
        stored = msgspec.json.decode(value, type=_Stored)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return Pin(stored.route, stored.model)


def _tell(reads: Sequence[tuple[str, "asyncio.Future[Pin | None]"]], pins: Sequence[Pin | None]) -> None:
    for (_, found), pin in zip(reads, pins, strict=True):
        if not found.done():
            found.set_result(pin)
