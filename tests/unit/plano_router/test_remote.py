"""plano_router.remote: a language model behind an OpenAI-compatible endpoint."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from plano_router.answer import Route, RouterError
from plano_router.question import Question
from plano_router.remote import RemoteBackend
from plano_router.settings import RemoteSettings

ROUTES = (Route("code", "writing code"), Route("chat", "small talk"))


@asynccontextmanager
async def backend(handler: object, key: str | None = "sk-1") -> AsyncIterator[RemoteBackend]:
    """A backend whose endpoint is this handler."""
    application = web.Application()
    application.router.add_post("/v1/chat/completions", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    settings = RemoteSettings(f"http://127.0.0.1:{port}/v1/chat/completions", "m", key, {"x-a": "b"}, "a/m")
    async with aiohttp.ClientSession() as session:
        yield RemoteBackend(settings, ROUTES, 8192, session)
    await runner.cleanup()


def completion(content: str) -> web.Response:
    """A chat completion."""
    return web.json_response({"choices": [{"message": {"content": content}}]})


async def test_it_asks_the_model() -> None:
    """With its own key, a short answer wanted, temperature 0."""
    seen: list[tuple[dict[str, str], dict[str, object]]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((dict(request.headers), await request.json()))
        return completion('{"route": "code"}')

    async with backend(handler) as remote:
        answer = await remote.ask(Question("write a parser"))
    assert "code" == answer.ranked[0][0]
    headers, body = seen[0]
    assert ("Bearer sk-1", "b", "m", 0) == (
        headers["Authorization"],
        headers["x-a"],
        body["model"],
        body["temperature"],
    )
    assert "write a parser" in json.dumps(body["messages"])


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (lambda: web.Response(status=500, text="sk-1 is bad"), "answered 500"),
        (lambda: web.json_response({"error": "x"}), "no chat completion"),
        (lambda: web.Response(text="<html>"), "no chat completion"),
        (lambda: completion("I do not know"), "named no route"),
        (lambda: web.json_response({"choices": [{"message": {"content": None}}]}), "named no route"),
    ],
)
async def test_what_is_no_answer(response: Callable[[], web.Response], why: str) -> None:
    """Each is an error that names the model, and no key."""

    async def handler(_: web.Request) -> web.Response:
        return response()

    async with backend(handler) as remote:
        with pytest.raises(RouterError, match=f"a/m .*{why}|{why}") as caught:
            await remote.ask(Question("x"))
    assert "sk-1" not in str(caught.value)


async def test_silence() -> None:
    """It is waited for no longer than the question says."""

    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return completion("")

    async with backend(handler) as remote:
        with pytest.raises(RouterError, match="did not answer within"):
            await remote.ask(Question("x", timeout_s=0.05))


async def test_nobody_there() -> None:
    """A connection that is refused."""
    async with aiohttp.ClientSession() as session:
        remote = RemoteBackend(RemoteSettings("http://127.0.0.1:9/v1", "m", name="a/m"), ROUTES, 10, session)
        with pytest.raises(RouterError, match="a/m cannot be reached"):
            await remote.ask(Question("x"))
