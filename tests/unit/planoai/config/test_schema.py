"""The rules for single values, and the small questions that the models answer."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_core import PydanticCustomError

from planoai.config.introspection import objects
from planoai.config.schema import (
    DEFAULT_MAX_REQUEST_BYTES,
    CodeRange,
    Listener,
    ModelProvider,
    Overrides,
    PlanoConfig,
    RetryPolicy,
    StatusCodeRule,
    Timeouts,
    parse_codes,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (30, 30.0),
        (0.5, 0.5),
        ("30s", 30.0),
        ("500ms", 0.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        (" 1.5 s ", 1.5),
        ("7", 7.0),
    ],
)
def test_durations(written: object, seconds: float) -> None:
    """A number is seconds; a text may have a unit."""
    assert seconds == parse_duration(written)


@pytest.mark.parametrize(
    "written", [0, -1, True, "0s", "5 minutes", "", None, [], float("inf"), float("nan"), "1e3", "-5s"]
)
def test_no_durations(written: object) -> None:
    """Zero, negative, endless and unreadable durations are refused."""
    with pytest.raises(PydanticCustomError, match="duration"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [
        (1, 1),
        ("64MiB", DEFAULT_MAX_REQUEST_BYTES),
        ("64 mib", 67108864),
        ("10MB", 10_000_000),
        ("1.5k", 1500),
        ("1Ki", 1024),
        ("2G", 2_000_000_000),
        ("7B", 7),
    ],
)
def test_sizes(written: object, size_bytes: int) -> None:
    """A number is bytes; KiB, MiB and GiB count by 1024, KB, MB and GB by 1000."""
    assert size_bytes == parse_size(written)


@pytest.mark.parametrize("written", [0, -5, True, "0MB", "big", 1.5, None])
def test_no_sizes(written: object) -> None:
    """Zero, negative and unreadable sizes are refused."""
    with pytest.raises(PydanticCustomError, match="size"):
        parse_size(written)


@pytest.mark.parametrize(
    ("written", "expected", "text"),
    [
        (429, (429, 429), "429"),
        ("500-504", (500, 504), "500-504"),
        ("429", (429, 429), "429"),
        (" 500 - 504 ", (500, 504), "500-504"),
    ],
)
def test_codes(written: object, expected: tuple[int, int], text: str) -> None:
    """A code is a range of one; a range holds both its ends."""
    assert expected == parse_codes(written)
    assert text == str(parse_codes(written))
    assert parse_codes(written) == parse_codes(parse_codes(written))


@pytest.mark.parametrize("written", [99, 600, True, "5xx", "429,500", "504-500", "-429", None, 4.29])
def test_no_codes(written: object) -> None:
    """What is no HTTP status or runs backwards is refused."""
    with pytest.raises(PydanticCustomError):
        parse_codes(written)


def test_a_rule_matches_its_codes() -> None:
    """Both ends of a range belong to it."""
    rule = StatusCodeRule(codes=(CodeRange(429, 429), CodeRange(500, 504)))
    assert [429, 500, 504] == [status for status in (428, 429, 430, 499, 500, 504, 505) if rule.matches(status)]


def test_provider_names() -> None:
    """The prefix ends at the first slash; a channel without a name is called by its model."""
    provider = ModelProvider(model="openrouter/anthropic/claude")
    assert ("openrouter", "anthropic/claude", "openrouter/anthropic/claude", False) == (
        provider.prefix,
        provider.model_id,
        provider.name,
        provider.is_wildcard,
    )
    assert ModelProvider(model="openai/*").is_wildcard
    assert "main" == ModelProvider(model="openai/gpt", name="main").name


@pytest.mark.parametrize(
    "model", ["gpt", "/gpt", "openai/", "openai/gpt-*", "*/gpt", "*", "a b/c", "openai/g\u00a0pt", "a/b\x7f"]
)
def test_no_models(model: str) -> None:
    """A model is prefix/model without spaces; the only wildcard is prefix/*."""
    with pytest.raises(ValidationError):
        ModelProvider(model=model)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("localhost", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("::1", "::1"),
        ("[::]", "::"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_addresses(written: str, expected: str) -> None:
    """An address is an IP address in its usual form; localhost is one."""
    assert expected == Listener(address=written).address


def test_defaults() -> None:
    """What holds when config.yaml says nothing."""
    config = PlanoConfig()
    assert [("egress_traffic", "127.0.0.1", 12000, 3600.0)] == [
        (listener.name, listener.address, listener.port, listener.timeout) for listener in config.listeners
    ]
    policy = RetryPolicy()
    assert ("different_provider", 3, "all_providers", None) == (
        policy.default_strategy,
        policy.default_max_attempts,
        policy.fallback_scope,
        policy.max_retry_duration_ms,
    )
    assert ("same_model", 100, 5000, True) == (
        policy.backoff.apply_to,
        policy.backoff.base_ms,
        policy.backoff.max_ms,
        policy.backoff.jitter,
    )
    assert ("all", None, "auto", 2500) == (
        config.routing.apply_to,
        config.routing.min_confidence,
        config.routing.backend,
        config.routing.timeout_ms,
    )
    assert (5.0, None, 67108864) == (
        config.overrides.upstream_connect_timeout,
        config.overrides.upstream_tls_ca_path,
        config.overrides.max_request_bytes,
    )
    assert Timeouts() == ModelProvider(model="a/b").timeouts
    assert Overrides() == config.overrides


@pytest.mark.parametrize(
    ("written", "expected"), [("all_retries", "global"), ("global", "global"), ("same_provider", "same_provider")]
)
def test_all_retries_is_global(written: str, expected: str) -> None:
    """Both spellings of the widest back-off mean the same."""
    policy = RetryPolicy.model_validate({"backoff": {"apply_to": written}})
    assert expected == policy.backoff.apply_to


@pytest.mark.parametrize("written", ["direct", "none", " None "])
def test_no_proxy(written: str) -> None:
    """`none` and `direct` mean the same."""
    assert "direct" == ModelProvider(model="a/b", proxy=written).proxy


def test_prose_is_trimmed() -> None:
    """A folded YAML text ends in a newline that is no part of it."""
    config = PlanoConfig.model_validate(
        {"routing_preferences": [{"name": "code", "description": "writing code\n", "models": ["a/b"]}]}
    )
    assert "writing code" == config.routing_preferences[0].description


def test_policies() -> None:
    """A provider's own policy holds; without one, that of the file."""
    own, common = RetryPolicy(default_max_attempts=2), RetryPolicy(default_max_attempts=5)
    with_own, without = ModelProvider(model="a/b", retry_policy=own), ModelProvider(model="a/c", default=True)
    config = PlanoConfig(model_providers=(with_own, without), retry_policy=common)
    assert (own, common) == (config.policy_of(with_own), config.policy_of(without))
    assert config.default_provider == without
    assert PlanoConfig().default_provider is None


def test_secrets_are_not_in_texts() -> None:
    """Neither repr nor an error of the schema shows a key."""
    provider = ModelProvider(
        model="a/b", access_key=SecretStr("sk-secret-0001"), headers={"X-Token": SecretStr("sk-secret-0002")}
    )
    assert "sk-secret" not in repr(provider)
    wrong: dict[str, Any] = {
        "model": "b",
        "access_key": "sk-secret-0001",
        "headers": {"X": "sk-secret-0002"},
        "x": "sk-secret-3",
    }
    with pytest.raises(ValidationError) as caught:
        ModelProvider.model_validate(wrong)
    assert "sk-secret" not in str(caught.value)


def test_foreign_sections_are_not_kept() -> None:
    """Sections without effect may hold secrets of other programs, and are dropped."""
    config = PlanoConfig.model_validate({"state_storage": {"connection_string": "postgres://u:sk-secret@h/db"}})
    assert config.state_storage is None
    assert "state_storage" in config.model_fields_set


def test_every_key_is_described() -> None:
    """Each key of each object has a description that ends like a sentence."""
    missing = [
        f"{where}.{name}"
        for where, model in objects()
        for name, field in model.model_fields.items()
        if not (field.description or "").endswith(".")
    ]
    assert [] == missing
    assert [] == [model.__name__ for _, model in objects() if not model.__doc__]
