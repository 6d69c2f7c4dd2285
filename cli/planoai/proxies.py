"""Which HTTP proxy a channel uses: its own, or the environment's. Pure."""

import ipaddress
from collections.abc import Mapping
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # documented nowhere, used everywhere


def proxy_for(configured: str | None, scheme: str, host: str, port: int, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL, or None to connect directly.

    `configured` is the channel's own `proxy` key; without it HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY count,
    in lower case first, as curl reads them. A provider on this machine is never reached through the environment's
    proxy.
    """
    if configured is not None:
        return None if configured in ("direct", "none", "") else configured
    if _is_loopback(host):
        return None
    names = (f"{scheme}_proxy", "all_proxy")
    url = next((value for name in names for value in (_variable(environ, name),) if value), None)
    if not url:
        return None
    no_proxy = _variable(environ, "no_proxy")
    if no_proxy and (proxy_bypass_environment(f"{host}:{port}", {"no": no_proxy}) or _in_networks(host, no_proxy)):
        return None
    return url if "://" in url else f"http://{url}"


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    lower = environ.get(name)
    return lower if lower is not None else environ.get(name.upper())


def _in_networks(host: str, no_proxy: str) -> bool:
    """Whether `host` is an address within one of the networks (10.0.0.0/8) of NO_PROXY."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in no_proxy.split(","):
        try:
            network = ipaddress.ip_network(entry.strip().strip("[]"), strict=False)
        except ValueError:
            continue
        if address in network:
            return True
    return False


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
