"""The edge to Redis: one connection, and everything that may go wrong with it as StoreError."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from brightstaff.redis_sessions import StoreError
from brightstaff.settings import RedisSettings

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: Beside the deadlines of the caller: nothing of redis-py ever waits longer.
_SOCKET_S = 2.0
#: Errors by their names, which redis-py has kept over its versions, in words.
_WORDS = {
    "AuthenticationError": "it refuses the user or the password",
    "AuthorizationError": "it refuses the user or the password",
    "TimeoutError": "it does not answer",
    "ConnectionError": "it cannot be reached, or broke the connection",
    "BusyLoadingError": "it is still loading its data",
}


class RedisStore:
    """Redis behind a URL.

    Whatever redis-py raises, and it raises much beside its own errors, is no reason for anything but to do without it.
    """

    def __init__(self, client: "Redis") -> None:
        self._client = client

    async def ping(self) -> None:
        """Connect, if there is no connection, and see that it works. Raises StoreError."""
        try:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.echo("ping")
            await pipeline.execute()
        except Exception as error:
            raise StoreError(_word(error)) from None

    async def exchange(
        self, reads: Sequence[str], writes: Mapping[str, bytes], ttl_s: int
    ) -> tuple[list[bytes | None], str]:
        """Write, then read: the values, and what was refused (a word for the log, or nothing). Raises StoreError."""
        pipeline = self._client.pipeline(transaction=False)
        for name, value in writes.items():
            pipeline.set(name, value, ex=ttl_s)
        for name in reads:
            pipeline.get(name)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except Exception as error:
            raise StoreError(_word(error)) from None
        refused = next((_refusal(each) for each in answers if isinstance(each, Exception)), "")
        values = answers[len(writes) :]
        return [each if isinstance(each, bytes) else None for each in values], refused

    async def drop(self) -> None:
        """Let go of the connection; the next call makes another."""
        with contextlib.suppress(Exception):  # it is gone in any case
            await self._client.connection_pool.disconnect()


def open_redis(settings: RedisSettings) -> RedisStore:
    """Redis as the settings say; connects when it is first asked. Raises StoreError."""
    try:
        from redis.asyncio import Redis  # noqa: PLC0415  (an extra: not everybody has it)
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
    except ImportError:
        raise StoreError("the package `redis` is not installed") from None
    # A dict of no type: redis-py's own do not know that options depend on the scheme.
    options: dict[str, Any] = {}
    if settings.url.startswith("rediss:"):
        options = {"ssl_ca_certs": settings.ca_file or None, "ssl_check_hostname": True}
    try:
        client = Redis.from_url(
            settings.url,
            socket_timeout=_SOCKET_S,
            socket_connect_timeout=_SOCKET_S,
            # Whoever asks has gone on by then; `RedisSessions` connects anew by itself.
            retry=Retry(NoBackoff(), 0),
            max_connections=1,
            **options,
        )
    except ValueError:
        raise StoreError("its URL is not valid") from None
    return RedisStore(client)


def _word(error: Exception) -> str:
    return _WORDS.get(type(error).__name__, type(error).__name__)


def _refusal(error: Exception) -> str:
    """The kind of an error, as redis-py or its first word in capitals tells it; nothing else of what Redis said."""
    first = str(error).partition(" ")[0]
    is_word = first.isalpha() and first.isupper() and len(first) < 20
    return f"it answers {first if is_word else type(error).__name__}"
