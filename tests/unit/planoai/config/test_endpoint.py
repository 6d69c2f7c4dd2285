"""From a provider's entry to host, port, path, protocol and kind of key."""

from typing import Any

import pytest

from planoai.config.endpoint import Endpoint, endpoint_of, interface_agrees
from planoai.config.schema import ModelProvider


def endpoint(model: str, **values: Any) -> Endpoint:
    return endpoint_of(ModelProvider.model_validate({"model": model, **values}))


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("https://h", "/v1"),
        ("https://h/", "/v1"),
        ("https://h/v1", "/v1"),
        ("https://h/v1/", "/v1"),
        ("https://h/api/v2", "/api/v2"),
    ],
)
def test_path_of_base_url(base_url: str, path: str) -> None:
    """A path replaces the built-in one; a slash alone is no path."""
    assert path == endpoint("custom/m", base_url=base_url).path_prefix


@pytest.mark.parametrize(
    ("base_url", "scheme", "host", "port", "authority"),
    [
        ("https://h", "https", "h", 443, "h"),
        ("http://h", "http", "h", 80, "h"),
        ("http://127.0.0.1:8000/v1", "http", "127.0.0.1", 8000, "127.0.0.1:8000"),
        ("https://[::1]:8443", "https", "::1", 8443, "[::1]:8443"),
        ("HTTPS://API.Example.com", "https", "api.example.com", 443, "API.Example.com"),
    ],
)
def test_address(base_url: str, scheme: str, host: str, port: int, authority: str) -> None:
    """Scheme, host and port come from base_url; IPv6 without brackets."""
    found = endpoint("custom/m", base_url=base_url)
    assert (scheme, host, port, authority) == (found.scheme, found.host, found.port, found.authority)


def test_http_host() -> None:
    """`http_host` is the Host header; the connection goes to base_url."""
    found = endpoint("custom/m", base_url="https://10.0.0.1", http_host="api.example.com")
    assert ("10.0.0.1", "api.example.com") == (found.host, found.authority)


@pytest.mark.parametrize(
    ("model", "values", "path", "interface", "auth"),
    [
        ("openai/m", {}, "/v1", "openai", "bearer"),
        ("openai/m", {"provider_interface": "openai"}, "/v1", "openai", "bearer"),
        ("openai/m", {"provider_interface": "openai_responses"}, "/v1", "openai_responses", "bearer"),
        ("groq/m", {}, "/openai/v1", "openai", "bearer"),
        ("groq/m", {"provider_interface": "openai"}, "/openai/v1", "openai", "bearer"),
        ("anthropic/m", {}, "/v1", "anthropic", "x-api-key"),
        ("anthropic/m", {"base_url": "https://h", "provider_interface": "openai"}, "/v1", "openai", "bearer"),
        ("custom/m", {"base_url": "https://h"}, "/v1", "openai", "bearer"),
        ("custom/m", {"base_url": "https://h", "provider_interface": "anthropic"}, "/v1", "anthropic", "x-api-key"),
        ("custom/m", {"base_url": "https://h", "provider_interface": "zhipu"}, "/api/paas/v4", "openai", "bearer"),
        ("custom/m", {"provider_interface": "mistral"}, "/v1", "openai", "bearer"),
        ("azure_openai/m", {"base_url": "https://h"}, "/openai/v1", "openai", "api-key"),
        ("openai/m", {"base_url": "https://h"}, "/v1", "openai", "bearer"),
    ],
)
def test_manners(model: str, values: dict[str, Any], path: str, interface: str, auth: str) -> None:
    """The interface decides where a base_url is given, otherwise the prefix."""
    found = endpoint(model, **values)
    assert (path, interface, auth) == (found.path_prefix, found.interface, found.auth)


def test_no_address() -> None:
    """An unknown prefix without a base_url leads nowhere."""
    with pytest.raises(ValueError, match="has no base_url"):
        endpoint("custom/m")


@pytest.mark.parametrize(
    ("model", "values", "expected"),
    [
        ("openai/m", {"provider_interface": "openai_responses"}, True),
        ("groq/m", {"provider_interface": "groq"}, True),
        ("groq/m", {"provider_interface": "openai"}, True),
        ("groq/m", {"provider_interface": "mistral"}, False),
        ("anthropic/m", {"provider_interface": "openai"}, False),
        ("anthropic/m", {"provider_interface": "openai", "base_url": "https://h"}, True),
        ("ollama/m", {"provider_interface": "qwen"}, False),
        ("custom/m", {"provider_interface": "anthropic"}, True),
    ],
)
def test_interface_agrees(model: str, values: dict[str, Any], expected: bool) -> None:
    """An interface fits a built-in prefix when it says the same, or when a base_url says where it is."""
    assert expected == interface_agrees(ModelProvider.model_validate({"model": model, **values}))
