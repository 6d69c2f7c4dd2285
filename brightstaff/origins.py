"""Which web pages may use the gateway. Pure.

A page of any site can make the visitor's browser send requests to `http://localhost:12000`, and the gateway would put
the user's keys into them. Browsers name the page in `Origin` (RFC 6454, and
https://fetch.spec.whatwg.org/#origin-header); other clients send no such header. So pages of this machine and
applications built on web views are served, other sites only when configured.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from brightstaff.headers import Header


class OriginPolicy:
    """Decides about the `Origin` of a request. `allowed` are further origins, or `*` for any."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(each.rstrip("/").lower() for each in allowed)

    def allows(self, origin: str) -> bool:
        """Whether a page of this origin may use the gateway."""
        if "*" in self._allowed or origin.lower() in self._allowed:
            return True
        try:
            parts = urlsplit(origin)
            host = parts.hostname or ""
        except ValueError:
            return False
        if parts.scheme not in ("http", "https"):
            # app://, tauri://, vscode-webview://, chrome-extension://: installed by the user. `null` has no scheme:
            # that is what any site gets by way of a sandboxed frame.
            return bool(parts.scheme)
        return host == "localhost" or host.endswith(".localhost") or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def response_headers(origin: str | None) -> list[Header]:
    """What lets the page read the answer, and our headers on it."""
    if origin is None:
        return []
    return [("access-control-allow-origin", origin), ("access-control-expose-headers", "*")]


def preflight_headers(methods: tuple[str, ...]) -> list[Header]:
    """The answer to a preflight of an origin that is allowed, beside `response_headers`."""
    named = ", ".join((*methods, "OPTIONS"))
    return [
        ("allow", named),
        ("access-control-allow-methods", named),
        ("access-control-allow-headers", "authorization, content-type, *"),
        ("access-control-allow-private-network", "true"),
        ("access-control-max-age", "600"),
    ]
