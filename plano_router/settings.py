"""What the router process is told at start: one JSON document on standard input, written by planoai.

It may carry the key of a remote router, so it exists in memory and in a pipe only.
"""

from typing import Literal

import msgspec


class RouteSettings(msgspec.Struct, frozen=True):
    """A route of the configuration."""

    name: str
    description: str
    examples: tuple[str, ...] = ()


class RemoteSettings(msgspec.Struct, frozen=True):
    """A language model behind an OpenAI-compatible endpoint."""

    url: str
    """Of its chat completions."""
    model: str
    key: str | None = None
    headers: dict[str, str] = {}
    name: str = ""
    """What messages call it."""

    def __repr__(self) -> str:
        return f"RemoteSettings({self.name!r})"


class LlamaSettings(msgspec.Struct, frozen=True):
    """A language model on this machine, run by llama.cpp."""

    model: str
    """Path of the GGUF file."""
    gpu_layers: int | None = None
    """So many layers go to the graphics processor; None: all, where llama.cpp was built for one."""


class RouterSettings(msgspec.Struct, frozen=True):
    """The whole hand-over."""

    socket: str
    log_file: str
    routes: tuple[RouteSettings, ...]
    backend: Literal["auto", "builtin", "llama", "remote"] = "auto"
    sure: float = 0.6
    """With `auto`: the builtin router's answer stands when its best route has at least this probability."""
    timeout_s: float = 2.5
    context_tokens: int = 8192
    """How much of a conversation a language model is given."""
    remote: RemoteSettings | None = None
    llama: LlamaSettings | None = None
    log_level: str = "info"


def decode_settings(document: bytes) -> RouterSettings:
    """Read the hand-over. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(document, type=RouterSettings)


def encode_settings(settings: RouterSettings) -> bytes:
    """Write the hand-over."""
    return msgspec.json.encode(settings)
