"""planoai.simulator.server: real sockets, official and plain clients."""

import asyncio
import io
import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
import trustme

from planoai.simulator import Behaviour, Match, RecordedRequest, Rule, ScriptError, Simulator, tls_context

ASK: list[Any] = [{"role": "user", "content": "hello"}]


def client(sim: Simulator, key: str = "sk-ok") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=sim.base_url, api_key=key, max_retries=0)


def body(*, stream: bool = False) -> dict[str, Any]:
    return {"model": "m", "stream": stream, "messages": ASK}


async def test_openai_sdk() -> None:
    """The official client understands JSON, streams, tools, embeddings, models, Responses and errors."""
    tools: Any = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    async with Simulator([Rule(Match(key="sk-bad"), [Behaviour(status=429)])]) as sim, client(sim) as sdk:
        answer = await sdk.chat.completions.create(model="m", messages=ASK)
        assert answer.choices[0].message.content == "m was asked: hello"
        async with sdk.chat.completions.stream(
            model="m", messages=ASK, stream_options={"include_usage": True}
        ) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.content == "m was asked: hello"
        assert final.usage is not None
        async with sdk.chat.completions.stream(model="m", messages=ASK, tools=tools, tool_choice="required") as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.tool_calls is not None
        assert ("f", "{}") == (
            final.choices[0].message.tool_calls[0].function.name,
            final.choices[0].message.tool_calls[0].function.arguments,
        )
        # In base64, which the client asks for by itself, and as floats.
        encoded = await sdk.embeddings.create(model="e", input="a")
        floats = await sdk.embeddings.create(model="e", input="a", encoding_format="float")
        assert encoded.data[0].embedding == floats.data[0].embedding
        assert "gpt-5.4" in [model.id async for model in sdk.models.list()]
        assert (await sdk.completions.create(model="m", prompt="hello")).choices[0].text == "m was asked: hello"
        assert not (await sdk.moderations.create(input="hello")).results[0].flagged
        assert (await sdk.audio.speech.create(model="t", voice="alloy", input="x")).content[:2] == b"\x00\x01"
        heard = await sdk.audio.transcriptions.create(model="w", file=("a.wav", b"RIFF"))
        assert heard.text == "w heard a.wav"
        assert (await sdk.responses.create(model="m", input="hello")).output_text == "m was asked: hello"
        async with sdk.responses.stream(model="m", input="hello") as events:
            assert (await events.get_final_response()).output_text == "m was asked: hello"
    async with Simulator([Rule(Match(key="sk-bad"), [Behaviour(status=429)])]) as sim, client(sim, "sk-bad") as sdk:
        with pytest.raises(openai.RateLimitError, match="Rate limit reached"):
            await sdk.chat.completions.create(model="m", messages=ASK)


async def test_records_what_it_received() -> None:
    """Method, path with query, headers in order and case, body, key and model; then status, size and rule."""
    async with Simulator([Rule(name="mine")]) as sim:
        sent = b'{"model": "m",  "messages": []}'
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(b"POST /x/chat/completions?a=1 HTTP/1.1\r\nhost: h\r\nX-B: 1\r\nx-A: \xe6\r\nX-B: 2\r\n")
        writer.write(b"Api-Key: k\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(sent), sent))
        answer = await reader.read()
        writer.close()
        (record,) = await sim.wait_for_requests(1)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert ("POST", "/x/chat/completions?a=1", "1.1", sent) == (
        record.method,
        record.path,
        record.http_version,
        record.body,
    )
    assert [("host", "h"), ("X-B", "1"), ("x-A", "\xe6"), ("X-B", "2"), ("Api-Key", "k")] == record.headers[:5]
    assert ("k", "m", "mine", 200) == (record.key, record.model, record.rule, record.status)
    assert len(answer.partition(b"\r\n\r\n")[2]) == record.sent_bytes
    assert (True, False) == (record.finished, record.cancelled)


async def test_client_leaves_in_the_middle_of_its_body() -> None:
    """An upload that ends too early is recorded as cancelled."""
    async with Simulator() as sim:
        _, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: 99\r\n\r\n{")
        await writer.drain()
        writer.close()
        (record,) = await sim.wait_for_requests(1)
    assert (True, True, None) == (record.finished, record.cancelled, record.status)


async def test_steering_and_its_switch() -> None:
    """Requests steer themselves unless that is switched off; a wrong header is explained."""
    headers = {"x-sim-status": "503"}
    async with Simulator() as sim, aiohttp.ClientSession() as http:
        url = f"{sim.base_url}/models"
        assert (await http.get(url, headers=headers)).status == 503
        wrong = await http.get(url, headers={"x-sim-statu": "503"})
        assert wrong.status == 400
        assert "did you mean `status`?" in (await wrong.json())["error"]["message"]
        assert sim.stats()["by_rule"] == {"request's rule 1": 1, "request's rule": 1}
    async with Simulator(steering=False) as sim, aiohttp.ClientSession() as http:
        assert (await http.get(f"{sim.base_url}/models", headers=headers)).status == 200


async def test_control_surface() -> None:
    """Rules and requests over HTTP, on the same port."""
    async with Simulator() as sim, aiohttp.ClientSession(base_url=sim.url) as http:
        assert await (await http.get("/_sim/health")).json() == {"status": "ok"}
        rules = [{"match": {"key": "k"}, "behaviours": [{"status": 418}]}]
        assert await (await http.put("/_sim/rules", json=rules)).json() == {"rules": 1}
        assert await (await http.get("/_sim/rules")).json() == {"rules": rules}
        assert (await http.get("/v1/models", headers={"x-api-key": "k"})).status == 418
        wrong = await http.put("/_sim/rules", json={"rules": [{"behaviours": [{"statu": 1}]}]})
        assert wrong.status == 400
        assert "rules[0].behaviours[0].statu" in (await wrong.json())["error"]["message"]
        assert len(sim.rules) == 1
        (listed,) = (await (await http.get("/_sim/requests?count=1")).json())["requests"]
        assert ("k", 418, "/v1/models") == (listed["key"], listed["status"], listed["path"])
        assert await (await http.get("/_sim/requests?since=1&count=1&timeout_s=0.01")).json() == {"requests": []}
        stats = await (await http.get("/_sim/stats")).json()
        assert ({"418": 1}, {"k": 1}) == (stats["by_status"], stats["by_key"])
        assert stats["open_connections"] >= 1
        assert (await http.delete("/_sim/requests")).status == 200
        assert sim.requests == []
        assert (await http.get("/_sim/nothing")).status == 404


async def test_rules_are_checked_and_replaced() -> None:
    """Wrong rules are refused at once; new rules count anew."""
    with pytest.raises(ScriptError):
        Simulator([Rule(behaviours=[Behaviour(status=1)])])
    rules = [Rule(behaviours=[Behaviour(status=500), Behaviour()])]
    async with Simulator(rules) as sim, aiohttp.ClientSession() as http:
        got = [(await http.get(f"{sim.base_url}/models")).status for _ in range(2)]
        sim.set_rules(rules)
        got += [(await http.get(f"{sim.base_url}/models")).status for _ in range(2)]
    assert [500, 200, 500, 200] == got


async def test_large_bodies_both_ways() -> None:
    """Ten megabytes in, recorded as hash; ten out, complete."""
    async with Simulator(default=Behaviour(chunks=100, chunk_bytes=100_000)) as sim, aiohttp.ClientSession() as http:
        sent = json.dumps({**body(), "padding": "x" * 10_000_000})
        async with http.post(f"{sim.base_url}/chat/completions", data=io.BytesIO(sent.encode())) as response:
            assert len((await response.json())["choices"][0]["message"]["content"]) == 10_000_000
        (record,) = sim.requests
        assert (b"", len(sent)) == (record.body, record.body_bytes)


async def test_expect_continue_and_old_http() -> None:
    """Who asks before sending is told to go on; HTTP/1.0 gets a stream that ends with the connection."""
    async with Simulator() as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        data = json.dumps(body(stream=True)).encode()
        head = b"host: h\r\ncontent-length: %d\r\n" % len(data)
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nexpect: 100-continue\r\nconnection: close\r\n" + head + b"\r\n"
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(data)
        assert (await reader.read()).endswith(b"\n\n\r\n0\r\n\r\n")
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(b"POST /v1/chat/completions HTTP/1.0\r\n" + head + b"\r\n" + data)
        assert (await reader.read()).endswith(b"data: [DONE]\n\n")
        writer.close()


async def test_tls(tmp_path: Path) -> None:
    """With a certificate it speaks https; a reset works there too."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    tls = tls_context(tmp_path / "cert.pem", tmp_path / "key.pem")
    async with Simulator(tls=tls) as sim, aiohttp.ClientSession() as http:
        assert sim.url == f"https://127.0.0.1:{sim.port}"
        async with http.get(f"{sim.base_url}/models", ssl=trust) as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get(f"{sim.base_url}/models", ssl=trust, headers={"x-sim-refuse": "true", "connection": "close"})


async def test_hook_and_recording_switched_off() -> None:
    """Who wants to know is told of each request at its end; nothing else is kept."""
    told: list[RecordedRequest] = []
    async with Simulator(record=False, on_finished=told.append) as sim, aiohttp.ClientSession() as http:
        await http.get(f"{sim.base_url}/models")
        assert ([], 1) == (sim.requests, sim.stats()["requests"])
        with pytest.raises(ValueError, match="1 requests are waited for, and only 0 are kept"):
            await sim.wait_for_requests(1)
    assert ["/v1/models"] == [record.path for record in told]


async def test_waiting_ends() -> None:
    """Who waits in vain is told."""
    async with Simulator() as sim:
        with pytest.raises(TimeoutError):
            await sim.wait_for_requests(1, timeout_s=0.01)


async def test_port_in_use() -> None:
    """A port that another has is an error, and nothing is left open."""
    async with Simulator() as sim:
        with pytest.raises(OSError, match="address already in use"):
            await Simulator(port=sim.port).start()


async def test_many_streams_at_once() -> None:
    """Every one of many parallel streams arrives complete."""
    slow = Behaviour(chunks=5, delay_between_tokens_s=0.02)
    async with Simulator(default=slow) as sim, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one() -> bytes:
            async with http.post(f"{sim.base_url}/chat/completions", json=body(stream=True)) as response:
                return await response.read()

        async with asyncio.TaskGroup() as tasks:
            streams = [tasks.create_task(one()) for _ in range(100)]
        assert all(each.result().endswith(b"data: [DONE]\n\n") for each in streams)
        assert len({each.result() for each in streams}) == 100


async def test_stop_ends_what_is_open() -> None:
    """Stopping waits for nobody, and is no leaving of the client."""
    sim = Simulator(default=Behaviour(delay_before_headers_s=60))
    await sim.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(b"GET /v1/models HTTP/1.1\r\nhost: h\r\n\r\n")
    await sim.wait_for_requests(1, finished=False)
    async with asyncio.timeout(2):
        await sim.stop()
        assert await reader.read() == b""
    writer.close()
    assert [False] == [record.cancelled for record in sim.requests]
