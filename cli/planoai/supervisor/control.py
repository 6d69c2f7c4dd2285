"""The supervisor's control socket: one JSON object per line, asked and answered.

Private to the user: the socket is 0600, its directory 0700.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from planoai.home import PlanoHome

_LONGEST_LINE_BYTES = 1024 * 1024
_ASK_TIMEOUT_S = 3.0

#: Name of an operation → what answers it. The answer is anything that msgspec encodes.
Operations = Mapping[str, Callable[[], Awaitable[Any]]]


class _Request(msgspec.Struct):
    op: str


def control_socket(home: PlanoHome) -> Path:
    """Where the supervisor of this home listens."""
    return home.sockets / "supervisor.sock"


@asynccontextmanager
async def serve_control(path: Path, operations: Operations) -> AsyncIterator[None]:
    """Answer requests on `path` while the context is open."""

    async def answer(line: bytes) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(line, type=_Request)
        except msgspec.MsgspecError as error:
            return {"ok": False, "error": f"not a request: {error}"}
        operation = operations.get(request.op)
        if operation is None:
            return {"ok": False, "error": f"unknown op {request.op!r}; known: {', '.join(sorted(operations))}"}
        return {"ok": True, "result": await operation()}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await answer(line)) + b"\n")
                await writer.drain()
        writer.close()

    _remove(path)
    server = await asyncio.start_unix_server(serve, path, limit=_LONGEST_LINE_BYTES)
    os.chmod(path, 0o600)  # noqa: PTH101  (an async function, and a call that does not block)
    try:
        yield
    finally:
        # Not wait_closed(): since 3.12 it waits for every client to hang up.
        server.close()
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def ask(home: PlanoHome, op: str, *, timeout_s: float = _ASK_TIMEOUT_S) -> Any | None:
    """The result of one operation; None when no supervisor answers, or it refuses."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(control_socket(home)))
            connection.sendall(msgspec.json.encode({"op": op}) + b"\n")
            with connection.makefile("rb") as answers:
                answer = msgspec.json.decode(answers.readline())
    except (OSError, msgspec.MsgspecError):
        return None
    return answer.get("result") if isinstance(answer, dict) and answer.get("ok") else None
