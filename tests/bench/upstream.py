"""The provider behind every contender: as little work as possible for each request. `python -m tests.bench.upstream`.

With a number from 0 to 1 as its argument that share of requests is answered 503, at random. Listens on a free port of
127.0.0.1, prints it, and ends when its standard input is closed: never later than the benchmark that started it.
"""

import asyncio
import gc
import random
import sys
from collections.abc import Callable
from functools import partial
from typing import cast

import uvloop

from .http_messages import BadMessageError, MessageReader
from .scenarios import PACE_S, json_answer, stream_answer, wanted

_JSON = json_answer()
_STREAM = stream_answer()
#: An answer that every gateway takes for a failure.
FAILED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Upstream(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, failing: float) -> None:
        self._loop = loop
        self._failing = failing
        self._reader = MessageReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, but does not inherit from it

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        try:
            requests = self._reader.feed(data)
        except BadMessageError as error:
            sys.stderr.write(f"upstream: {error}\n")
            self._transport.abort()
            return
        for request in requests:
            if self._failing and random.random() < self._failing:  # noqa: S311  (no secret)
                self._transport.write(FAILED)
                continue
            match wanted(request.body):
                case "json":
                    self._transport.write(_JSON)
                case "burst":
                    self._stream(0, self._loop.call_soon)
                case "paced":
                    self._stream(0, partial(self._at_its_time, self._loop.time()))

    def _stream(self, number: int, later: Callable[..., object]) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(_STREAM[number])
        if number + 1 < len(_STREAM):
            later(self._stream, number + 1, later)

    def _at_its_time(self, start_s: float, write: Callable[..., None], number: int, later: object) -> None:
        """Counted from the start, so that a late timer does not delay the ones after it."""
        self._loop.call_at(start_s + number * PACE_S, write, number, later)


async def serve(failing: float) -> None:
    """Serve until standard input is closed."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    server = await loop.create_server(lambda: Upstream(loop, failing), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    loop.add_reader(sys.stdin.fileno(), closed.set)
    await closed.wait()


if __name__ == "__main__":
    gc.disable()  # nothing here makes cycles, and a pause would be charged to whoever is being measured
    uvloop.run(serve(float(sys.argv[1]) if sys.argv[1:] else 0.0))
