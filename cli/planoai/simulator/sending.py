"""Carries out a reply on a connection: writes, waits, cuts, stalls. The only place that touches the transport."""

import asyncio
import socket
import struct
import sys
from contextlib import suppress

from aiohttp import web

from planoai.simulator.recorder import RecordedRequest
from planoai.simulator.replies import Reply
from planoai.simulator.steps import Cut, Step, Wait, Write

if sys.platform == "linux":
    import fcntl
    import termios

#: Until what was written has reached the client's kernel; a client that does not read ends it.
_FLUSH_S = 1.0
_FLUSH_POLL_S = 0.001

#: RST instead of FIN on close: SO_LINGER on, 0 seconds.
_LINGER_NONE = struct.pack("ii", 1, 0)


async def send(request: web.BaseRequest, reply: Reply, record: RecordedRequest) -> web.StreamResponse:
    """Send `reply`, noting in `record` what was sent. Raises ConnectionError when the client has left."""
    if reply.delay_before_headers_s:
        await asyncio.sleep(reply.delay_before_headers_s)
    if reply.refuse:
        _end_connection(request, reset=True)
        return web.Response()
    if reply.body is not None:
        record.status = reply.status
        response = _new_response(web.Response(status=reply.status, body=reply.body), reply)
        await response.prepare(request)
        await response.write_eof()
        record.sent_bytes = len(reply.body)
        return response
    return await _send_steps(request, reply, record)


async def _send_steps(request: web.BaseRequest, reply: Reply, record: RecordedRequest) -> web.StreamResponse:
    response = _new_response(web.StreamResponse(status=reply.status), reply)
    if reply.content_length is None:
        if request.version >= (1, 1):
            response.enable_chunked_encoding()
        else:
            response.force_close()
    else:
        response.content_length = reply.content_length
    await response.prepare(request)
    record.status = reply.status
    for step in reply.steps or ():
        if isinstance(step, Write):
            await response.write(step.data)
            record.sent_bytes += len(step.data)
        elif isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
        else:
            await _break_off(request, step)
            return response
    await response.write_eof()
    return response


def _new_response(response: web.StreamResponse, reply: Reply) -> web.StreamResponse:
    # A body without a media type must not get aiohttp's own.
    response.headers.popall("Content-Type", None)
    for name, value in reply.headers:
        response.headers.add(name, value)
    response.headers.setdefault("Server", "planoai-simulator")
    if reply.close:
        response.force_close()
    return response


async def _break_off(request: web.BaseRequest, step: Step) -> None:
    if isinstance(step, Cut):
        await _flushed(request)
        _end_connection(request, reset=step.reset)
    else:
        # Until the client leaves or the server stops: either cancels this task.
        await asyncio.get_running_loop().create_future()


def _end_connection(request: web.BaseRequest, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if not reset:
        transport.close()
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    transport.abort()


async def _flushed(request: web.BaseRequest) -> None:
    """Wait until the kernel of the client has all that was written: a reset discards what is still on its way."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _FLUSH_S
    while loop.time() < deadline:
        transport = request.transport
        if transport is None or transport.is_closing() or _unsent_bytes(transport) == 0:
            return
        await asyncio.sleep(_FLUSH_POLL_S)


def _unsent_bytes(transport: asyncio.Transport) -> int:
    waiting = transport.get_write_buffer_size()
    connection = transport.get_extra_info("socket")
    if connection is None or sys.platform != "linux":
        return waiting
    with suppress(OSError):
        # tcp(7), SIOCOUTQ: what the other side has not acknowledged.
        (queued,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))
        waiting += queued
    return waiting
