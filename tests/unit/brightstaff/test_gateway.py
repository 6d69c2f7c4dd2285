"""brightstaff.gateway: what all attempts share."""

import json
from collections.abc import Callable

from brightstaff.gateway import Gateway
from brightstaff.settings import Channel


def test_it_has_what_the_settings_say(new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]) -> None:
    """Channels, aliases and limits arrive; nothing is under way."""
    gateway = new_gateway(new_channel("one/m"), aliases={"a": "one/m"}, max_request_bytes=5, max_attempts=7)
    assert ("one/m", 5, 7, 0) == (
        gateway.catalog.resolve("a").name,
        gateway.max_request_bytes,
        gateway.max_attempts,
        len(gateway.exchanges),
    )


def test_too_large_names_the_limit_and_the_setting(new_gateway: Callable[..., Gateway]) -> None:
    """A client learns how much is allowed and where it is configured."""
    error = new_gateway(max_request_bytes=12345).too_large()
    message = json.loads(error.body())["error"]["message"]
    assert (413, "request_too_large") == (error.status, error.code)
    assert "12345 bytes" in message
    assert "max_request_bytes" in message
