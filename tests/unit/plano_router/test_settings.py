"""plano_router.settings: the hand-over."""

import msgspec
import pytest

from plano_router.settings import RemoteSettings, RouterSettings, RouteSettings, decode_settings, encode_settings


def test_round_trip() -> None:
    """Everything arrives, the key among it, which no text shows."""
    remote = RemoteSettings("http://x", "m", key="sk-1", name="a/m")
    settings = RouterSettings("/s", "/l", (RouteSettings("a", "b", ("c",)),), remote=remote)
    assert settings == decode_settings(encode_settings(settings))
    assert "sk-1" not in repr(settings)


def test_nonsense_is_refused() -> None:
    """A backend that there is not."""
    with pytest.raises(msgspec.ValidationError):
        decode_settings(b'{"socket":"s","log_file":"l","routes":[],"backend":"magic"}')
