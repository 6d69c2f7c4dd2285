"""brightstaff.router: no request fails, or waits longer than is allowed, because of the router."""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from brightstaff.breaker import Breaker
from brightstaff.router import GrpcRouter, Router
from brightstaff.routing import Pin, Undecided
from brightstaff.sessions import MemorySessions
from brightstaff.settings import RouteSettings, RoutingSettings
from plano_router.answer import Answer, Route, RouterError
from plano_router.question import Question
from plano_router.reading import read_request, read_text
from plano_router.service import RouterService, create_server

ROUTES = (RouteSettings("code", "writing code", ("a/strong",)), RouteSettings("chat", "talk", ("a/weak",)))
SETTINGS = RoutingSettings(routes=ROUTES, socket="/s", timeout_s=0.05, strengths={"a/strong": 3, "a/weak": 1})
SAYS_CODE = Answer({"code": 0.8, "chat": 0.1}, 0.1, "builtin", "said")


class Fake:
    """A router that does as it is told."""

    def __init__(self, *outcomes: Answer | Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.asked = 0

    async def ask(self, request_id: str, question: Undecided, timeout_s: float) -> Answer:
        """The next outcome, the last one again and again; None: never."""
        assert (request_id, 0.05) == ("id", timeout_s)
        assert question.routes
        self.asked += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if outcome is None:
            await asyncio.Event().wait()
        if isinstance(outcome, Exception):
            raise outcome
        assert outcome is not None
        return outcome


class Clock:
    """A clock that is set by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


def question(text: str = "write code") -> Undecided:
    """A question of the conversation `k`."""
    return Undecided(read_text(text), ROUTES, "x", "k")


def new_router(fake: Fake, clock: Clock) -> Router:
    """A router whose breaker opens after two failures."""
    return Router(SETTINGS, fake, MemorySessions(10, 10, clock), clock, Breaker(threshold=2))


async def test_it_asks_and_decides() -> None:
    """What the router says becomes the route."""
    routed = await new_router(Fake(SAYS_CODE), Clock()).decide("id", question())
    assert ("code", ("a/strong",), "k") == (routed.route, routed.models, routed.session)


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (RouterError("it is broken"), "it is broken"),
        (None, "no answer in time"),
        (Answer({"poems": 1.0}, 0.0, "builtin"), "unknown routes: poems"),
    ],
)
async def test_failures_never_reach_the_request(outcome: Answer | Exception | None, why: str) -> None:
    """An error, silence, nonsense: no route, and the reason is told."""
    router = new_router(Fake(outcome), Clock())
    routed = await router.decide("id", question())
    assert routed.route is None
    assert why in routed.why
    assert 1 == router.failures


async def test_a_router_that_fails_again_and_again_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """After two failures nobody asks for five seconds; one line says so, and one that it works again."""
    clock, fake = Clock(), Fake(RouterError("down"), RouterError("down"), SAYS_CODE)
    router = new_router(fake, clock)
    with caplog.at_level(logging.INFO, "brightstaff.router"):
        for _ in range(4):
            await router.decide("id", question())
        asked_while_open = fake.asked
        clock.now_s = 5.0
        again = await router.decide("id", question())
    assert (2, "code") == (asked_while_open, again.route)
    assert ["the router fails (down); requests go on without it, 2 so far", "the router answers again"] == [
        record.getMessage() for record in caplog.records
    ]


async def test_tool_loops_and_titles_are_not_asked_about() -> None:
    """A tool loop stays where its conversation is; a title goes to the cheapest route."""
    fake = Fake(SAYS_CODE)
    router = new_router(fake, Clock())
    router.remember("k", Pin("code", "a/strong"))
    messages = [{"role": "user", "content": "x"}, {"role": "tool", "content": "y"}]
    loop = Undecided(read_request("/chat/completions", {"messages": messages}), ROUTES, "x", "k")
    title = Undecided(
        read_request(
            "/chat/completions",
            {"messages": [{"role": "user", "content": "Generate a title for this conversation:\nUser: hi"}]},
        ),
        ROUTES,
        "x",
        "k",
    )
    assert ["code", "chat"] == [(await router.decide("id", each)).route for each in (loop, title)]
    assert 0 == fake.asked


@pytest.fixture
def socket() -> Iterator[str]:
    """A path short enough for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="plano-r-"))
    yield str(folder / "r.sock")
    shutil.rmtree(folder)


class Backend:
    """Says what it was asked."""

    name = "echo"

    def __init__(self) -> None:
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Answer:
        """Always the same."""
        self.asked.append(question)
        if question.text == "fail":
            raise RouterError("no model")
        return SAYS_CODE


async def test_over_the_wire(socket: str) -> None:
    """Question and answer arrive whole; own routes travel; errors come back as such; lone surrogates do no harm."""
    backend = Backend()
    server = create_server(RouterService(backend), socket)
    await server.start()
    client = GrpcRouter(socket)
    try:
        found = await client.ask("id", question("hi \ud800"), 1.0)
        own = Undecided(read_text("hi"), (RouteSettings("p", "poems", ("m",), ("e",)),), None, "k", own_routes=True)
        await client.ask("id", own, 1.0)
        with pytest.raises(RouterError, match="no model"):
            await client.ask("id", question("fail"), 1.0)
    finally:
        await client.close()
        await server.stop(None)
    assert SAYS_CODE == found
    assert ("hi ?", ()) == (backend.asked[0].text, backend.asked[0].routes)
    assert (Route("p", "poems", ("e",)),) == backend.asked[1].routes


async def test_nobody_there(socket: str) -> None:
    """A router that does not run is an error, in time."""
    client = GrpcRouter(socket)
    with pytest.raises(RouterError):
        await client.ask("id", question(), 0.3)
    await client.close()
