"""Turns a user's configuration into one that reaches only a simulated provider. Pure.

What decides about failover stays: channels, keys (which channels share one), policies, aliases. Endpoints, keys,
proxies and listeners are replaced, and time-outs are shortened.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pydantic import SecretStr

from planoai.chaos.kinds import FIRST_TOKEN_S, IDLE_S
from planoai.config import Listener, LoadedConfig, ModelProvider

_REFERENCE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
#: What stands before a reference: the key in the file, and the beginning of the value.
_BEFORE = re.compile(r"""(?:\b(?P<key>\w+)["']?\s*:\s*["']?)?(?P<begun>(?:\$\{[^}]*\}|[^\s"'{},\[\]])*)$""")
#: No key with its value's beginning is longer.
_LOOK_BACK = 300

_NO_HOST = "chaos.invalid"

#: What a wildcard is asked for.
WILDCARD_MODEL = "chaos-model"


def stand_ins(text: str, known: Iterable[str]) -> Mapping[str, str]:
    """Values for variables that a configuration names and nobody has set: no real key is needed.

    Each is valid where its variable is used first.
    """
    found: dict[str, str] = {}
    excluded = set(known)
    for reference in _REFERENCE.finditer(text):
        name = reference[1]
        if name not in excluded and name not in found:
            before = _BEFORE.search(text[max(reference.start() - _LOOK_BACK, 0) : reference.start()])
            found[name] = _stand_in(name, *(before.group("key", "begun") if before else ("", "")))
    return found


def _stand_in(name: str, key: str | None, begun: str) -> str:
    """A value for the variable `name`, used in the value of `key` after the text `begun`."""
    if key == "http_host":
        return _NO_HOST
    if begun.endswith("://"):
        return _NO_HOST
    if "://" in begun and begun.endswith(":"):
        return "443"
    if key == "base_url" and not begun:
        return f"https://{_NO_HOST}/{name}"
    if key == "proxy" and not begun:
        return "direct"
    return f"chaos-{name}"


def disguise(loaded: LoadedConfig, provider_url: str, port: int) -> LoadedConfig:
    """The configuration with a simulated provider behind every channel."""
    secrets: dict[str, str] = {}
    providers = tuple(
        _disguised(provider, f"{provider_url}{channel_path(number)}/v1", secrets)
        for number, provider in enumerate(loaded.config.model_providers)
    )
    listeners = (Listener(name="chaos", address="127.0.0.1", port=port),)
    overrides = loaded.config.overrides.model_copy(update={"upstream_tls_ca_path": None})
    return replace(
        loaded,
        config=loaded.config.with_changes(
            model_providers=providers, listeners=listeners, overrides=overrides, workers=1
        ),
    )


def _disguised(provider: ModelProvider, base_url: str, secrets: dict[str, str]) -> ModelProvider:
    key = None if provider.access_key is None else provider.access_key.get_secret_value()
    if key is not None:
        # Channels that share a key go on sharing one.
        key = secrets.setdefault(key, f"chaos-{len(secrets) + 1}")
    first_token = provider.timeouts.first_token
    timeouts = provider.timeouts.model_copy(
        update={
            "idle": min(provider.timeouts.idle, IDLE_S),
            "first_token": None if first_token is None else min(first_token, FIRST_TOKEN_S),
        }
    )
    return provider.model_copy(
        update={
            "base_url": base_url,
            "access_key": None if key is None else SecretStr(key),
            "http_host": None,
            "headers": {},
            "proxy": "direct",
            "timeouts": timeouts,
        }
    )


def channel_path(number: int) -> str:
    """What tells the channels apart at the provider, however their keys are shared."""
    return f"/channel-{number}"


def asked_model(provider: ModelProvider) -> str:
    """What a client asks for to reach this channel."""
    return f"{provider.prefix}/{WILDCARD_MODEL}" if provider.is_wildcard else provider.model
