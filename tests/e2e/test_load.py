"""Many streams at once, for half a minute, through one brightstaff."""

import asyncio
import json
import logging
import subprocess
from collections.abc import Callable

import aiohttp
import pytest

from support import PLANOAI, RunningGateway, free_port

log = logging.getLogger(__name__)

STREAMS = 1000
CHUNKS = 60
INTERVAL_S = 0.5

CONFIG = """
version: v0.4.0
listeners:
  - {type: model, name: main, address: 127.0.0.1, port: {port}}
model_providers:
  - {model: custom/alpha, base_url: "PROVIDER", access_key: sk-alpha}
"""


def resident_mib(gateway: RunningGateway) -> dict[str, int]:
    """Resident memory of each process, in MiB."""
    return {name: each.memory_info().rss // 2**20 for name, each in gateway.processes().items()}


async def one_stream(session: aiohttp.ClientSession, url: str, number: int) -> str:
    """Read one stream to its end; says what was wrong, or nothing."""
    body = {"model": "custom/alpha", "stream": True, "messages": [{"role": "user", "content": f"stream {number}"}]}
    async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
        if answer.status != 200:
            return f"status {answer.status}"
        text = (await answer.read()).decode()
    contents = text.count('"content":') - text.count('"content":""')
    if not text.endswith("data: [DONE]\n\n"):
        return f"cut after {len(text)} characters"
    return "" if contents == CHUNKS else f"{contents} chunks"


async def all_streams(url: str) -> list[str]:
    """All at once."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=150)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        return await asyncio.gather(*(one_stream(session, url, number) for number in range(STREAMS)))


@pytest.mark.load
@pytest.mark.timeout(300)
def test_a_thousand_parallel_streams(start_gateway: Callable[..., RunningGateway]) -> None:
    """1,000 streams of 30 s each: none is lost, cut, or has a chunk too many or too few."""
    port = free_port()
    behaviour = json.dumps({"chunks": CHUNKS, "chunk_bytes": 20, "delay_between_tokens_s": INTERVAL_S})
    command = [*PLANOAI, "simulate", "--port", str(port), "--quiet", "--no-record", "--behaviour", behaviour]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as provider:
        try:
            assert provider.stdout is not None
            assert str(port) in provider.stdout.readline()
            gateway = start_gateway(CONFIG.replace("PROVIDER", f"http://127.0.0.1:{port}"))
            before = resident_mib(gateway)
            wrong = [each for each in asyncio.run(all_streams(gateway.url)) if each]
            assert wrong == [], f"resident MiB before {before}, after {resident_mib(gateway)}"
            # Shown with --log-cli-level=info.
            log.info("resident MiB before %s, after %s", before, resident_mib(gateway))
        finally:
            provider.terminate()
