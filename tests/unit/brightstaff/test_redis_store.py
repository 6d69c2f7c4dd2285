"""brightstaff.redis_store: a real redis-server, and what may go wrong with it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from brightstaff.redis_sessions import RedisSessions, StoreError
from brightstaff.redis_store import open_redis
from brightstaff.routing import Pin
from brightstaff.sessions import MemorySessions
from brightstaff.settings import RedisSettings
from redis_server import RedisServer
from support import free_port, soon

PIN = Pin("code", "one/m")


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """With a password."""
    running = RedisServer(password="s3cret-word")
    yield running
    running.kill()


async def test_write_and_read(server: RedisServer) -> None:
    """Values come back; each has an end of life; what is not there is None; other kinds of values are refused."""
    store = open_redis(RedisSettings(server.url))
    await store.ping()
    server.command("LPUSH", "list", "x")
    found = await store.exchange(["a", "none", "list"], {"a": b"1", "b": b"2"}, 60)
    assert ([b"1", None, None], "it answers WRONGTYPE") == found
    assert (b":60\r\n", b"$1\r\n2\r\n") == (server.command("TTL", "a"), server.command("GET", "b"))
    assert ([], "") == await store.exchange([], {"a": b"3"}, 60)
    await store.drop()


async def test_a_read_only_redis_refuses(server: RedisServer) -> None:
    """The word of its answer, and what can be read is read."""
    server.command("SET", "a", "1")
    server.command("REPLICAOF", "127.0.0.1", str(free_port()))
    store = open_redis(RedisSettings(server.url))
    await store.ping()
    assert ([b"1"], "it answers ReadOnlyError") == await store.exchange(["a"], {"b": b"2"}, 60)
    await store.drop()


async def test_a_wrong_password(server: RedisServer) -> None:
    """Is told without the password."""
    store = open_redis(RedisSettings(server.url.replace("s3cret", "wrong")))
    with pytest.raises(StoreError, match="refuses the user or the password") as error:
        await store.ping()
    assert "word" not in str(error.value).replace("password", "")
    await store.drop()


async def test_nobody_there() -> None:
    """At the time of the question."""
    store = open_redis(RedisSettings(f"redis://127.0.0.1:{free_port()}"))
    with pytest.raises(StoreError, match="cannot be reached"):
        await store.ping()
    with pytest.raises(StoreError, match="cannot be reached"):
        await store.exchange(["a"], {}, 1)
    await store.drop()


async def test_what_is_no_redis() -> None:
    """A web server, say."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as web:
        store = open_redis(RedisSettings(f"redis://127.0.0.1:{web.sockets[0].getsockname()[1]}"))
        with pytest.raises(StoreError):
            await store.ping()
        await store.drop()


@pytest.mark.parametrize("url", ["http://h", "redis://h:port/0"])
def test_no_url_of_redis(url: str) -> None:
    """Refused; none of it is repeated."""
    with pytest.raises(StoreError, match="URL is not valid"):
        open_redis(RedisSettings(url))


async def test_killed_in_the_middle(server: RedisServer) -> None:
    """Requests go on with what this gateway knows; when Redis is back, so is the sharing."""
    settings = RedisSettings(server.url, timeout_s=1.0)
    local = MemorySessions(60, 10, asyncio.get_running_loop().time)
    sessions = RedisSessions(open_redis(settings), local, settings, 60, asyncio.get_running_loop().time)
    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(sessions.run())
        await soon(lambda: sessions.is_connected)
        sessions.put("a", PIN)
        await soon(lambda: server.command("DBSIZE") == b":1\r\n")
        await asyncio.to_thread(server.kill)
        assert PIN == await sessions.get("a")
        while sessions.is_connected:
            assert PIN == await sessions.get("a")
        await asyncio.to_thread(server.start)
        await soon(lambda: sessions.is_connected)
        sessions.put("b", PIN)
        await soon(lambda: server.command("DBSIZE") == b":1\r\n")
        loop.cancel()


@asynccontextmanager
async def tls_in_front_of(server: RedisServer, authority: trustme.CA, name: str) -> AsyncIterator[int]:
    """The port of a TLS server that passes everything on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server.port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    sink.write(data)
            except OSError:
                pass
            sink.close()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pump(reader, inner_writer))
            tasks.create_task(pump(inner_reader, writer))

    async with await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context) as front:
        yield front.sockets[0].getsockname()[1]


@pytest.mark.parametrize(("trusted", "name"), [(True, "localhost"), (False, "localhost"), (True, "other.example")])
async def test_tls(server: RedisServer, tmp_path: Path, trusted: bool, name: str) -> None:
    """With rediss:// the certificate is checked, its name, too."""
    authority, other = trustme.CA(), trustme.CA()
    (authority if trusted else other).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with tls_in_front_of(server, authority, name) as port:
        url = f"rediss://:{server.password}@localhost:{port}/0"
        store = open_redis(RedisSettings(url, ca_file=str(tmp_path / "ca.pem")))
        if trusted and name == "localhost":
            assert ([b"1"], "") == await store.exchange(["a"], {"a": b"1"}, 60)
        else:
            with pytest.raises(StoreError):
                await store.ping()
        await store.drop()
