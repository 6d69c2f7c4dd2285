"""A real gateway for each test module: `planoai up` as users run it, with simulated providers behind it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from planoai.simulator import ThreadedSimulator, run_in_thread
from support import Home, RunningGateway, free_port


@pytest.fixture(scope="module")
def new_home() -> Iterator[Callable[[], Home]]:
    """Makes homes; whatever runs in them is stopped at the end."""
    homes: list[Home] = []

    def make() -> Home:
        # Not under pytest's tmp_path: that is too long for Unix sockets, and users' homes are short, too.
        home = Home(Path(tempfile.mkdtemp(prefix="plano-e2e-")))
        homes.append(home)
        return home

    yield make
    for home in homes:
        home.planoai("down")
        shutil.rmtree(home.root, ignore_errors=True)


@pytest.fixture(scope="module")
def running_gateways() -> list[RunningGateway]:
    """The gateways of this module."""
    return []


@pytest.fixture(scope="module")
def start_gateway(
    new_home: Callable[[], Home], running_gateways: list[RunningGateway]
) -> Callable[..., RunningGateway]:
    """Starts gateways: config.yaml with `{port}` in place of the listener's port, and a `.env`."""

    def start(config: str, dotenv: str = "", variables: dict[str, str] | None = None) -> RunningGateway:
        home = new_home()
        home.variables.update(variables or {})
        port = free_port()
        home.write("config.yaml", config.replace("{port}", str(port)))
        if dotenv:
            home.write(".env", dotenv)
        result = home.planoai("up", "config.yaml")
        assert result.returncode == 0, result.stdout + result.stderr
        gateway = RunningGateway(home, port)
        running_gateways.append(gateway)
        return gateway

    return start


@pytest.fixture(scope="module")
def provider() -> Iterator[ThreadedSimulator]:
    """A simulated provider that answers well unless a test says otherwise."""
    with run_in_thread() as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _provider_is_well(request: pytest.FixtureRequest, running_gateways: list[RunningGateway]) -> Iterator[None]:
    """Rules, recordings and cool-downs of one test never reach the next."""
    yield
    for gateway in running_gateways:
        gateway.forget_failures()
    if "provider" in request.fixturenames:
        simulator: ThreadedSimulator = request.getfixturevalue("provider")
        simulator.set_rules([])
        simulator.clear()
