"""Compiles `routing_preferences` and `routing`: what brightstaff and the router process need to know. Pure."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from brightstaff.settings import RouteSettings, RoutingSettings
from plano_router.settings import RemoteSettings, RouterSettings
from plano_router.settings import RouteSettings as DescribedRoute
from planoai.config import PlanoConfig, RoutingPreference
from planoai.config.endpoint import endpoint_of
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.model_strength import strength

#: Least probability of a route. A language model names a route or none; the classifier spreads its doubts.
_MIN_CONFIDENCE = 0.2

Prices = Mapping[str, float]
"""Model, with or without its prefix → US dollars for a million tokens in and a million out."""


def compile_routing(config: PlanoConfig, home: PlanoHome, prices: Prices | None = None) -> RoutingSettings | None:
    """What brightstaff is told; None without routes."""
    if not config.routing_preferences:
        return None
    prices = prices or {}
    routing = config.routing
    models = [each.model for each in config.model_providers]
    return RoutingSettings(
        routes=tuple(_route(each, prices) for each in config.routing_preferences),
        socket="" if routing.backend == "off" else str(router_socket(home)),
        apply_to=routing.apply_to,
        min_confidence=_MIN_CONFIDENCE if routing.min_confidence is None else routing.min_confidence,
        switch_margin=routing.switch_margin,
        timeout_s=routing.timeout_ms / 1000,
        strengths={name: strength(name) for name in _all(models, config.routing_preferences)},
        costs={
            name: price
            for name in _all(models, config.routing_preferences)
            if (price := price_of(name, prices)) is not None
        },
        session_ttl_s=float(routing.session_ttl_seconds),
        session_max_entries=routing.session_max_entries,
        session_file=str(home.conversations) if config.workers > 1 else "",
    )


def compile_router(config: PlanoConfig, home: PlanoHome) -> RouterSettings | None:
    """What the router process is told; None where none runs. Raises PlanoError."""
    routing = config.routing
    if not config.routing_preferences or routing.backend == "off":
        return None
    remote = _remote(config)
    if routing.backend == "remote" and remote is None:
        raise PlanoError(
            "routing.backend is `remote`, and no model is named that decides",
            "Set overrides.llm_routing_model to the name of a channel, or choose another backend.",
        )
    return RouterSettings(
        socket=str(router_socket(home)),
        log_file=str(home.logs / "router.log"),
        routes=tuple(DescribedRoute(each.name, each.description, each.examples) for each in config.routing_preferences),
        backend=routing.backend,
        timeout_s=routing.timeout_ms / 1000,
        context_tokens=config.overrides.orchestrator_model_context_length,
        remote=remote if routing.backend in ("auto", "remote") else None,
    )


def router_socket(home: PlanoHome) -> Path:
    """Where the router process listens."""
    return home.sockets / "router.sock"


def price_of(model: str, prices: Prices) -> float | None:
    """The price of a model, by its full or its bare name."""
    return prices.get(model, prices.get(model.partition("/")[2]))


def _route(preference: RoutingPreference, prices: Prices) -> RouteSettings:
    models = preference.models
    if preference.selection_policy.prefer == "cheapest":
        # Models without a price come last, in their order.
        models = tuple(sorted(models, key=lambda name: _or_infinite(price_of(name, prices))))
    return RouteSettings(preference.name, preference.description, models, preference.examples)


def _or_infinite(price: float | None) -> float:
    return float("inf") if price is None else price


def _all(models: Iterable[str], routes: Iterable[RoutingPreference]) -> list[str]:
    return list(dict.fromkeys([*models, *(model for route in routes for model in route.models)]))


def _remote(config: PlanoConfig) -> RemoteSettings | None:
    """The channel that `overrides.llm_routing_model` names."""
    named = config.overrides.llm_routing_model or config.overrides.agent_orchestration_model
    found = [each for each in config.model_providers if named in (each.model, each.name)]
    found += [each for each in config.model_providers if named == each.model_id]
    if named is None or not found:
        return None
    provider = found[0]
    endpoint = endpoint_of(provider)
    return RemoteSettings(
        url=f"{endpoint.scheme}://{endpoint.authority}{endpoint.path_prefix}/chat/completions",
        model=provider.model_id,
        key=None if provider.access_key is None else provider.access_key.get_secret_value(),
        headers={name: value.get_secret_value() for name, value in provider.headers.items()},
        name=provider.model,
    )
