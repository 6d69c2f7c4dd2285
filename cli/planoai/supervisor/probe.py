"""One GET or POST to our own endpoints, without an HTTP library: aiohttp alone would double the supervisor's memory."""

import asyncio
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from planoai.supervisor.spec import HttpOk, ReadyCheck, UnixSocketAccepts

_LONGEST_STATUS_LINE_BYTES = 1024


async def check_ready(check: ReadyCheck, timeout_s: float = 2.0) -> str | None:
    """None when the check passes, else what was seen instead ("connection refused", "HTTP 503")."""
    try:
        async with asyncio.timeout(timeout_s):
            match check:
                case UnixSocketAccepts(path=path):
                    _, writer = await asyncio.open_unix_connection(path)
                    await _close(writer)
                    return None
                case HttpOk(url=url, unix_socket=unix_socket):
                    status = await http_status("GET", url, unix_socket)
                    return None if status == 200 else f"HTTP {status}"
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except FileNotFoundError:
        return "the socket does not exist yet"
    except ConnectionRefusedError:
        return "connection refused"
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__


async def http_status(method: str, url: str, unix_socket: Path | None = None) -> int:
    """The status code that `url` (http only) answers with. Raises OSError, or ValueError for what is not HTTP/1."""
    parts = urlsplit(url)
    if unix_socket is not None:
        reader, writer = await asyncio.open_unix_connection(unix_socket, limit=_LONGEST_STATUS_LINE_BYTES)
    else:
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port or 80, limit=_LONGEST_STATUS_LINE_BYTES
        )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # RFC 9112, section 3: request line, Host; a POST without body says so.
        head = f"{method} {target} HTTP/1.1\r\nhost: {parts.netloc}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        writer.write(head.encode("ascii"))
        await writer.drain()
        status_line = await reader.readline()
    finally:
        await _close(writer)
    words = status_line.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError("the answer is not HTTP" if status_line else "the connection was closed without an answer")
    return int(words[1])


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
