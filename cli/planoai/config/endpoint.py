"""Where a channel really is: built-in knowledge, `base_url`, `http_host` and `provider_interface` put together."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from planoai.config.providers import AuthForm, BuiltinProvider, Interface, lookup
from planoai.config.schema import ModelProvider

_GENERIC = BuiltinProvider("", None)


@dataclass(frozen=True)
class Endpoint:
    """The address and the manners of one channel's provider."""

    scheme: Literal["http", "https"]
    #: Host to connect to (and name in the TLS handshake); an IPv6 address without brackets.
    host: str
    port: int
    #: What stands between the host and `/chat/completions`, e.g. `/v1`; without a trailing slash, may be empty.
    path_prefix: str
    #: Value of the `Host` header.
    authority: str
    interface: Interface
    auth: AuthForm


def profile_of(provider: ModelProvider) -> BuiltinProvider:
    """The row of the built-in table whose path, protocol and kind of key hold for `provider`.

    `provider_interface` decides where `base_url` is given; otherwise the prefix does.
    """
    by_prefix = lookup(provider.prefix)
    by_interface = lookup(provider.provider_interface) if provider.provider_interface else None
    if by_prefix is None or (by_interface is not None and provider.base_url is not None):
        return by_interface or by_prefix or _GENERIC
    if by_interface is not None and by_interface.base_url == by_prefix.base_url:
        return by_interface
    return by_prefix


def interface_agrees(provider: ModelProvider) -> bool:
    """False when `provider_interface` contradicts a built-in prefix and no `base_url` says what is meant."""
    by_prefix, interface = lookup(provider.prefix), provider.provider_interface
    if by_prefix is None or interface is None or provider.base_url is not None or interface == by_prefix.interface:
        return True
    named = lookup(interface)
    return named is not None and named.base_url is not None and named.base_url == by_prefix.base_url


def endpoint_of(provider: ModelProvider) -> Endpoint:
    """Where requests of `provider` go. The configuration must have passed `load_config`.

    Raises ValueError when there is neither a `base_url` nor a built-in one.
    """
    profile = profile_of(provider)
    base_url = provider.base_url or profile.base_url
    if base_url is None:
        raise ValueError(f"{provider.name} has no base_url")
    parts = urlsplit(base_url)
    scheme: Literal["http", "https"] = "http" if parts.scheme == "http" else "https"
    host = parts.hostname or ""
    return Endpoint(
        scheme=scheme,
        host=host,
        port=parts.port or (80 if scheme == "http" else 443),
        path_prefix=parts.path.rstrip("/") or profile.path_prefix,
        authority=provider.http_host or parts.netloc,
        interface=profile.interface,
        auth=profile.auth,
    )
