"""What the tests of brightstaff share: channels, settings, gateways."""

from collections.abc import Callable
from typing import Any

import hypothesis
import pytest

from brightstaff.gateway import Gateway
from brightstaff.settings import Channel, Settings

# The machine that runs the tests is shared: how long one example takes says nothing, and all of them shall be quick.
hypothesis.settings.register_profile("shared-machine", deadline=None, max_examples=60)
hypothesis.settings.load_profile("shared-machine")


def _channel(name: str = "one/m", **changes: Any) -> Channel:
    """A channel of this name; its cluster, host and key are told by its prefix."""
    prefix, _, model = name.partition("/")
    fields: dict[str, Any] = {
        "name": name,
        "prefix": prefix,
        "model": model,
        "interface": "openai",
        "cluster": f"cluster-{prefix}",
        "authority": f"{prefix}.example",
        "path_prefix": "/v1",
        "key": f"secret-{prefix}",
        "key_name": f"${prefix.upper()}_KEY",
    }
    return Channel(**(fields | changes))


def _settings(*channels: Channel, **changes: Any) -> Settings:
    fields: dict[str, Any] = {"socket": "/nowhere/socket", "log_file": "/nowhere/log", "channels": channels}
    return Settings(**(fields | changes))


@pytest.fixture(scope="session")
def new_channel() -> Callable[..., Channel]:
    """Makes a channel: name `prefix/model`, and any of its other fields."""
    return _channel


@pytest.fixture(scope="session")
def new_settings() -> Callable[..., Settings]:
    """Makes the hand-over for these channels, and any of its other fields."""
    return _settings


@pytest.fixture(scope="session")
def new_gateway() -> Callable[..., Gateway]:
    """Makes a gateway with these channels, and any other field of the settings."""
    return lambda *channels, **changes: Gateway(_settings(*channels, **changes))
