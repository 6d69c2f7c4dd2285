"""Compiles a validated configuration: what Envoy needs (no secret) and what brightstaff needs (with the keys).

Pure. Name resolution of proxies and the search for CA certificates are passed in.
"""

import ipaddress
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from brightstaff.health import key_subjects
from brightstaff.settings import Backoff, Channel, RetryAfterHandling, RetrySettings, Settings, StatusRule, TimeoutRule
from brightstaff.settings import HighLatencyRule as HighLatencySettings
from plano_router.settings import LlamaSettings, RouterSettings
from planoai.config import HighLatencyRule, LoadedConfig, ModelProvider, RetryPolicy
from planoai.config.endpoint import Endpoint, endpoint_of
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.proxies import proxy_for
from planoai.rendering import ClusterView, EnvoyView, ListenerView, ProxyView, WorkerView
from planoai.routing import Prices, compile_router, compile_routing

#: Since this version ext_proc can leave Content-Length in place; without it requests go out in chunked encoding.
_KEEPS_CONTENT_LENGTH = (1, 38)

#: Envoy's limit of attempts lies above ours: brightstaff decides, Envoy carries out. The rest is for the time in which
#: brightstaff restarts: with the pauses of listeners.yaml.j2 about 15 seconds, longer than the supervisor ever waits.
_SPARE_RETRIES = 120


@dataclass(frozen=True)
class ListenerInfo:
    """A listener, for people."""

    name: str
    address: str
    port: int


@dataclass(frozen=True)
class ChannelInfo:
    """A channel, for people."""

    name: str
    base_url: str
    interface: str
    default: bool
    key_name: str | None
    wildcard: bool
    key_subject: str | None = None
    """Under which the ledger keeps what is held against its key; no secret."""


@dataclass(frozen=True)
class CompiledGateway:
    """Everything that follows from a configuration."""

    envoy: EnvoyView
    brightstaff: Settings
    """Of the first worker; the others differ in their socket."""
    router: RouterSettings | None
    """Of the process that decides by intent; None where there are no routes."""
    listeners: tuple[ListenerInfo, ...]
    channels: tuple[ChannelInfo, ...]


def compile_gateway(
    loaded: LoadedConfig,
    home: PlanoHome,
    *,
    envoy_version: tuple[int, ...],
    environ: Mapping[str, str],
    ca_file: str,
    resolve: Callable[[str], str],
    nonce: str,
    prices: Prices | None = None,
    llama: LlamaSettings | None = None,
) -> CompiledGateway:
    """Compile a configuration.

    `resolve` turns a proxy's host into an IP address; `nonce` is something that no provider can guess, fit for the
    name of a header; `prices` are those of `routing.price_file`, `llama` is the router's
    local model. Raises PlanoError.
    """
    config = loaded.config
    default_connect_s = config.overrides.upstream_connect_timeout
    clusters: list[ClusterView] = []
    channels: list[Channel] = []
    infos: list[ChannelInfo] = []
    for provider in config.model_providers:
        endpoint = endpoint_of(provider)
        key_name = loaded.key_names.get(provider.name)
        proxy = _proxy(provider, endpoint, environ)
        clusters.append(
            ClusterView(
                cluster=_cluster(provider),
                host=_ip_address(endpoint.host) or endpoint.host,
                port=endpoint.port,
                tls=endpoint.scheme == "https",
                is_ip_address=_ip_address(endpoint.host) is not None,
                connect_timeout=_duration(provider.timeouts.connect or default_connect_s),
                ca_file=ca_file,
                proxy=None if proxy is None else ProxyView(resolve(proxy.host), proxy.port),
            )
        )
        channels.append(_channel(provider, endpoint, config.policy_of(provider), key_name, proxy))
        infos.append(
            ChannelInfo(
                name=provider.model,
                base_url=f"{endpoint.scheme}://{endpoint.authority}{endpoint.path_prefix}",
                interface=endpoint.interface,
                default=provider.default,
                key_name=None if provider.passthrough_auth else key_name,
                wildcard=provider.is_wildcard,
            )
        )
    max_attempts = max(32, len(channels) + 8)
    view = EnvoyView(
        listeners=tuple(
            ListenerView(each.name, each.address, each.port, _duration(each.timeout), each.address == "::")
            for each in config.listeners
        ),
        channels=tuple(clusters),
        admin_socket=home.sockets / "envoy-admin.sock",
        workers=_workers(config.workers, home),
        resource_directory=home.run,
        access_log=home.logs / "access_llm.log",
        max_request_bytes=config.overrides.max_request_bytes,
        num_retries=max_attempts + _SPARE_RETRIES,
        local_header=f"x-plano-local-{nonce}",
        keep_content_length=envoy_version >= _KEEPS_CONTENT_LENGTH,
    )
    settings = Settings(
        socket=str(view.workers[0].socket),
        log_file=str(home.logs / "brightstaff.log"),
        ledger_file=str(home.ledger),
        decision_file=str(home.decisions),
        channels=tuple(channels),
        aliases={
            **{each.name: each.model for each in config.model_providers if each.name != each.model},
            **{alias: target.target for alias, target in config.model_aliases.items()},
        },
        max_request_bytes=config.overrides.max_request_bytes,
        max_attempts=max_attempts,
        local_header=view.local_header,
        allowed_origins=config.overrides.allowed_origins,
        routing=compile_routing(config, home, prices, ca_file),
    )
    listeners = tuple(ListenerInfo(each.name, each.address, each.port) for each in config.listeners)
    subjects = key_subjects(channels)
    shown = tuple(replace(each, key_subject=subjects.get(each.name)) for each in infos)
    router = compile_router(config, home, llama)
    return CompiledGateway(view, settings, router, listeners, shown)


def _workers(number: int, home: PlanoHome) -> tuple[WorkerView, ...]:
    """The brightstaff processes; a single one needs no number."""
    suffixes = [""] if number == 1 else [f"-{each}" for each in range(1, number + 1)]
    return tuple(
        WorkerView(f"brightstaff{suffix}", f"egress{suffix}", home.sockets / f"brightstaff{suffix}.sock")
        for suffix in suffixes
    )


def _cluster(provider: ModelProvider) -> str:
    """The channel's name in ASCII: it travels in a header. Different names stay different."""
    return quote(provider.model, safe=string.punctuation.replace("%", ""))


def _duration(seconds: float) -> str:
    """Never 0, which Envoy takes for "no limit" or refuses."""
    return f"{max(seconds, 0.001):.3f}s"


def _ip_address(host: str) -> str | None:
    """The address in its shortest spelling, with which Envoy compares those in certificates; None for a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


@dataclass(frozen=True)
class _Proxy:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _proxy(provider: ModelProvider, endpoint: Endpoint, environ: Mapping[str, str]) -> _Proxy | None:
    url = proxy_for(provider.proxy, endpoint.scheme, endpoint.host, endpoint.port, environ)
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme != "http" or "@" in parts.netloc:
        source = "of the environment (HTTPS_PROXY and the like)" if provider.proxy is None else "in config.yaml"
        # Not shown: it may hold a password.
        raise PlanoError(
            f"the proxy {source} for {provider.model} is not of a kind that works here",
            "Write proxy: http://host:port, without user and password; `proxy: direct` goes without the environment's.",
        )
    return _Proxy(host, port or 80)


def _channel(
    provider: ModelProvider, endpoint: Endpoint, policy: RetryPolicy | None, key_name: str | None, proxy: _Proxy | None
) -> Channel:
    return Channel(
        name=provider.model,
        prefix=provider.prefix,
        model=provider.model_id,
        interface=endpoint.interface,
        cluster=_cluster(provider),
        authority=endpoint.authority,
        path_prefix=quote(endpoint.path_prefix, safe=string.punctuation),
        scheme=endpoint.scheme,
        auth=endpoint.auth,
        key=None if provider.access_key is None else provider.access_key.get_secret_value(),
        key_name=key_name or "",
        # brightstaff holds header values as HTTP does, one character for each byte.
        headers={name: value.get_secret_value().encode().decode("latin-1") for name, value in provider.headers.items()},
        proxy=None if proxy is None else str(proxy),
        passthrough_auth=provider.passthrough_auth,
        default=provider.default,
        retry=None if policy is None else _retry(policy),
        first_token_timeout_s=provider.timeouts.first_token,
        idle_timeout_s=provider.timeouts.idle,
    )


def _high_latency(rule: HighLatencyRule) -> HighLatencySettings:
    return HighLatencySettings(
        threshold_s=rule.threshold_ms / 1000,
        measure=rule.measure,
        min_triggers=rule.min_triggers,
        window_s=None if rule.trigger_window_seconds is None else float(rule.trigger_window_seconds),
        block_duration_s=float(rule.block_duration_seconds),
    )


def _retry(policy: RetryPolicy) -> RetrySettings:
    default_strategy, default_max_attempts = policy.default_strategy, policy.default_max_attempts
    handling = policy.retry_after_handling
    on_timeout = policy.on_timeout
    return RetrySettings(
        fallback_models=policy.fallback_models,
        fallback_scope=policy.fallback_scope,
        default_strategy=default_strategy,
        default_max_attempts=default_max_attempts,
        on_status_codes=tuple(
            StatusRule(
                codes=tuple((low, high) for low, high in rule.codes),
                strategy=rule.strategy or default_strategy,
                max_attempts=rule.max_attempts or default_max_attempts,
            )
            for rule in policy.on_status_codes
        ),
        on_timeout=None
        if on_timeout is None
        else TimeoutRule(on_timeout.strategy or default_strategy, on_timeout.max_attempts or default_max_attempts),
        max_retry_duration_s=None if policy.max_retry_duration_ms is None else policy.max_retry_duration_ms / 1000,
        backoff=Backoff(
            apply_to=policy.backoff.apply_to,
            base_s=policy.backoff.base_ms / 1000,
            max_s=policy.backoff.max_ms / 1000,
            jitter=policy.backoff.jitter,
        ),
        retry_after=RetryAfterHandling(
            scope=handling.scope, apply_to=handling.apply_to, max_s=float(handling.max_retry_after_seconds)
        ),
        on_high_latency=None if policy.on_high_latency is None else _high_latency(policy.on_high_latency),
    )
