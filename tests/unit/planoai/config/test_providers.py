"""The table of built-in providers is complete and consistent."""

from typing import get_args
from urllib.parse import urlsplit

import pytest

from planoai.config.providers import BUILTIN_PROVIDERS, BuiltinProvider, lookup
from planoai.config.schema import ProviderInterface

WITHOUT_BASE_URL = [
    "deepseek",
    "groq",
    "mistral",
    "openai",
    "xiaomi",
    "gemini",
    "anthropic",
    "together_ai",
    "xai",
    "moonshotai",
    "zhipu",
    "chatgpt",
    "digitalocean",
    "vercel",
    "openrouter",
    "edenai",
]
WITH_BASE_URL = ["azure_openai", "ollama", "qwen", "amazon_bedrock", "plano"]


@pytest.mark.parametrize("prefix", WITHOUT_BASE_URL)
def test_built_in_hosts(prefix: str) -> None:
    """These prefixes work without a base_url."""
    row = lookup(prefix)
    assert row is not None
    assert not row.needs_base_url


@pytest.mark.parametrize("prefix", WITH_BASE_URL)
def test_mandatory_base_url(prefix: str) -> None:
    """These prefixes are somewhere else for everybody."""
    row = lookup(prefix)
    assert row is not None
    assert row.needs_base_url


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("openai", "/v1"),
        ("groq", "/openai/v1"),
        ("zhipu", "/api/paas/v4"),
        ("gemini", "/v1beta/openai"),
        ("qwen", "/compatible-mode/v1"),
        ("openrouter", "/api/v1"),
        ("perplexity", ""),
    ],
)
def test_path_prefixes(prefix: str, path: str) -> None:
    """Providers with a path of their own have it."""
    assert path == BUILTIN_PROVIDERS[prefix].path_prefix


def test_anthropic() -> None:
    """Anthropic speaks its own protocol and wants its key in x-api-key."""
    row = BUILTIN_PROVIDERS["anthropic"]
    assert ("anthropic", "x-api-key") == (row.interface, row.auth)


@pytest.mark.parametrize("row", BUILTIN_PROVIDERS.values(), ids=lambda row: row.prefix)
def test_rows_are_well_formed(row: BuiltinProvider) -> None:
    """A base URL is https and has no path; a path begins with a slash and ends without one."""
    if row.base_url is not None:
        parts = urlsplit(row.base_url)
        assert ("https", "") == (parts.scheme, parts.path)
        assert parts.hostname
    assert row.path_prefix == "" or (row.path_prefix.startswith("/") and not row.path_prefix.endswith("/"))


def test_schema_knows_every_provider() -> None:
    """`provider_interface` may name any built-in provider, and nothing that is not in the table."""
    assert set(get_args(ProviderInterface)) == set(BUILTIN_PROVIDERS)


def test_unknown_prefix() -> None:
    """A prefix that is the user's own has no row."""
    assert lookup("custom") is None
