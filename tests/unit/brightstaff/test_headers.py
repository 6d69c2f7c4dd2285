"""brightstaff.headers: which headers go to a provider, and which come back."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.catalog import Target
from brightstaff.headers import (
    Header,
    added_to_request,
    client_credential,
    header_safe,
    provider_path,
    removed_from_request,
    removed_from_response,
)
from brightstaff.settings import Channel

NewChannel = Callable[..., Channel]

CHAT = "/chat/completions"


def added(channel: Channel, headers: list[Header] | None = None, suffix: str = CHAT, query: str = "") -> dict[str, str]:
    """What an attempt on this channel sets, by name."""
    return dict(added_to_request(Target(channel, channel.model), suffix, query, headers or [], 17))


@pytest.mark.parametrize(
    "name",
    [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "proxy-authenticate",
        "proxy-authorization",
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "forwarded",
        "via",
        "expect",
        "origin",
        "referer",
        "sec-fetch-site",
        "x-plano-channel",
        "x-plano-retry",
        "x-plano-request-id",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-attempt-count",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-arch-llm-provider-hint",
    ],
)
def test_what_a_provider_must_not_see(name: str) -> None:
    """Credentials, hop-by-hop headers, cookies, and what is Envoy's or ours, also when a client forged it."""
    assert [name] == removed_from_request([(name, "x")])


@pytest.mark.parametrize(
    "name",
    [
        ":method",
        ":path",
        ":authority",
        "content-type",
        "content-length",
        "transfer-encoding",
        "accept",
        "user-agent",
        "openai-organization",
        "anthropic-beta",
        "x-stainless-lang",
        "x-request-id",
        "traceparent",
        "x-planolike",
        "x-forwarded-proto",
    ],
)
def test_what_a_provider_may_see(name: str) -> None:
    """Everything else stays, also what Envoy itself needs: its framing, and the scheme until the route is chosen."""
    assert [] == removed_from_request([(name, "x")])


def test_headers_that_connection_names_are_removed() -> None:
    """RFC 9110, 7.6.1: they are for the first hop only. Each name is listed once."""
    headers = [("connection", "Close, X-Hop ,,"), ("x-hop", "1"), ("x-hop", "2"), ("x-other", "3"), ("close", "4")]
    assert ["close", "connection", "x-hop"] == removed_from_request(headers)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("authorization", "Bearer k")], "k"),
        ([("authorization", "bearer   k ")], "k"),
        ([("authorization", "k")], "k"),
        ([("authorization", "Basic dTpw")], "Basic dTpw"),
        ([("x-api-key", "k")], "k"),
        ([("api-key", "k")], "k"),
        ([("x-goog-api-key", "k")], "k"),
        ([("x-api-key", "other"), ("authorization", "Bearer k")], "k"),
        ([("x-goog-api-key", "g"), ("api-key", "a"), ("x-api-key", "k")], "k"),
        ([("x-api-key", ""), ("api-key", "k")], "k"),
        ([("authorization", "Bearer ")], None),
        ([("authorization", "Bearer")], None),
        ([("authorization", "")], None),
        ([("x-other", "k")], None),
        ([], None),
    ],
)
def test_the_clients_own_key_in_every_spelling(headers: list[Header], expected: str | None) -> None:
    """All spellings of the SDKs are understood; Authorization wins; an empty one is none."""
    assert expected == client_credential(headers)


def test_where_a_request_goes(new_channel: NewChannel) -> None:
    """Cluster, host, scheme, path, and the length of the body as it is sent."""
    expected = {
        "x-plano-channel": "cluster-one",
        ":authority": "one.example",
        ":scheme": "https",
        ":path": "/v1/chat/completions?a=b",
        "content-length": "17",
        "authorization": "Bearer secret-one",
    }
    assert expected == added(new_channel("one/m"), query="?a=b")


def test_the_channels_own_headers_win(new_channel: NewChannel) -> None:
    """Configured headers are set last, so that they go before what we would set; names in lower case."""
    channel = new_channel("one/m", headers={"X-Org": "o", "Authorization": "Custom x"})
    assert ("o", "Custom x") == (added(channel)["x-org"], added(channel)["authorization"])


@pytest.mark.parametrize(
    ("changes", "suffix", "expected"),
    [
        ({}, CHAT, ("authorization", "Bearer k")),
        ({"auth": "api-key"}, CHAT, ("api-key", "k")),
        ({"auth": "x-api-key"}, CHAT, ("x-api-key", "k")),
        ({"auth": "x-api-key", "interface": "anthropic"}, "/messages", ("x-api-key", "k")),
        ({"auth": "x-api-key", "interface": "anthropic"}, "/messages/count_tokens", ("x-api-key", "k")),
        ({"auth": "x-api-key", "interface": "anthropic"}, CHAT, ("authorization", "Bearer k")),
    ],
)
def test_the_key_in_the_form_that_the_provider_wants(
    new_channel: NewChannel, changes: dict[str, str], suffix: str, expected: Header
) -> None:
    """One of bearer token, x-api-key, api-key; Anthropic's OpenAI-compatible endpoints take a bearer token."""
    result = added(new_channel("one/m", key="k", **changes), suffix=suffix)
    credentials = {name: value for name, value in result.items() if name in ("authorization", "x-api-key", "api-key")}
    assert dict([expected]) == credentials


CLIENT_KEYS: list[Header] = [
    ("authorization", "Bearer mine"),
    ("authorization", "mine"),
    ("x-api-key", "mine"),
    ("api-key", "mine"),
    ("x-goog-api-key", "mine"),
]


@pytest.mark.parametrize("header", CLIENT_KEYS)
@pytest.mark.parametrize(
    ("changes", "suffix", "expected"),
    [
        ({}, CHAT, ("authorization", "Bearer mine")),
        ({"auth": "x-api-key", "interface": "anthropic"}, "/messages", ("x-api-key", "mine")),
        ({"auth": "x-api-key", "interface": "anthropic"}, CHAT, ("authorization", "Bearer mine")),
        ({"auth": "api-key"}, CHAT, ("api-key", "mine")),
    ],
)
def test_passthrough_translates_between_the_spellings(
    new_channel: NewChannel, header: Header, changes: dict[str, str], suffix: str, expected: Header
) -> None:
    """The client's key goes in the provider's form, whichever form the client used; ours does not."""
    channel = new_channel("one/m", passthrough_auth=True, **changes)
    result = added(channel, [header], suffix)
    assert expected in result.items()
    assert "secret-one" not in str(result)


def test_passthrough_leaves_other_schemes_alone(new_channel: NewChannel) -> None:
    """`Basic …` does not become `Bearer Basic …`."""
    channel = new_channel("one/m", passthrough_auth=True)
    assert "Basic dTpw" == added(channel, [("authorization", "Basic dTpw")])["authorization"]


@pytest.mark.parametrize("channel", [{"passthrough_auth": True}, {"key": None}])
def test_no_key_no_credential(new_channel: NewChannel, channel: dict[str, object]) -> None:
    """Without a key nothing is invented: neither for a local provider, nor for a client that sends none."""
    result = added(new_channel("one/m", **channel))
    assert {"authorization", "x-api-key", "api-key"}.isdisjoint(result)


def test_without_passthrough_the_clients_key_is_not_used(new_channel: NewChannel) -> None:
    """A channel without a key does not borrow the client's."""
    assert "mine" not in str(added(new_channel("one/m", key=None), [("authorization", "Bearer mine")]))


def test_anthropic_gets_its_version(new_channel: NewChannel) -> None:
    """The version is set where the client names none, and left alone where it does."""
    channel = new_channel("one/m", interface="anthropic", auth="x-api-key")
    assert "2023-06-01" == added(channel, suffix="/messages")["anthropic-version"]
    assert "anthropic-version" not in added(channel, [("anthropic-version", "2024-01-01")], "/messages")
    assert "anthropic-version" not in added(new_channel("one/m"))


@pytest.mark.parametrize(
    ("changes", "query", "expected"),
    [
        ({"path_prefix": ""}, "", "/chat/completions"),
        ({"path_prefix": "/api/v3"}, "?x=1", "/api/v3/chat/completions?x=1"),
        ({"path_prefix": "/openai/v1"}, "", "/openai/v1/chat/completions"),
        ({"path_prefix": "/v1"}, "?key=secret", "/v1/chat/completions"),
        ({"path_prefix": "/v1"}, "?a=1&API-KEY=secret&b=2&access_token=secret", "/v1/chat/completions?a=1&b=2"),
        ({"path_prefix": "/v1"}, "?monkey=1&key2=2", "/v1/chat/completions?monkey=1&key2=2"),
    ],
)
def test_the_path_at_the_provider(new_channel: NewChannel, changes: dict[str, str], query: str, expected: str) -> None:
    """The prefix of the channel before the endpoint's own path; a client's key in the query stays here."""
    assert expected == provider_path(Target(new_channel("one/m", **changes), "m"), CHAT, query)


@pytest.mark.parametrize(
    "name",
    ["x-plano-model", "x-plano-retry", "x-plano-local", "x-envoy-upstream-service-time", "alt-svc", "set-cookie", "te",
     "keep-alive", "upgrade", "trailer", "proxy-authenticate", "access-control-allow-origin"],
)  # fmt: skip
def test_what_a_client_must_not_see(name: str) -> None:
    """A provider cannot speak in our name, nor for this connection, nor set cookies for this host."""
    assert [name] == removed_from_response([(name, "x"), (name, "y")])


@pytest.mark.parametrize(
    "name",
    [":status", "content-type", "content-length", "connection", "retry-after", "x-request-id", "x-ratelimit-reset"],
)
def test_what_a_client_may_see(name: str) -> None:
    """Everything else comes back as the provider sent it."""
    assert [] == removed_from_response([(name, "x")])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prefix/model-1.0", "prefix/model-1.0"),
        ("a\r\nset-cookie: x", "a%0D%0Aset-cookie: x"),
        ("模", "%E6%A8%A1"),
        ("100%", "100%25"),
        ("\x7f\x00", "%7F%00"),
        ("\ud800", "%3F"),
        (" padded ", "padded"),
        ("", ""),
        ("x" * 300, "x" * 256),
    ],
)
def test_header_safe(text: str, expected: str) -> None:
    """Printable ASCII stays, everything else is percent-encoded; no line can be begun."""
    assert expected == header_safe(text)


@given(text=st.text(alphabet=st.characters(), max_size=400), limit=st.integers(0, 300))
def test_header_safe_holds_for_any_text(text: str, limit: int) -> None:
    """Never longer than the limit, never anything but printable ASCII, no space at either end."""
    value = header_safe(text, limit)
    assert len(value) <= limit
    assert all(" " <= character <= "~" for character in value)
    assert value.strip() == value


tokens = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)


@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from(["authorization", "x-api-key", "cookie", "connection", "x-plano-a", "x-envoy-b", "accept"])
            | tokens,
            st.text(st.characters(max_codepoint=255), max_size=20),
        ),
        max_size=8,
    )
)
def test_no_credential_of_a_client_is_ever_left(headers: list[Header]) -> None:
    """After the removal there is no credential and no internal header; only names that were there are removed."""
    removed = removed_from_request(headers)
    left = {name for name, _ in headers} - set(removed)
    assert set(removed) <= {name for name, _ in headers}
    assert left.isdisjoint({"authorization", "x-api-key", "api-key", "cookie", "connection"})
    assert not any(name.startswith(("x-plano-", "x-envoy-")) for name in left)
