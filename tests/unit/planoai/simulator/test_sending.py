"""planoai.simulator.sending: what is written, cut, stalled and delayed arrives so, over real sockets."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from planoai.simulator import Behaviour, Rule, Simulator


def body(*, stream: bool = False) -> dict[str, Any]:
    return {"model": "m", "stream": stream, "messages": []}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("how", "error"), [("reset", ConnectionResetError), ("close", None)])
async def test_cut(stream: bool, how: Any, error: type[Exception] | None) -> None:
    """The client gets exactly the bytes before the cut, and then a reset or the end."""
    async with Simulator(
        [Rule(behaviours=[Behaviour(cut_after_bytes=100_000, cut_with=how, chunk_bytes=1000, chunks=500)])]
    ) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        data = json.dumps(body(stream=stream)).encode()
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n%s" % (len(data), data)
        )
        got = b""
        raised = None
        try:
            while piece := await reader.read(65536):
                got += piece
        except ConnectionResetError as caught:
            raised = type(caught)
        writer.close()
        (record,) = await sim.wait_for_requests(1)
    assert error == raised
    assert (100_000, 200, False) == (record.sent_bytes, record.status, record.cancelled)
    content = got.partition(b"\r\n\r\n")[2]
    if stream:
        # Without the sizes of the chunks, which are lines of their own.
        content = b"".join(part for part in content.split(b"\r\n")[1::2])
    assert len(content) == 100_000


async def test_refuse_and_cut_after_the_head() -> None:
    """No answer at all, or nothing after the head."""
    rules = [Rule(behaviours=[Behaviour(refuse=True), Behaviour(cut_after_bytes=0)])]
    async with Simulator(rules) as sim, aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.post(f"{sim.base_url}/chat/completions", json=body(), headers={"connection": "close"})
        async with http.post(f"{sim.base_url}/chat/completions", json=body()) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        records = await sim.wait_for_requests(2)
    assert [None, 200] == [record.status for record in records]


async def test_stall_until_the_client_leaves() -> None:
    """A stalled answer ends with the client, which is noted."""
    async with Simulator([Rule(behaviours=[Behaviour(stall_after_chunks=1)])]) as sim, aiohttp.ClientSession() as http:
        async with http.post(f"{sim.base_url}/chat/completions", json=body(stream=True)) as response:
            assert b"assistant" in await response.content.readline()
            assert not (await sim.wait_for_requests(1, finished=False))[0].finished
            response.close()
        (record,) = await sim.wait_for_requests(1)
        assert (True, 200) == (record.cancelled, record.status)
        assert sim.stats()["cancelled"] == 1


async def test_client_leaves_during_a_delay() -> None:
    """Who leaves before the head is noticed at once."""
    async with Simulator(default=Behaviour(delay_before_headers_s=60)) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(b"GET /v1/models HTTP/1.1\r\nhost: h\r\n\r\n")
        await sim.wait_for_requests(1, finished=False)
        writer.close()
        (record,) = await sim.wait_for_requests(1)
        assert (True, None) == (record.cancelled, record.status)
        assert await reader.read() == b""


async def test_delays_are_kept() -> None:
    """Head, first token and further tokens come no sooner than they should."""
    slow = Behaviour(
        delay_before_headers_s=0.05,
        delay_before_first_token_s=0.1,
        delay_between_tokens_s=0.03,
        chunks=3,
        role_delta="early",
    )
    async with Simulator(default=slow) as sim, aiohttp.ClientSession() as http:
        begin = time.perf_counter()
        async with http.post(f"{sim.base_url}/chat/completions", json=body(stream=True)) as response:
            head_s = time.perf_counter() - begin
            times = [time.perf_counter() - begin async for line in response.content if b"content" in line]
    assert 0.05 <= head_s
    # The role comes early; how early is no matter of a clock on a busy machine.
    assert times[1] >= 0.15
    assert times[3] >= 0.21


@pytest.mark.parametrize("stream", [False, True])
async def test_split(stream: bool) -> None:
    """Small pieces with nothing between them arrive complete."""
    rules = [Rule(behaviours=[Behaviour(split=7), Behaviour(chunked=True)])]
    async with Simulator(rules) as sim, aiohttp.ClientSession() as http:
        got = []
        for _ in range(2):
            async with http.post(f"{sim.base_url}/chat/completions", json=body(stream=stream)) as response:
                got.append(await response.read())
    assert got[0].replace(b"sim-1", b"sim-2") == got[1]


async def test_only_given_headers() -> None:
    """A body without a type gets none, and the connection ends when that is asked for."""
    async with Simulator(default=Behaviour(empty_body=True, close=True, headers={"X-A": ["1", "2"]})) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(b"GET /v1/models HTTP/1.1\r\nhost: h\r\n\r\n")
        lines = (await reader.read()).decode().split("\r\n")
        writer.close()
    assert lines[0] == "HTTP/1.1 200 OK"
    assert ["X-A: 1", "X-A: 2"] == [line for line in lines if line.startswith("X-A")]
    assert not [line for line in lines if line.lower().startswith("content-type")]
    assert [line.lower() for line in lines if line.lower().startswith("connection")] == ["connection: close"]
