"""The requests of the demo, with a simulated provider in the gateway's place."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from planoai.commands.output import Output
from planoai.demo.scenario import STEPS
from planoai.demo.tour import TourFailedError, take_tour, wait_for_router
from planoai.simulator import Behaviour, Match, Rule, ThreadedSimulator, run_in_thread

#: What a gateway adds to an answer.
HEADERS: dict[str, str | int | float | list[str] | None] = {"x-plano-model": "a/b", "x-plano-attempts": "a/b=200/5ms"}


@pytest.fixture
def gateway() -> Iterator[ThreadedSimulator]:
    """Answers as the gateway would."""
    with run_in_thread([Rule(behaviours=[Behaviour(headers=HEADERS, content='It is "well"', chunks=2)])]) as simulator:
        yield simulator


@pytest.fixture
def provider() -> Iterator[ThreadedSimulator]:
    """What the demo's gateway would have behind it."""
    with run_in_thread() as simulator:
        yield simulator


@pytest.fixture
def text() -> io.StringIO:
    """What was written."""
    return io.StringIO()


@pytest.fixture
def output(text: io.StringIO) -> Output:
    """Both streams in one text."""
    console = Console(file=text, highlight=False, soft_wrap=True, markup=False)
    return Output(console, console)


def test_every_step_is_shown(
    gateway: ThreadedSimulator, provider: ThreadedSimulator, text: io.StringIO, output: Output
) -> None:
    """What is asked, what is answered (a stream piece by piece), by whom, after which attempts."""
    take_tour(gateway.port, provider, output)
    shown = text.getvalue()

    for number, step in enumerate(STEPS, start=1):
        assert f"{number}. {step.title}\n   → {step.model}: {step.prompt}\n   ← " in shown
    assert len(STEPS) == shown.count("     answered by  a/b\n")
    assert len(STEPS) == shown.count("     attempts     a/b=200/5ms   (")
    assert 5 == shown.count('   ← It is "well"\n')


def test_the_requests(gateway: ThreadedSimulator, provider: ThreadedSimulator, output: Output) -> None:
    """As the steps say, without a key."""
    take_tour(gateway.port, provider, output)

    assert [step.body for step in STEPS] == [each.json() for each in gateway.requests]
    assert {None} == {each.key for each in gateway.requests}
    assert {"/v1/chat/completions"} == {each.path for each in gateway.requests}


def test_the_provider_behaves_again_at_the_end(
    gateway: ThreadedSimulator, provider: ThreadedSimulator, output: Output
) -> None:
    """Who tries the gateway after the tour meets no 429."""
    provider.set_rules([Rule(behaviours=[Behaviour(status=500)])])
    take_tour(gateway.port, provider, output)

    assert () == provider.rules


def test_a_request_that_fails(gateway: ThreadedSimulator, provider: ThreadedSimulator, output: Output) -> None:
    """Which step, the status and the beginning of the answer; nothing is shown as if it were well."""
    gateway.set_rules(
        [Rule(Match(stream=True), [Behaviour(status=503, body="out of order" + "x" * 10_000)]), *gateway.rules]
    )
    with pytest.raises(TourFailedError, match=f"{STEPS[3].title}: HTTP 503: out of order") as caught:
        take_tour(gateway.port, provider, output)

    assert len(str(caught.value)) < 600


def test_nobody_listens(provider: ThreadedSimulator, output: Output) -> None:
    """The caller is told as of any other broken connection."""
    with run_in_thread() as gone:
        port = gone.port
    with pytest.raises(OSError, match="refused"):
        take_tour(port, provider, output)


def test_the_router_is_waited_for(tmp_path: Path) -> None:
    """Until it listens; not for ever."""
    socket = tmp_path / "router.sock"
    assert not wait_for_router(socket, 0.01)
    threading.Timer(0.05, socket.touch).start()
    assert wait_for_router(socket, 10)
