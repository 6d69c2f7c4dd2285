"""Which proxy a channel is reached through."""

import pytest

from planoai.proxies import proxy_for

PROXY = "http://proxy.example:3128"
OTHER = "http://other.example:3128"


def https(environ: dict[str, str], host: str = "api.example", port: int = 443) -> str | None:
    """The proxy for an https provider without a `proxy` of its own."""
    return proxy_for(None, "https", host, port, environ)


def test_none() -> None:
    """Without any setting: directly."""
    assert https({}) is None


@pytest.mark.parametrize(
    "environ", [{}, {"HTTPS_PROXY": OTHER}, {"NO_PROXY": "*"}, {"HTTPS_PROXY": OTHER, "no_proxy": "*"}]
)
def test_the_channels_own_wins(environ: dict[str, str]) -> None:
    """Whatever the environment says, NO_PROXY included; also for a provider on this machine."""
    assert PROXY == proxy_for(PROXY, "https", "api.example", 443, environ)
    assert PROXY == proxy_for(PROXY, "http", "127.0.0.1", 8000, environ)


@pytest.mark.parametrize("configured", ["direct", "none", ""])
def test_direct(configured: str) -> None:
    """The environment's proxy is left alone."""
    assert proxy_for(configured, "https", "api.example", 443, {"HTTPS_PROXY": PROXY, "ALL_PROXY": PROXY}) is None


@pytest.mark.parametrize(
    ("scheme", "environ", "expected"),
    [
        ("https", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https", {"https_proxy": PROXY}, PROXY),
        ("https", {"https_proxy": PROXY, "HTTPS_PROXY": OTHER}, PROXY),
        ("https", {"HTTP_PROXY": PROXY}, None),
        ("https", {"ALL_PROXY": PROXY}, PROXY),
        ("https", {"all_proxy": PROXY}, PROXY),
        ("https", {"HTTPS_PROXY": PROXY, "all_proxy": OTHER}, PROXY),
        ("https", {"HTTPS_PROXY": ""}, None),
        ("https", {"https_proxy": "", "HTTPS_PROXY": PROXY}, None),
        ("http", {"HTTP_PROXY": PROXY}, PROXY),
        ("http", {"http_proxy": PROXY}, PROXY),
        ("http", {"HTTPS_PROXY": PROXY}, None),
        ("http", {"ALL_PROXY": PROXY}, PROXY),
        ("https", {"HTTPS_PROXY": "proxy.example:3128"}, PROXY),
    ],
)
def test_the_environments(scheme: str, environ: dict[str, str], expected: str | None) -> None:
    """One for each scheme and one for all, lower case first, empty means none; a proxy without a scheme is http."""
    assert expected == proxy_for(None, scheme, "api.example", 443, environ)


@pytest.mark.parametrize("host", ["localhost", "ollama.localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_this_machine_is_never_reached_through_the_environments(host: str) -> None:
    """No proxy could: its loopback is another one."""
    assert https({"HTTPS_PROXY": PROXY}, host) is None


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("api.example", "api.example", True),
        ("API.Example", "api.example", True),
        ("example", "api.example", True),
        (".example", "api.example", True),
        ("other.example, api.example", "api.example", True),
        ("*", "api.example", True),
        ("api.example:443", "api.example", True),
        ("api.example:8443", "api.example", False),
        ("pi.example", "api.example", False),
        ("api.example.com", "api.example", False),
        ("", "api.example", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.70", "192.0.2.7", False),
        ("192.0.2.0/24", "192.0.2.7", True),
        ("10.0.0.0/8, 192.0.2.9/24", "192.0.2.7", True),
        ("10.0.0.0/8", "192.0.2.7", False),
        ("2001:db8::/32", "2001:db8::7", True),
        ("[2001:db8::7]", "2001:db8::7", True),
        ("2001:db8::/32", "192.0.2.7", False),
        ("192.0.2.0/24", "api.example", False),
        ("192.0.2.0/99", "192.0.2.7", False),
    ],
)
def test_no_proxy(no_proxy: str, host: str, direct: bool) -> None:
    """Names with what is below them, ports, addresses, networks; in both spellings of the variable."""
    expected = None if direct else PROXY

    assert expected == https({"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}, host)
    assert expected == https({"HTTPS_PROXY": PROXY, "no_proxy": no_proxy}, host)


def test_no_proxy_in_lower_case_first() -> None:
    """As for the proxies themselves."""
    environ = {"HTTPS_PROXY": PROXY, "no_proxy": "other.example", "NO_PROXY": "api.example"}

    assert PROXY == https(environ)
