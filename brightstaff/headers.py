"""Which headers go to a provider, and which come back. Pure.

A client's credentials, hop-by-hop headers (RFC 9110, section 7.6.1) and everything that is Envoy's or ours stay here.
"""

from collections.abc import Iterable, Sequence

from brightstaff.catalog import Target
from brightstaff.settings import Channel

Header = tuple[str, str]

#: RFC 9110, section 7.6.1, and the older ones of RFC 2616, section 13.5.1. Envoy owns transfer-encoding; it may not
#: be touched.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "proxy-authenticate",
        "proxy-authorization",
    }
)
#: Every header in which a client may carry a key: the official SDKs', Azure's and Google's spellings.
_CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
#: Google's, Azure's and OAuth's (RFC 6750, section 2.3) spellings of a key in a query.
_QUERY_CREDENTIALS = frozenset({"key", "api_key", "api-key", "apikey", "access_token"})
#: What a browser says about its session and page is for this host, not for a provider.
_PRIVATE = frozenset({"cookie", "forwarded", "via", "expect", "origin", "referer"})
#: Envoy looks for a route only while this header is there; the route removes it.
_REMOVED_BY_ROUTE = "x-forwarded-proto"
_INTERNAL_PREFIXES = ("x-plano-", "x-envoy-", "x-forwarded-", "x-arch-", "sec-fetch-")

#: The version that Anthropic's API wants named, https://docs.anthropic.com/en/api/versioning.
_ANTHROPIC_VERSION = "2023-06-01"


def removed_from_request(headers: Iterable[Header]) -> list[str]:
    """Names of the client's headers that a provider must not see."""
    present = list(headers)
    named_by_connection = {
        token.strip().lower()
        for name, value in present
        if name == "connection"
        for token in value.split(",")
        if token.strip()
    }
    return sorted(
        {
            name
            for name, _ in present
            if name != _REMOVED_BY_ROUTE
            and (
                name in _HOP_BY_HOP
                or name in _CREDENTIALS
                or name in _PRIVATE
                or name in named_by_connection
                or name.startswith(_INTERNAL_PREFIXES)
            )
        }
    )


def client_credential(headers: Iterable[Header]) -> str | None:
    """The key that the client sent, without its scheme; Authorization wins over the other spellings."""
    found = {name: value for name, value in headers if name in _CREDENTIALS}
    authorization = found.get("authorization")
    if authorization is not None:
        scheme, _, rest = authorization.partition(" ")
        return (rest.strip() if scheme.lower() == "bearer" else authorization.strip()) or None
    return next((found[name] for name in ("x-api-key", "api-key", "x-goog-api-key") if found.get(name)), None)


def added_to_request(
    target: Target, suffix: str, query: str, headers: Sequence[Header], body_bytes: int
) -> list[Header]:
    """What an attempt on `target` sets.

    Where it goes, its key in the form that the provider wants, the channel's own headers.
    """
    channel = target.channel
    added: list[Header] = [
        ("x-plano-channel", channel.cluster),
        (":authority", channel.authority),
        (":scheme", channel.scheme),
        (":path", provider_path(target, suffix, query)),
        ("content-length", str(body_bytes)),
    ]
    key = client_credential(headers) if channel.passthrough_auth else channel.key
    if key is not None:
        added.append(_credential(channel, suffix, key))
    if channel.interface == "anthropic" and not any(name == "anthropic-version" for name, _ in headers):
        added.append(("anthropic-version", _ANTHROPIC_VERSION))
    added += [(name.lower(), value) for name, value in channel.headers.items()]
    return added


def provider_path(target: Target, suffix: str, query: str) -> str:
    """The request target at the provider. Keys that a client put into the query stay here, like those in headers."""
    if query:
        kept = [pair for pair in query[1:].split("&") if pair.partition("=")[0].lower() not in _QUERY_CREDENTIALS]
        query = f"?{'&'.join(kept)}" if kept else ""
    return f"{target.channel.path_prefix}{suffix}{query}"


def _credential(channel: Channel, suffix: str, key: str) -> Header:
    # Anthropic's OpenAI-compatible endpoints take a bearer token, its own ones x-api-key.
    openai_form = (
        channel.auth == "x-api-key" and channel.interface == "anthropic" and not suffix.startswith("/messages")
    )
    if channel.auth == "bearer" or openai_form:
        # No token has a space in it (RFC 6750, 2.1): that is a client's own scheme, such as Basic, passed through.
        return ("authorization", key if " " in key else f"Bearer {key}")
    return (channel.auth, key)


def removed_from_response(headers: Iterable[Header]) -> list[str]:
    """Names of the provider's headers that a client must not take for ours or for this connection's."""
    return sorted(
        {
            name
            for name, _ in headers
            if (name in _HOP_BY_HOP and name != "connection")
            or name.startswith(("x-plano-", "x-envoy-", "access-control-"))
            or name in ("alt-svc", "set-cookie")
        }
    )


def header_safe(text: str, limit: int = 256) -> str:
    """`text` as a header value: printable ASCII, everything else percent-encoded, cut at `limit` characters."""
    encoded = "".join(
        c if " " <= c <= "~" and c != "%" else "".join(f"%{b:02X}" for b in c.encode("utf-8", "replace"))
        for c in text[:limit]
    )
    return encoded[:limit].strip()
