"""Ready checks and HTTP status of our own endpoints."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from planoai.home import PlanoHome
from planoai.supervisor.probe import check_ready, http_status
from planoai.supervisor.spec import HttpOk, UnixSocketAccepts


@asynccontextmanager
async def answering(path: Path, answer: bytes) -> AsyncIterator[list[bytes]]:
    """A server on a Unix socket that answers the same to each request; yields the request lines."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield asked
    finally:
        server.close()


async def test_a_200_is_ready(home: PlanoHome) -> None:
    """GET with path and query over a Unix socket."""
    path = home.sockets / "a.sock"
    async with answering(path, b"HTTP/1.1 200 OK\r\n\r\n") as asked:
        assert await check_ready(HttpOk("http://envoy/ready?x=1", path)) is None

    assert [b"GET /ready?x=1 HTTP/1.1"] == asked


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 503 Unavailable\r\n\r\n", "HTTP 503"),
        (b"HTTP/1.1 204 \r\n\r\n", "HTTP 204"),
        (b"SSH-2.0-OpenSSH\r\n", "the answer is not HTTP"),
        (b"", "the connection was closed without an answer"),
    ],
)
async def test_everything_else_is_not_ready(home: PlanoHome, answer: bytes, expected: str) -> None:
    """And says what was seen."""
    path = home.sockets / "a.sock"
    async with answering(path, answer):
        assert expected == await check_ready(HttpOk("http://envoy/ready", path))


async def test_http_over_tcp(free_port: int) -> None:
    """A port where nobody listens."""
    seen = await check_ready(HttpOk(f"http://127.0.0.1:{free_port}/readyz"))

    assert seen is not None
    assert "refused" in seen


async def test_a_server_that_says_nothing(home: PlanoHome) -> None:
    """The time of one check is limited."""
    path = home.sockets / "a.sock"
    hold = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        await hold.wait()
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        assert "no answer within 0.05 s" == await check_ready(HttpOk("http://x/", path), timeout_s=0.05)
        hold.set()


async def test_a_socket_that_accepts(home: PlanoHome) -> None:
    """No request is sent; a socket that is missing or dead is not ready."""
    path = home.sockets / "a.sock"
    assert "the socket does not exist yet" == await check_ready(UnixSocketAccepts(path))
    async with answering(path, b""):
        assert await check_ready(UnixSocketAccepts(path)) is None

    assert await check_ready(UnixSocketAccepts(path)) is not None


async def test_post(home: PlanoHome) -> None:
    """The method is the caller's."""
    path = home.sockets / "a.sock"
    async with answering(path, b"HTTP/1.1 200 OK\r\n\r\n") as asked:
        assert 200 == await http_status("POST", "http://envoy/reopen_logs", path)

    assert [b"POST /reopen_logs HTTP/1.1"] == asked
