"""What routing by intent adds to a request: the same requests through the same gateway, routed and not, in turns.

And how much memory the router process takes.
"""

import http.client
import json
import shutil
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console

from planoai.config import recommended_config_text
from planoai.demo.scenario import demo_config
from planoai.simulator import run_in_thread
from tests.support import Home, RunningGateway, eventually, free_port

from .contenders import BenchError
from .stats import percentile, ratios, spread

_ROUNDS, _REQUESTS = 5, 100
_KEYS = "CLAUDE_API_KEY=k1\nCLAUDE_AWS_API_KEY=k2\nCLAUDE_OFFCIAL_API_KEY=k3\nCODEX_API_KEY=k4\n"
_HEADERS = {"content-type": "application/json"}
_PROMPT = "please find out why the parser test fails in CI since the last release, and tell me what to change; "


def show_routed(console: Console) -> None:
    """Latency of a request with and without routing, and the router's memory. Raises BenchError."""
    home = Home(Path(tempfile.mkdtemp(prefix="plano-bench-")))
    with run_in_thread() as provider:
        try:
            port = free_port()
            home.write("config.yaml", demo_config(recommended_config_text(), provider.url, port))
            home.write(".env", _KEYS)
            started = home.planoai("up", "config.yaml")
            if started.returncode:
                raise BenchError(started.stderr)
            gateway = RunningGateway(home, port)
            eventually(lambda: _is_routed(port))
            _show(console, port)
            memory = psutil.Process(gateway.processes()["router"].pid).memory_info().rss / 2**20
            console.print(f"router process: {memory:.0f} MiB resident")
        finally:
            home.planoai("down")
            shutil.rmtree(home.root, ignore_errors=True)


def _show(console: Console, port: int) -> None:
    for length in (100, 500, 10_000):
        plain, routed = [], []
        for round_ in range(_ROUNDS):
            plain.append(_median_ms(port, length, routed=False, number=round_))
            routed.append(_median_ms(port, length, routed=True, number=round_))
        found = spread(ratios(routed, plain))
        assert found is not None
        middle = _ROUNDS // 2
        console.print(
            f"{length:6} characters: {sorted(plain)[middle]:.2f} ms unrouted, {sorted(routed)[middle]:.2f} ms routed, "
            f"ratio {found.median:.2f} ({found.low:.2f} to {found.high:.2f})"
        )


def _is_routed(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v1/chat/completions", _body("is the router there?"), _HEADERS)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers.get("x-plano-route-confidence") is not None


def _body(text: str) -> str:
    return json.dumps({"model": "custom/claude-opus-4-6", "messages": [{"role": "user", "content": text}]})


def _median_ms(port: int, length: int, *, routed: bool, number: int) -> float:
    """One connection, one request after the other; each is the first turn of a conversation."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = _HEADERS | ({} if routed else {"x-plano-route": "off"})
    times_ms = []
    for index in range(_REQUESTS):
        text = f"{number} {index} {_PROMPT * (length // len(_PROMPT) + 1)}"[:length]
        body = _body(text)
        started_s = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        answer.read()
        times_ms.append((time.perf_counter() - started_s) * 1000)
        if answer.status != 200 or routed != ("x-plano-route-confidence" in answer.headers):
            raise BenchError(f"status {answer.status}, or not routed as it should be: {answer.headers}")
    connection.close()
    return percentile(sorted(times_ms), 50)
