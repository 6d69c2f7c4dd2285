"""What follows from a configuration: clusters for Envoy, channels for brightstaff, names for people."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.settings import Backoff, HighLatencyRule, RetryAfterHandling, RetrySettings, StatusRule
from planoai.config_generator import ChannelInfo, CompiledGateway, ListenerInfo
from planoai.errors import PlanoError
from planoai.rendering import ClusterView, ListenerView, ProxyView

Compile = Callable[..., CompiledGateway]

HTTPS = {"model": "a/one", "base_url": "https://a.example", "access_key": "sk-a"}


def cluster(result: CompiledGateway) -> ClusterView:
    """The only cluster."""
    (found,) = result.envoy.channels
    return found


def test_one_cluster_for_each_channel(compiled: Compile) -> None:
    """Channels on one host never share one: other keys, ports and schemes stay apart."""
    base = {"provider_interface": "openai"}
    result = compiled(
        {"model": "a/one", "base_url": "https://host.example", "access_key": "sk-1", **base},
        {"model": "b/one", "base_url": "https://host.example", "access_key": "sk-2", **base},
        {"model": "c/one", "base_url": "https://host.example:8443", **base},
        {"model": "d/one", "base_url": "http://host.example", **base},
        {"model": "e/one", "base_url": "http://host.example:443", **base},
    )

    assert [
        ("a/one", "host.example", 443, True),
        ("b/one", "host.example", 443, True),
        ("c/one", "host.example", 8443, True),
        ("d/one", "host.example", 80, False),
        ("e/one", "host.example", 443, False),
    ] == [(each.cluster, each.host, each.port, each.tls) for each in result.envoy.channels]
    assert [each.cluster for each in result.envoy.channels] == [each.cluster for each in result.brightstaff.channels]


@pytest.mark.parametrize(
    ("base_url", "host", "is_ip_address"),
    [
        ("https://api.example", "api.example", False),
        ("https://API.Example", "api.example", False),
        ("http://localhost:8000", "localhost", False),
        ("https://192.0.2.7", "192.0.2.7", True),
        ("http://[::1]:8000", "::1", True),
        ("https://[2001:DB8:0:0::7]:8443", "2001:db8::7", True),
    ],
)
def test_hosts_and_addresses(compiled: Compile, base_url: str, host: str, is_ip_address: bool) -> None:
    """An address is known as such, without brackets and in its shortest spelling."""
    result = compiled({"model": "a/one", "base_url": base_url})

    assert (host, is_ip_address) == (cluster(result).host, cluster(result).is_ip_address)


def test_the_name_that_the_provider_is_told(compiled: Compile) -> None:
    """As written in base_url, brackets and port included; http_host instead where it is given."""
    result = compiled(
        {"model": "a/one", "base_url": "http://[::1]:8000/v1"},
        {"model": "b/one", "base_url": "https://b.example"},
        {"model": "c/one", "base_url": "https://192.0.2.7", "http_host": "inner.example:8443"},
    )

    authorities = [each.authority for each in result.brightstaff.channels]
    assert ["[::1]:8000", "b.example", "inner.example:8443"] == authorities
    assert ["http", "https", "https"] == [each.scheme for each in result.brightstaff.channels]


@pytest.mark.parametrize(
    ("base_url", "prefix"),
    [
        ("https://a.example", "/v1"),
        ("https://a.example/", "/v1"),
        ("https://a.example/v1", "/v1"),
        ("https://a.example/api/v2", "/api/v2"),
        ("https://a.example/api/v2/", "/api/v2"),
        ("https://a.example/模型/a%20b", "/%E6%A8%A1%E5%9E%8B/a%20b"),
    ],
)
def test_paths(compiled: Compile, base_url: str, prefix: str) -> None:
    """A path in base_url replaces /v1; it is written as it can stand in a request."""
    result = compiled({"model": "a/one", "base_url": base_url})

    assert prefix == result.brightstaff.channels[0].path_prefix


def test_a_built_in_provider(compiled: Compile) -> None:
    """Host, path, protocol and kind of key are known."""
    result = compiled(
        {"model": "anthropic/claude-opus-4-6", "access_key": "sk-a"}, {"model": "groq/llama", "access_key": "sk-g"}
    )
    anthropic, groq = result.brightstaff.channels

    assert ("api.anthropic.com", "/v1", "anthropic", "x-api-key") == (
        anthropic.authority,
        anthropic.path_prefix,
        anthropic.interface,
        anthropic.auth,
    )
    assert ("api.groq.com", "/openai/v1", "openai", "bearer") == (
        groq.authority,
        groq.path_prefix,
        groq.interface,
        groq.auth,
    )


def test_timeouts(compiled: Compile) -> None:
    """A channel's own; for connecting, else that of `overrides`; of a listener, its own."""
    own = {"timeouts": {"connect": "250ms", "first_token": "3s", "idle": "2m"}}
    result = compiled(
        {**HTTPS, **own},
        {**HTTPS, "model": "b/one"},
        overrides={"upstream_connect_timeout": 7},
        listeners=[{"name": "one", "port": 12000, "timeout": "5m"}, {"name": "two", "port": 12001, "timeout": "1h"}],
    )

    assert ["0.250s", "7.000s"] == [each.connect_timeout for each in result.envoy.channels]
    assert [(3.0, 120.0), (None, 600.0)] == [
        (each.first_token_timeout_s, each.idle_timeout_s) for each in result.brightstaff.channels
    ]
    assert ["300.000s", "3600.000s"] == [each.idle_timeout for each in result.envoy.listeners]


def test_a_timeout_is_never_zero(compiled: Compile) -> None:
    """Which would mean "no limit" to Envoy."""
    result = compiled({**HTTPS, "timeouts": {"connect": 0.0001}}, listeners=[{"timeout": 0.0001}])

    assert ("0.001s", "0.001s") == (cluster(result).connect_timeout, result.envoy.listeners[0].idle_timeout)


def test_overrides(compiled: Compile) -> None:
    """The largest request, for both who must know it; the origins of pages for brightstaff."""
    overrides = {"max_request_bytes": "3MiB", "allowed_origins": ["https://chat.example"]}
    result = compiled(HTTPS, overrides=overrides)

    assert 3 * 1024 * 1024 == result.envoy.max_request_bytes == result.brightstaff.max_request_bytes
    assert ("https://chat.example",) == result.brightstaff.allowed_origins


def test_listeners(compiled: Compile) -> None:
    """As configured; on `::` IPv4 clients are served, too."""
    result = compiled(
        HTTPS,
        listeners=[
            {"name": "all", "address": "::", "port": 12001},
            {"name": "here", "address": "localhost", "port": 12002},
        ],
    )

    assert (
        ListenerView("all", "::", 12001, "3600.000s", ipv4_compat=True),
        ListenerView("here", "127.0.0.1", 12002, "3600.000s", ipv4_compat=False),
    ) == result.envoy.listeners
    assert (ListenerInfo("all", "::", 12001), ListenerInfo("here", "127.0.0.1", 12002)) == result.listeners


def test_names_and_aliases(compiled: Compile) -> None:
    """A channel's own name and the aliases both lead to `prefix/model`."""
    result = compiled({**HTTPS, "name": "main"}, model_aliases={"fast": {"target": "a/one"}, "bare": {"target": "one"}})

    assert {"main": "a/one", "fast": "a/one", "bare": "one"} == result.brightstaff.aliases
    assert "a/one" == result.brightstaff.channels[0].name


def test_wildcards(compiled: Compile) -> None:
    """`prefix/*` is one channel with one cluster."""
    result = compiled({"model": "w/*", "base_url": "https://w.example"})
    (channel,) = result.brightstaff.channels

    assert ("w/*", "w", "*", True) == (channel.name, channel.prefix, channel.model, channel.is_wildcard)
    assert "w/*" == channel.cluster == cluster(result).cluster
    assert result.channels[0].wildcard


def test_retry_policies(compiled: Compile) -> None:
    """Rules inherit from their policy; a channel without a policy has the file's."""
    policy = {
        "fallback_models": ["b/one"],
        "default_strategy": "same_provider",
        "default_max_attempts": 4,
        "on_status_codes": [
            {"codes": [401, "502-504"], "strategy": "different_provider", "max_attempts": 2},
            {"codes": [429]},
        ],
    }
    result = compiled(
        {**HTTPS, "retry_policy": policy},
        {**HTTPS, "model": "b/one"},
        retry_policy={"fallback_models": ["a/one"]},
    )

    expected = RetrySettings(
        fallback_models=("b/one",),
        default_strategy="same_provider",
        default_max_attempts=4,
        on_status_codes=(
            StatusRule(((401, 401), (502, 504)), "different_provider", 2),
            StatusRule(((429, 429),), "same_provider", 4),
        ),
    )
    assert expected == result.brightstaff.channels[0].retry
    assert RetrySettings(fallback_models=("a/one",)) == result.brightstaff.channels[1].retry


def test_waits_and_slowness(compiled: Compile) -> None:
    """Milliseconds become seconds; what is not said stays at its default."""
    policy = {
        "backoff": {"base_ms": 250, "max_ms": 8000, "jitter": False, "apply_to": "all_retries"},
        "retry_after_handling": {"scope": "provider", "apply_to": "request", "max_retry_after_seconds": 60},
        "on_high_latency": {
            "threshold_ms": 1500,
            "measure": "total",
            "min_triggers": 3,
            "trigger_window_seconds": 90,
            "block_duration_seconds": 30,
        },
        "max_retry_duration_ms": 2500,
    }
    found = compiled({**HTTPS, "retry_policy": policy}).brightstaff.channels[0].retry

    assert found is not None
    assert Backoff("global", 0.25, 8.0, jitter=False) == found.backoff
    assert RetryAfterHandling("provider", "request", 60.0) == found.retry_after
    assert HighLatencyRule(1.5, "total", 3, 90.0, 30.0) == found.on_high_latency
    assert 2.5 == found.max_retry_duration_s
    slow = compiled({**HTTPS, "retry_policy": {"on_high_latency": {"threshold_ms": 100}}}).brightstaff.channels[0].retry
    assert slow is not None
    assert HighLatencyRule(0.1) == slow.on_high_latency


def test_no_policy(compiled: Compile) -> None:
    """Then nothing is retried."""
    assert compiled(HTTPS).brightstaff.channels[0].retry is None


def test_attempts_are_limited_above_the_number_of_channels(compiled: Compile) -> None:
    """Every channel can be tried, and Envoy's own limit never comes first."""
    few = compiled(HTTPS)
    many = compiled(*({**HTTPS, "model": f"a/{number}"} for number in range(60)))

    assert (32, 68) == (few.brightstaff.max_attempts, many.brightstaff.max_attempts)
    assert few.envoy.num_retries > few.brightstaff.max_attempts
    assert many.envoy.num_retries > many.brightstaff.max_attempts


def test_keys_headers_and_defaults(compiled: Compile) -> None:
    """Keys and headers go to brightstaff, with the name by which messages call the key."""
    result = compiled(
        {**HTTPS, "access_key": "$KEY", "default": True, "headers": {"X-Team": "$TEAM"}},
        {**HTTPS, "model": "b/one", "access_key": "sk-literal"},
        {"model": "c/one", "base_url": "https://c.example"},
        {"model": "d/one", "base_url": "https://d.example", "passthrough_auth": True},
        environ={"KEY": "sk-secret", "TEAM": "搜索"},
    )
    first, *others = result.brightstaff.channels

    assert ("sk-secret", "$KEY", True) == (first.key, first.key_name, first.default)
    assert "搜索" == first.headers["X-Team"].encode("latin-1").decode()
    assert ["sk-literal", None, None] == [each.key for each in others]
    assert [False, False, True] == [each.passthrough_auth for each in others]
    assert ["$KEY", "literal key", "no key", None] == [each.key_name for each in result.channels]


def test_what_people_are_shown(compiled: Compile) -> None:
    """Name, URL with the path, protocol."""
    result = compiled({**HTTPS, "base_url": "http://[::1]:9000/api", "default": True})

    shown = ChannelInfo("a/one", "http://[::1]:9000/api", "openai", True, "literal key", False, "key of a/one")
    assert (shown,) == result.channels


def test_which_channels_share_a_key(compiled: Compile) -> None:
    """What is held against a key has one name for all its channels; it is the name of the key, not the key."""
    result = compiled(
        {**HTTPS, "access_key": "$KEY"},
        {**HTTPS, "model": "b/same", "access_key": "sk-secret"},
        {"model": "c/none", "base_url": "https://c.example"},
        environ={"KEY": "sk-secret"},
    )

    assert ["key $KEY", "key $KEY", None] == [each.key_subject for each in result.channels]


@pytest.mark.parametrize(
    ("version", "keeps"), [((1, 37, 0), False), ((1, 37, 5), False), ((1, 38, 0), True), ((1, 40, 0), True)]
)
def test_content_length_is_kept_where_envoy_can(compiled: Compile, version: tuple[int, ...], keeps: bool) -> None:
    """1.37 has no such setting and would refuse it."""
    assert keeps == compiled(HTTPS, envoy_version=version).envoy.keep_content_length


def test_files_and_sockets_are_in_the_home(compiled: Compile) -> None:
    """Everything under `run`; both sides mean the same socket and the same header."""
    result = compiled(HTTPS)
    view, settings = result.envoy, result.brightstaff

    assert "/home/someone/.plano/run" == str(view.resource_directory)
    assert "/home/someone/.plano/run/envoy-admin.sock" == str(view.admin_socket)
    assert "/home/someone/.plano/run/brightstaff.sock" == str(view.workers[0].socket) == settings.socket
    assert "/home/someone/.plano/run/logs/access_llm.log" == str(view.access_log)
    assert "/home/someone/.plano/run/logs/brightstaff.log" == settings.log_file
    assert "x-plano-local-0123456789abcdef" == view.local_header == settings.local_header


# --- Proxies ---------------------------------------------------------------------------------------------------------


def test_no_proxy(compiled: Compile) -> None:
    """Nothing is resolved, nothing is asked."""
    assert cluster(compiled(HTTPS)).proxy is None


@pytest.mark.parametrize(
    ("own", "environ", "expected"),
    [
        ({"proxy": "http://proxy.example:3128"}, {}, ProxyView("192.0.2.1", 3128)),
        ({"proxy": "http://proxy.example:3128"}, {"NO_PROXY": "*"}, ProxyView("192.0.2.1", 3128)),
        ({}, {"HTTPS_PROXY": "http://other-proxy.example:8080"}, ProxyView("2001:db8::1", 8080)),
        ({}, {"https_proxy": "proxy.example"}, ProxyView("192.0.2.1", 80)),
        ({}, {"HTTPS_PROXY": "http://proxy.example:1", "NO_PROXY": "a.example"}, None),
        ({"proxy": "direct"}, {"HTTPS_PROXY": "http://proxy.example:1"}, None),
    ],
)
def test_proxy_of_a_channel(
    compiled: Compile, own: dict[str, Any], environ: dict[str, str], expected: ProxyView | None
) -> None:
    """Its own, else the environment's; Envoy is given an address."""
    assert expected == cluster(compiled({**HTTPS, **own}, environ=environ)).proxy


def test_messages_name_the_proxy(compiled: Compile) -> None:
    """As it was written: brightstaff says on which way a provider could not be reached."""
    channels = compiled(
        {**HTTPS, "proxy": "http://proxy.example:3128"},
        {**HTTPS, "model": "b/one", "proxy": "http://[2001:db8::1]:8080"},
        {**HTTPS, "model": "c/one"},
    ).brightstaff.channels

    assert ["proxy.example:3128", "[2001:db8::1]:8080", None] == [each.proxy for each in channels]


@pytest.mark.parametrize(
    "url",
    [
        "https://proxy.example:443",
        "socks5://proxy.example:1080",
        "http://user:hush@proxy.example:3128",
        "http://hush@proxy.example:3128",
        "http://:80",
        "http://proxy.example:hush",
        "http://[::1",
    ],
)
def test_a_proxy_of_the_environment_that_cannot_be_used(compiled: Compile, url: str) -> None:
    """The channel and the remedy are named, and not the URL: it may hold a password."""
    with pytest.raises(PlanoError, match=r"proxy of the environment .* for a/one is not of a kind") as caught:
        compiled(HTTPS, environ={"HTTPS_PROXY": url})

    assert "proxy: direct" in caught.value.remedy
    assert "hush" not in str(caught.value)


# --- Names that nobody expects ---------------------------------------------------------------------------------------

model_names = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="*/"), min_size=1, max_size=30)


@given(first=model_names, second=model_names)
def test_names_of_clusters_can_stand_in_a_header(compiled: Compile, first: str, second: str) -> None:
    """Printable ASCII without spaces, and different for different models."""
    models = {f"{first}/{second}", f"{second}/{first}"}
    result = compiled(*({"model": model, "base_url": "https://a.example"} for model in sorted(models)))
    names = [each.cluster for each in result.envoy.channels]

    assert len(models) == len(set(names))
    assert all(" " < character <= "~" for name in names for character in name)
