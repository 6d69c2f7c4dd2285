"""Rules between values: what the table of broken configurations does not show, above all what is *not* a mistake."""

from typing import Any

import pytest

from planoai.config.checks import Names, check
from planoai.config.schema import PlanoConfig


def findings_of(*providers: dict[str, Any], **sections: Any) -> list[tuple[str, str]]:
    config = PlanoConfig.model_validate({"model_providers": list(providers), **sections})
    return [(finding.severity, finding.message) for finding in check(config)]


def channel(model: str, **values: Any) -> dict[str, Any]:
    return {"model": model, "base_url": "https://h", **values}


def test_one_model_under_several_prefixes_is_normal() -> None:
    """The same bare model in several channels is no mistake."""
    assert [] == findings_of(channel("a/m"), channel("b/m"), channel("c/m"))


def test_wildcards_declare_their_models() -> None:
    """Routes, aliases and fallbacks may use any model of a wildcard's prefix."""
    assert [] == findings_of(
        channel("a/*"),
        channel("b/m", retry_policy={"fallback_models": ["a/x"]}),
        model_aliases={"fast": {"target": "a/y"}},
        routing_preferences=[{"name": "code", "description": "d", "models": ["a/z", "m"]}],
    )


def test_names_declare_channels() -> None:
    """A channel may be named by its name as well as by its model."""
    assert [] == findings_of(
        channel("a/m", name="main"),
        channel("b/m", retry_policy={"fallback_models": ["main"]}),
        model_aliases={"fast": {"target": "main"}},
    )


def test_alias_of_a_bare_model_may_have_its_name() -> None:
    """An alias may say which of several channels a bare model means."""
    assert [] == findings_of(channel("a/m"), channel("b/m"), model_aliases={"m": {"target": "b/m"}})


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.example.com",
        "http://localhost:8000",
        "http://127.0.0.1:8000/v1",
        "http://[::1]:8000",
        "https://h/api/v2/",
        "http://my_service:80",
        "https://xn--bcher-kva.example",
        "https://host.docker.internal:443/a/b/c",
    ],
)
def test_good_base_urls(base_url: str) -> None:
    """Names, addresses, ports and paths of all kinds are good."""
    assert [] == findings_of({"model": "custom/m", "base_url": base_url})


@pytest.mark.parametrize(
    "base_url",
    [
        "https://",
        "https://-h",
        "https://h:0",
        "https://[::1",
        "https://h h",
        "https://h/\x00",
        "http://1.2.3",
        "https://h/v1?",
        "https://h/#",
        "h:80",
        "",
    ],
)
def test_bad_base_urls(base_url: str) -> None:
    """Whatever could not be connected to is refused."""
    assert "error" in [severity for severity, _ in findings_of({"model": "custom/m", "base_url": base_url})]


@pytest.mark.parametrize(
    ("http_host", "good"),
    [
        ("h", True),
        ("h:8080", True),
        ("[::1]:80", True),
        ("h/x", False),
        ("", False),
        ("u@h", False),
        ("h:x", False),
        ("h:0", False),
    ],
)
def test_http_host(http_host: str, good: bool) -> None:
    """`http_host` is a host with or without a port."""
    assert good == (findings_of(channel("a/m", http_host=http_host)) == [])


@pytest.mark.parametrize(
    ("proxy", "good"),
    [
        ("http://p:3128", True),
        ("http://[::1]:3128/", True),
        ("direct", True),
        ("none", True),
        ("p:3128", False),
        ("http://p:3128/x", False),
        ("https://p:1", False),
        ("http://p:x", False),
        ("", False),
    ],
)
def test_proxy(proxy: str, good: bool) -> None:
    """A proxy is http://host:port, or none."""
    assert good == (findings_of(channel("a/m", proxy=proxy)) == [])


@pytest.mark.parametrize(
    "provider",
    [
        {"model": "openai/m", "access_key": "k"},
        {"model": "openai/m", "passthrough_auth": True},
        {"model": "openai/m", "headers": {"Authorization": "Bearer k"}},
        {"model": "openai/m", "base_url": "http://127.0.0.1:1"},
        {"model": "ollama/m", "base_url": "http://127.0.0.1:1"},
        {"model": "custom/m", "base_url": "https://h"},
    ],
)
def test_no_word_about_the_key(provider: dict[str, Any]) -> None:
    """A key is asked for only where requests without one are refused for certain."""
    assert [] == findings_of(provider)


@pytest.mark.parametrize(
    "provider",
    [
        {"model": "openai/m"},
        {"model": "openai/m", "access_key": ""},
        {"model": "azure_openai/m", "base_url": "https://h"},
    ],
)
def test_missing_key(provider: dict[str, Any]) -> None:
    """A built-in provider that wants a key is not going to answer without one."""
    ((severity, message),) = findings_of(provider)
    assert "warning" == severity
    assert "there is no key" in message


@pytest.mark.parametrize(
    ("one", "two", "clash"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "0.0.0.0", False),
        ("127.0.0.1", "127.0.0.2", False),
    ],
)
def test_listeners_on_one_port(one: str, two: str, clash: bool) -> None:
    """One port on two addresses is fine unless one address covers the other."""
    listeners = [{"name": "a", "address": one}, {"name": "b", "address": two}]
    assert clash == (findings_of(channel("a/m"), listeners=listeners) != [])


@pytest.mark.parametrize(
    ("policy", "others", "warnings"),
    [
        # The recommended shape: two fallbacks, three attempts.
        ({"fallback_models": ["b/m", "c/m"], "default_max_attempts": 3}, ["b/m", "c/m"], 0),
        ({"default_max_attempts": 4}, ["b/m", "c/m"], 1),
        # A default number of attempts is nobody's mistake.
        ({}, ["b/m"], 0),
        ({}, [], 1),
        ({"default_max_attempts": 1}, [], 0),
        ({"default_strategy": "same_model", "default_max_attempts": 9}, [], 0),
        ({"default_strategy": "same_provider"}, ["b/m"], 1),
        ({"default_strategy": "same_provider"}, ["a/n"], 0),
        ({"default_strategy": "same_provider", "default_max_attempts": 3}, ["a/n", "b/m"], 1),
        (
            {"fallback_scope": "fallback_list_only", "fallback_models": ["b/m"], "default_max_attempts": 3},
            ["b/m", "c/m"],
            1,
        ),
        ({"fallback_scope": "fallback_list_only"}, ["b/m"], 1),
        ({"on_status_codes": [{"codes": [429], "max_attempts": 9}]}, ["b/m"], 1),
        ({"on_status_codes": [{"codes": [429]}]}, ["b/m"], 0),
        ({"on_timeout": {"max_attempts": 2}}, ["b/m"], 0),
        ({"default_max_attempts": 9}, ["b/*"], 0),
    ],
)
def test_reach(policy: dict[str, Any], others: list[str], warnings: int) -> None:
    """Attempts and strategies that can never be used are told, and only these."""
    found = findings_of(channel("a/m", retry_policy=policy), *(channel(other) for other in others))
    assert ["warning"] * warnings == [severity for severity, _ in found]


def test_reach_is_not_judged_without_all_providers() -> None:
    """While providers are missing because of mistakes, nothing is said about how far attempts go."""
    config = PlanoConfig.model_validate({"model_providers": [channel("a/m", retry_policy={})]})
    assert [] == check(config, lost_providers=True)
    assert 1 == len(check(config))


def test_broken_providers_are_declared() -> None:
    """The name of a provider with mistakes of its own is not said to be undeclared."""
    config = PlanoConfig.model_validate(
        {
            "model_providers": [channel("a/m", retry_policy={"fallback_models": ["b/m"]})],
            "model_aliases": {"fast": {"target": "m2"}},
        }
    )
    assert [] == check(config, frozenset({"b/m", "c/m2"}), lost_providers=True)


@pytest.mark.parametrize(
    ("codes", "overlaps"),
    [
        ([[429], [429]], 1),
        ([[429, "428-430"]], 1),
        ([["500-504"], ["505-510"]], 0),
        ([["500-504"], ["504-510"]], 1),
        ([[429, 503]], 0),
    ],
)
def test_overlapping_codes(codes: list[list[int | str]], overlaps: int) -> None:
    """A code that is named twice is told; neighbours are not the same."""
    policy = {"on_status_codes": [{"codes": entry} for entry in codes]}
    assert overlaps == len(findings_of(channel("a/m", retry_policy=policy), channel("b/m")))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("gpt", "Did you mean `a/gpt`?"),
        ("x/gpt", "Did you mean `a/gpt`?"),
        ("a/gtp", "Did you mean `a/gpt`?"),
        ("fast", "`fast` is an alias; write what it stands for: `a/gpt`."),
        ("zzz", "Add it to `model_providers`, or write one of: a/gpt, b/claude."),
    ],
)
def test_remedies_for_names(name: str, remedy: str) -> None:
    """An unknown name is met with the nearest known one."""
    config = PlanoConfig.model_validate(
        {
            "model_providers": [channel("a/gpt"), channel("b/claude")],
            "model_aliases": {"fast": {"target": "a/gpt"}},
        }
    )
    assert remedy == Names.of(config).remedy(name, full_only=True)
