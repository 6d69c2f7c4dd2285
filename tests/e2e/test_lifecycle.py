"""`planoai up`, `status`, `logs`, `down` as a user runs them, with the real Envoy and brightstaff."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from planoai.simulator import ThreadedSimulator
from support import PLANOAI, Home, RunningGateway, alive, eventually, free_port

CONFIG = """
version: v0.4.0
listeners:
  - {type: model, name: main, address: 127.0.0.1, port: {port}}
model_providers:
  - {model: custom/alpha, base_url: "PROVIDER", access_key: $ALPHA_KEY, default: true}
"""


@pytest.fixture
def gateway(start_gateway: Callable[..., RunningGateway], provider: ThreadedSimulator) -> RunningGateway:
    """A gateway that the test may break."""
    return start_gateway(CONFIG.replace("PROVIDER", provider.url), "ALPHA_KEY=sk-alpha\n")


def state(home: Home) -> dict[str, dict[str, object]]:
    """`planoai status --json`, processes by name."""
    result = json.loads(home.planoai("status", "--json").stdout)
    return {each["name"]: each for each in result["processes"]}


def processes_of(home: Home) -> list[psutil.Process]:
    """The supervisor and its children, as the home's state file names them."""
    file = home.root / ".plano" / "run" / "state.json"
    supervisor = psutil.Process(json.loads(file.read_text())["supervisor"]["pid"])
    return [supervisor, *supervisor.children(recursive=True)]


def ask(gateway: RunningGateway) -> httpx.Response:
    """One request."""
    return httpx.post(f"{gateway.url}/v1/chat/completions", json={"messages": []}, timeout=30)


def test_up_says_what_it_serves_and_down_stops_it(new_home: Callable[[], Home], provider: ThreadedSimulator) -> None:
    """Start, status, logs, stop: each says what a user wants to know; nothing is left."""
    home, port = new_home(), free_port()
    home.write("config.yaml", CONFIG.replace("PROVIDER", provider.url).replace("{port}", str(port)))
    home.write(".env", "ALPHA_KEY=sk-alpha\n", mode=0o644)
    up = home.planoai("up")
    assert up.returncode == 0, up.stderr
    assert ".env" in up.stderr
    assert "chmod 600" in up.stderr
    for expected in (f"http://127.0.0.1:{port}/v1", "custom/alpha", "$ALPHA_KEY", "default", "planoai down", "logs"):
        assert expected in up.stdout
    assert "sk-alpha" not in up.stdout + up.stderr
    gateway = RunningGateway(home, port)
    request_id = ask(gateway).headers["x-plano-request-id"]
    running = processes_of(home)
    status = home.planoai("status")
    assert (status.returncode, "brightstaff" in status.stdout, "envoy" in status.stdout) == (0, True, True)
    gateway.access_lines(request_id)
    assert request_id in home.planoai("logs").stdout
    assert "serves 1 channels" in home.planoai("logs", "--debug").stdout
    down = home.planoai("down")
    assert down.returncode == 0
    assert alive(running) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    again = home.planoai("down")
    assert (again.returncode, "not running" in again.stdout) == (0, True)
    assert home.planoai("status").returncode == 3


def test_only_the_configured_port_is_open(gateway: RunningGateway) -> None:
    """Everything else (admin, ext_proc, control) is a Unix socket of this user only."""
    listening = [
        (each.laddr.ip, each.laddr.port)
        for process in processes_of(gateway.home)
        for each in process.net_connections(kind="inet")
        if each.status == psutil.CONN_LISTEN
    ]
    assert {("127.0.0.1", gateway.port)} == set(listening)


@pytest.mark.parametrize("name", ["brightstaff", "envoy"])
def test_a_process_that_dies_is_restarted(gateway: RunningGateway, name: str) -> None:
    """Kill -9: it comes back, requests work again, and `status` tells."""
    before = state(gateway.home)[name]
    os.kill(int(str(before["pid"])), signal.SIGKILL)
    after = eventually(
        lambda: each if (each := state(gateway.home)[name])["pid"] not in (None, before["pid"]) else None
    )
    assert after["restarts"] == 1
    eventually(lambda: _answers(gateway))
    assert ask(gateway).status_code == 200


def _answers(gateway: RunningGateway) -> bool:
    try:
        return httpx.get(f"{gateway.url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_no_request_is_lost_while_brightstaff_restarts(gateway: RunningGateway) -> None:
    """Kill -9 of brightstaff while requests arrive: Envoy asks again until it is back; every answer is a 200."""
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, gateway) for _ in range(40)]
        os.kill(int(str(state(gateway.home)["brightstaff"]["pid"])), signal.SIGKILL)
        answers += [pool.submit(ask, gateway) for _ in range(40)]
        assert {each.result().status_code for each in answers} == {200}


def test_a_second_up_replaces_the_first(gateway: RunningGateway) -> None:
    """The same home, another configuration: old processes and ports are gone, the new one serves."""
    old = processes_of(gateway.home)
    new_port = free_port()
    config = (gateway.home.root / "config.yaml").read_text()
    gateway.home.write(
        "config.yaml", config.replace(str(gateway.port), str(new_port)).replace("custom/alpha", "custom/beta")
    )
    assert gateway.home.planoai("up").returncode == 0
    assert alive(old) == []
    ids = [each["id"] for each in httpx.get(f"http://127.0.0.1:{new_port}/v1/models").json()["data"]]
    assert ids == ["custom/beta"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{gateway.url}/healthz")


def test_a_broken_configuration_leaves_the_old_gateway_running(gateway: RunningGateway) -> None:
    """All mistakes are told with their lines, exit code 2, and what ran still runs."""
    gateway.home.write(
        "config.yaml", "version: v0.4.0\nmodel_providers:\n  - model: nope\n  - {model: custom/a, bas_url: x}\n"
    )
    refused = gateway.home.planoai("up")
    assert refused.returncode == 2
    assert "config.yaml:3" in refused.stderr
    assert "config.yaml:4" in refused.stderr
    assert "base_url" in refused.stderr
    assert ask(gateway).status_code == 200


def test_missing_variables_are_listed_together(new_home: Callable[[], Home]) -> None:
    """Every missing variable in one run; nothing is started."""
    home = new_home()
    home.write(
        "config.yaml",
        "version: v0.4.0\nmodel_providers:\n"
        "  - {model: openai/a, access_key: $FIRST_KEY}\n  - {model: openai/b, access_key: $SECOND_KEY}\n",
    )
    refused = home.planoai("up")
    assert refused.returncode == 2
    assert "FIRST_KEY" in refused.stderr
    assert "SECOND_KEY" in refused.stderr
    assert home.planoai("status").returncode == 3


def test_a_mistyped_file(new_home: Callable[[], Home]) -> None:
    """Never a fall-back to something else."""
    home = new_home()
    home.write("config.yaml", "version: v0.4.0\n")
    refused = home.planoai("up", "confg.yaml")
    assert (refused.returncode, "confg.yaml" in refused.stderr) == (2, True)


def test_a_port_that_is_taken(new_home: Callable[[], Home], provider: ThreadedSimulator) -> None:
    """The message names the port and who has it; nothing is left behind."""
    home = new_home()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        home.write("config.yaml", CONFIG.replace("PROVIDER", provider.url).replace("{port}", str(port)))
        home.write(".env", "ALPHA_KEY=sk-alpha\n")
        refused = home.planoai("up")
    assert refused.returncode == 1
    assert str(port) in refused.stderr
    assert str(os.getpid()) in refused.stderr
    assert home.planoai("status").returncode == 3


@pytest.mark.parametrize("command", [["up", "--foreground"], ["demo"]], ids=["foreground", "demo"])
def test_ctrl_c_stops_what_runs_in_the_foreground(
    new_home: Callable[[], Home], provider: ThreadedSimulator, command: list[str]
) -> None:
    """The gateway stays until Ctrl-C; then every process of it is gone."""
    home, port = new_home(), free_port()
    home.write("config.yaml", CONFIG.replace("PROVIDER", provider.url).replace("{port}", str(port)))
    home.write(".env", "ALPHA_KEY=sk-alpha\n")
    arguments = [*command, "--port", str(port)] if command == ["demo"] else command
    with subprocess.Popen(
        [*PLANOAI, *arguments],
        env=home.environ,
        cwd=home.root,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout)
        told = next(line for line in lines if "Ctrl-C" in line)
        assert told
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        for _ in lines:
            pass
        assert process.wait(30) == 0
        # The routes of the demo need a router.
        assert len(children) == (3 if command == ["demo"] else 2)
    assert alive(children) == []


def test_demo_needs_no_key_and_shows_a_failover(new_home: Callable[[], Home]) -> None:
    """One command in an empty home: a plain answer, a streamed one, one after a 429, and no trace left in the home."""
    home = new_home()
    shown = home.planoai("demo", "--exit", "--port", str(free_port()))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "custom/claude-opus-4-6=429/" in shown.stdout
    assert "answered by  custom-aws/claude-opus-4-6" in shown.stdout
    assert "route        quick tasks   (confidence 0." in shown.stdout
    assert list(home.root.iterdir()) == []
