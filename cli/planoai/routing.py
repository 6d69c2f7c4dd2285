"""Compiles `routing_preferences` and `routing`: what brightstaff and the router process need to know. Pure."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from brightstaff.settings import RouteSettings, RoutingSettings
from plano_router.settings import LlamaSettings, RemoteSettings, RouterSettings
from plano_router.settings import RouteSettings as DescribedRoute
from planoai.config import PlanoConfig, RoutingPreference
from planoai.config.endpoint import endpoint_of
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.model_strength import strength
from planoai.session_cache import compile_session_cache

#: Least probability of a route. A language model names a route or none; the classifier spreads its doubts.
_MIN_CONFIDENCE = 0.2

Prices = Mapping[str, float]
"""Model, with or without its prefix → US dollars for a million tokens in and a million out."""


def compile_routing(
    config: PlanoConfig, home: PlanoHome, prices: Prices | None = None, ca_file: str = ""
) -> RoutingSettings | None:
    """What brightstaff is told; None without routes. `ca_file` holds certificates for Redis. Raises PlanoError."""
    if not config.routing_preferences:
        return None
    prices = prices or {}
    routing = config.routing
    models = [each.model for each in config.model_providers]
    return RoutingSettings(
        routes=tuple(_route(each, prices, config) for each in config.routing_preferences),
        socket="" if routing.backend == "off" else str(router_socket(home)),
        apply_to=routing.apply_to,
        min_confidence=_MIN_CONFIDENCE if routing.min_confidence is None else routing.min_confidence,
        downgrade_limit=routing.downgrade_limit,
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
        session_redis=compile_session_cache(routing.session_cache, ca_file),
        tenant_header=(routing.session_cache.tenant_header or "").lower(),
    )


def compile_router(config: PlanoConfig, home: PlanoHome, llama: LlamaSettings | None = None) -> RouterSettings | None:
    """What the router process is told; None where none runs. Raises PlanoError.

    `llama` is the local model, where there is one (`planoai.router_model`).
    """
    routing = config.routing
    if not config.routing_preferences or routing.backend == "off":
        return None
    remote = _remote(config)
    if routing.backend == "remote" and remote is None:
        raise PlanoError(
            "routing.backend is `remote`, and no model is named that decides",
            "Set overrides.llm_routing_model to the name of a channel, or describe an endpoint in routing.remote.",
        )
    if routing.backend == "llama" and llama is None:
        raise PlanoError(
            "routing.backend: llama needs a model, and there is none",
            "Set routing.model to the path of a GGUF file, or choose another backend.",
        )
    return RouterSettings(
        socket=str(router_socket(home)),
        log_file=str(home.logs / "router.log"),
        routes=tuple(DescribedRoute(each.name, each.description, each.examples) for each in config.routing_preferences),
        backend=routing.backend,
        timeout_s=routing.timeout_ms / 1000,
        context_tokens=config.overrides.orchestrator_model_context_length,
        remote=remote if routing.backend in ("auto", "remote") else None,
        llama=llama if routing.backend in ("auto", "llama") else None,
    )


def router_socket(home: PlanoHome) -> Path:
    """Where the router process listens."""
    return home.sockets / "router.sock"


def price_of(model: str, prices: Prices) -> float | None:
    """The price of a model, by its full or its bare name."""
    return prices.get(model, prices.get(model.partition("/")[2]))


def _route(preference: RoutingPreference, prices: Prices, config: PlanoConfig) -> RouteSettings:
    models = tuple(dict.fromkeys(_channel(name, config) for name in preference.models))
    if preference.selection_policy.prefer == "cheapest":
        # Models without a price come last, in their order.
        models = tuple(sorted(models, key=lambda name: _or_infinite(price_of(name, prices))))
    fastest = preference.selection_policy.prefer == "fastest"
    return RouteSettings(preference.name, preference.description, models, preference.examples, fastest)


def _channel(name: str, config: PlanoConfig) -> str:
    """The channel of a model that is named in any way: conversations are remembered by their channels."""
    providers = config.model_providers
    named = [each.model for each in providers if name in (each.model, each.name)]
    named += [each.model for each in providers if name == each.model_id and not each.is_wildcard]
    return named[0] if named else name


def _or_infinite(price: float | None) -> float:
    return float("inf") if price is None else price


def _all(models: Iterable[str], routes: Iterable[RoutingPreference]) -> list[str]:
    return list(dict.fromkeys([*models, *(model for route in routes for model in route.models)]))


def _remote(config: PlanoConfig) -> RemoteSettings | None:
    """The endpoint of `routing.remote`, or the channel that `overrides.llm_routing_model` names."""
    own = config.routing.remote
    if own is not None:
        base_url = own.base_url.rstrip("/")
        return RemoteSettings(
            url=f"{base_url}{'' if urlsplit(base_url).path else '/v1'}/chat/completions",
            model=own.model,
            key=None if own.access_key is None else own.access_key.get_secret_value(),
            name=f"routing.remote ({own.model})",
        )
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
