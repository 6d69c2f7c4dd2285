"""Carries out the steps of the demo and shows what happens, as it happens."""

import http.client
import json
import threading
import time
from pathlib import Path

from planoai.commands.output import Output
from planoai.demo.scenario import STEPS, Step, text_of
from planoai.simulator import ThreadedSimulator

_TIMEOUT_S = 30
#: A gateway does not wait for its router; what shows routing does, but not for ever.
_ROUTER_S, _POLL_S = 15.0, 0.02


class TourFailedError(Exception):
    """A request of the demo was not answered as it should be."""


def wait_for_router(socket: Path, timeout_s: float = _ROUTER_S) -> bool:
    """Wait until the router listens there; whether it does."""
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not socket.exists():
        if time.monotonic() >= deadline_s:
            return False
        pause.wait(_POLL_S)
    return True


def take_tour(port: int, provider: ThreadedSimulator, output: Output) -> None:
    """All steps. Raises TourFailedError, OSError."""
    for number, step in enumerate(STEPS, start=1):
        provider.set_rules(step.rules)
        _take(number, step, port, output)
    provider.set_rules([])


def _take(number: int, step: Step, port: int, output: Output) -> None:
    output.line()
    output.line(f"{number}. {step.title}", style="bold")
    output.line(f"   → {step.model}: {step.prompt}")
    started_s = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        body = json.dumps(step.body)
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json", **step.headers})
        response = connection.getresponse()
        if response.status != 200:
            raise TourFailedError(
                f"{step.title}: HTTP {response.status}: {response.read(500).decode(errors='replace')}"
            )
        if step.stream:
            for line in response:
                text = text_of(line)
                if text:
                    output.line(f"   ← {text}")
        else:
            output.line(f"   ← {json.load(response)['choices'][0]['message']['content']}")
    finally:
        connection.close()
    elapsed_ms = (time.perf_counter() - started_s) * 1000
    if step.by_intent:
        sure = response.headers.get("x-plano-route-confidence", "?")
        output.line(f"     route        {response.headers['x-plano-route']}   (confidence {sure})", style="green")
    output.line(f"     answered by  {response.headers['x-plano-model']}", style="green")
    output.line(
        f"     attempts     {response.headers['x-plano-attempts']}   ({elapsed_ms:.0f} ms in all)", style="green"
    )
