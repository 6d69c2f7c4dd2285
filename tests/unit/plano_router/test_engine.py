"""plano_router.engine: the backend that the settings ask for."""

import pytest

from plano_router.answer import RouterError
from plano_router.backends import AutoBackend, BuiltinBackend
from plano_router.engine import open_backend
from plano_router.remote import RemoteBackend
from plano_router.settings import RemoteSettings, RouterSettings, RouteSettings

REMOTE = RemoteSettings("http://127.0.0.1:9", "m")


def settings(backend: str, remote: RemoteSettings | None = None) -> RouterSettings:
    """Settings with one route."""
    return RouterSettings("/s", "/l", (RouteSettings("a", "writing code"),), backend=backend, remote=remote)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backend", "remote", "kind"),
    [
        ("builtin", None, BuiltinBackend),
        ("builtin", REMOTE, BuiltinBackend),
        ("auto", None, BuiltinBackend),
        ("auto", REMOTE, AutoBackend),
        ("remote", REMOTE, RemoteBackend),
    ],
)
async def test_the_backend(backend: str, remote: RemoteSettings | None, kind: type) -> None:
    """`auto` takes the best there is."""
    async with open_backend(settings(backend, remote)) as opened:
        assert isinstance(opened, kind)


@pytest.mark.parametrize("backend", ["remote", "llama"])
async def test_what_is_not_there(backend: str) -> None:
    """Is an error that says so."""
    with pytest.raises(RouterError, match=backend):
        async with open_backend(settings(backend)):
            pass
