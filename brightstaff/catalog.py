"""From the model that a client names to the channel that serves it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from brightstaff.settings import Channel


@dataclass(frozen=True)
class Target:
    """A channel and the bare model name that it is asked for."""

    channel: Channel
    model: str

    @property
    def name(self) -> str:
        """`prefix/model`: the channel's name, with a wildcard filled in."""
        return f"{self.channel.prefix}/{self.model}" if self.channel.is_wildcard else self.channel.name


class UnknownModelError(LookupError):
    """No channel serves the model, and there is no default channel."""


class Catalog:
    """The configured channels under all their names.

    Look-up order: exact name, alias, `prefix/*` of a configured prefix, bare model name (the first channel that
    declares it), default channel.
    """

    def __init__(self, channels: Iterable[Channel], aliases: Mapping[str, str]) -> None:
        self.channels = tuple(channels)
        self.aliases = dict(aliases)
        self.default = next((channel for channel in self.channels if channel.default), None)
        self._exact = {channel.name: channel for channel in self.channels if not channel.is_wildcard}
        self._wildcards = {channel.prefix: channel for channel in self.channels if channel.is_wildcard}
        self._bare: dict[str, Channel] = {}
        for channel in self.channels:
            if not channel.is_wildcard:
                self._bare.setdefault(channel.model, channel)

    def resolve(self, asked: str | None) -> Target:
        """The target for what the client named. Raises UnknownModelError."""
        target = None if asked is None else self.find(asked)
        if target is not None and target.model != "*":  # `prefix/*` itself is listed, but is no model
            return target
        if self.default is None:
            raise UnknownModelError(asked)
        return Target(self.default, self.default.model)

    def find(self, name: str) -> Target | None:
        """The target of exactly this name, alias or bare model name; None when nothing of that name is configured."""
        if name in self._exact or name not in self.aliases:
            return self._named(name)
        return self._named(self.aliases[name])

    def _named(self, name: str) -> Target | None:
        channel = self._exact.get(name)
        if channel is not None:
            return Target(channel, channel.model)
        prefix, slash, model = name.partition("/")
        wildcard = self._wildcards.get(prefix)
        if slash and model and wildcard is not None:
            return Target(wildcard, model)
        channel = self._bare.get(name)
        return None if channel is None else Target(channel, channel.model)

    def names(self) -> list[str]:
        """What `GET /v1/models` lists: channels in the order of the configuration, then aliases."""
        return [channel.name for channel in self.channels] + [
            alias for alias in self.aliases if alias not in self._exact
        ]

    def owner(self, name: str) -> str | None:
        """The prefix that serves a listed name; None if it is not listed."""
        target = self.find(name)
        return None if target is None else target.channel.prefix
