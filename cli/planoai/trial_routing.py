"""Routing without a gateway: for `planoai route` and `planoai eval`. The same reading, routers and rules."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from brightstaff import routing
from brightstaff.routing import Routed, Undecided
from brightstaff.settings import RoutingSettings
from plano_router.answer import RouterError
from plano_router.backends import Backend
from plano_router.engine import open_backend
from plano_router.question import Question
from plano_router.reading import Kind, Reading, read_request
from plano_router.settings import RouterSettings
from planoai.config import load_config
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.prices import load_prices
from planoai.router_model import find_router_model
from planoai.routing import compile_router, compile_routing


@dataclass(frozen=True)
class TrialRouter:
    """The routing of a configuration, ready to be tried."""

    settings: RoutingSettings
    router: RouterSettings
    fallback: str
    """Where requests go that fit no route, for people."""

    def strength_of_route(self, route: str | None) -> float:
        """How capable the first model of a route is, 1 to 3; of None, middling: nobody knows the default's task."""
        models = next((each.models for each in self.settings.routes if each.name == route), None)
        return 2.0 if models is None else self.settings.strength_of(models[0])

    async def route(self, suffix: str, body: Mapping[str, object]) -> tuple[Reading, Routed]:
        """What was read of a request, and what becomes of it. Raises PlanoError when the router fails."""
        async with open_backend(self.router) as backend:
            return await self.ask(backend, suffix, body)

    async def ask(self, backend: Backend, suffix: str, body: Mapping[str, object]) -> tuple[Reading, Routed]:
        """The same with a backend that is open already."""
        reading = read_request(suffix, body)
        question = Undecided(reading, self.settings.routes, None, "")
        if reading.kind is Kind.EMPTY:
            return reading, Routed(None, why="there is nothing to read")
        if reading.kind is Kind.HOUSEKEEPING:
            return reading, routing.housekeeping(self.settings, question)
        started_s = time.perf_counter()
        asked = Question(reading.text, reading.context, reading.turns, (), self.settings.timeout_s)
        try:
            answer = await backend.ask(asked)
        except RouterError as error:
            raise PlanoError(f"The router failed: {error}", "A gateway goes on without it: to the default.") from None
        took_ms = (time.perf_counter() - started_s) * 1000
        return reading, routing.decide(self.settings, question, answer, None, took_ms)


def open_trial(config_path: Path, home: PlanoHome, environ: Mapping[str, str], backend: str | None) -> TrialRouter:
    """The routing of a configuration. Raises ConfigError or PlanoError."""
    loaded = load_config(config_path, environ)
    config = loaded.config
    if backend is not None:
        config = config.model_copy(update={"routing": config.routing.model_copy(update={"backend": backend})})
    price_file = config.routing.price_file
    prices = None if price_file is None else load_prices(loaded.path.parent / Path(price_file).expanduser())
    settings = compile_routing(config, home, prices)
    router = compile_router(config, home, find_router_model(config, home, loaded.path.parent))
    if settings is None or router is None:
        raise PlanoError(
            f"{config_path}: nothing is routed by intent",
            "Add `routing_preferences` (docs/routing.md), or see that routing.backend is not `off`.",
        )
    default = next((each.model for each in config.model_providers if each.default), None)
    return TrialRouter(settings, router, f"{default} (the default)" if default else "the model that the client names")


def endpoint_of_body(text: str) -> tuple[str, Mapping[str, object]]:
    """The endpoint and the body of a request, when `text` is one; else a chat with the text as its prompt."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if isinstance(body, dict):
        if "input" in body:
            return "/responses", body
        if isinstance(body.get("messages"), list):
            return ("/messages" if "system" in body else "/chat/completions"), body
        if "prompt" in body:
            return "/completions", body
    return "/chat/completions", {"messages": [{"role": "user", "content": text}]}
