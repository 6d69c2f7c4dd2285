"""brightstaff.origins: pages of this machine and installed applications yes, other sites no."""

import pytest

from brightstaff.origins import OriginPolicy, preflight_headers, response_headers


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost", True),
        ("http://localhost:5173", True),
        ("https://tauri.localhost", True),
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:3000", True),
        ("app://obsidian.md", True),
        ("vscode-webview://abc", True),
        ("chrome-extension://abc", True),
        ("https://chat.example.com", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://10.0.0.5:12000", False),
        ("null", False),
        ("", False),
        ("http://[", False),
        ("https://ok.example.com", True),
        ("https://OK.example.com", True),
    ],
)
def test_origins(origin: str, allowed: bool) -> None:
    """What may be served without asking, and what must be configured."""
    assert allowed == OriginPolicy(["https://ok.example.com/"]).allows(origin)


def test_any_origin() -> None:
    """`*` opens it, for who wants that."""
    assert OriginPolicy(["*"]).allows("https://anywhere.example.com")


def test_headers_for_the_page() -> None:
    """The page may read the answer; without an Origin nothing is added."""
    assert response_headers(None) == []
    assert ("access-control-allow-origin", "http://localhost") in response_headers("http://localhost")
    assert ("access-control-allow-methods", "POST, OPTIONS") in preflight_headers(("POST",))
