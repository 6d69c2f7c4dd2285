"""What the supervisor is given: the processes to run, and what the gateway serves. It reads no config.yaml."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec


class UnixSocketAccepts(msgspec.Struct, frozen=True, tag="unix_socket_accepts"):
    """Ready once a connection to this Unix socket is accepted."""

    path: Path


class HttpOk(msgspec.Struct, frozen=True, tag="http_ok"):
    """Ready once a GET of `url` (http only) is answered 200; over `unix_socket` when given."""

    url: str
    unix_socket: Path | None = None


ReadyCheck = UnixSocketAccepts | HttpOk


@dataclass(frozen=True)
class ProcessSpec:
    """One process to run and to keep running."""

    #: What status and messages call it: "envoy", "brightstaff", "brightstaff-1", "router". Unique within a gateway.
    name: str
    argv: tuple[str, ...]
    #: The complete environment of the process; nothing is added to it.
    env: Mapping[str, str] = field(repr=False)
    #: Standard output and error are appended here (created 0600).
    log_file: Path
    #: None: ready as soon as it runs.
    ready: ReadyCheck | None = None
    #: Written to its standard input, which is then closed. Carries keys: kept in memory only.
    stdin: bytes | None = field(default=None, repr=False)
    stop_signal: int = signal.SIGTERM
    #: After this long without an end, SIGKILL.
    stop_grace_s: float = 10.0
    #: Whether the gateway works without it. Then nothing waits for it, and its death at the start is no failure.
    optional: bool = False


@dataclass(frozen=True)
class Listener:
    """A port that clients talk to."""

    name: str
    address: str
    port: int


@dataclass(frozen=True)
class Channel:
    """A channel as it is shown; `key_name` is the name of the key's variable ("$CLAUDE_API_KEY"), never the key."""

    name: str
    base_url: str
    interface: str
    default: bool
    key_name: str | None
    wildcard: bool
    #: Under which brightstaff's ledger keeps what is held against the key; None: no key, or an older planoai.
    key_subject: str | None = None


class ListenerLike(Protocol):
    """What the supervisor needs to know of a compiled listener."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def address(self) -> str: ...  # noqa: D102
    @property
    def port(self) -> int: ...  # noqa: D102


class ChannelLike(Protocol):
    """What the supervisor shows of a compiled channel."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def base_url(self) -> str: ...  # noqa: D102
    @property
    def interface(self) -> str: ...  # noqa: D102
    @property
    def default(self) -> bool: ...  # noqa: D102
    @property
    def key_name(self) -> str | None: ...  # noqa: D102
    @property
    def wildcard(self) -> bool: ...  # noqa: D102
    @property
    def key_subject(self) -> str | None: ...  # noqa: D102


class GatewayLike(Protocol):
    """The shape of a compiled gateway. The supervisor depends on the shape, so its process needs no compiler loaded."""

    @property
    def config_path(self) -> Path: ...  # noqa: D102
    @property
    def processes(self) -> Sequence[ProcessSpec]: ...  # noqa: D102
    @property
    def listeners(self) -> Sequence[ListenerLike]: ...  # noqa: D102
    @property
    def channels(self) -> Sequence[ChannelLike]: ...  # noqa: D102
    @property
    def ready_urls(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def admin_socket(self) -> Path: ...  # noqa: D102
    @property
    def rotated_logs(self) -> Sequence[Path]: ...  # noqa: D102
    def write(self) -> None:
        """Write the files that the processes read; nothing of an older gateway runs any more."""


@dataclass(frozen=True)
class RunPlan:
    """All that the supervisor needs to run one gateway. Holds keys (`stdin` of the processes): never written out."""

    config_path: Path
    #: In start order; stopped in the reverse order.
    processes: tuple[ProcessSpec, ...]
    listeners: tuple[Listener, ...]
    channels: tuple[Channel, ...]
    #: Each must answer 200 before the gateway counts as started.
    ready_urls: tuple[str, ...]
    #: Envoy's admin interface.
    admin_socket: Path
    rotated_logs: tuple[Path, ...]

    @classmethod
    def from_gateway(cls, gateway: GatewayLike) -> Self:
        """The plan that runs `gateway`."""
        return cls(
            config_path=gateway.config_path,
            processes=tuple(gateway.processes),
            listeners=tuple(Listener(each.name, each.address, each.port) for each in gateway.listeners),
            channels=tuple(
                Channel(
                    name=each.name,
                    base_url=each.base_url,
                    interface=each.interface,
                    default=each.default,
                    key_name=each.key_name,
                    wildcard=each.wildcard,
                    key_subject=each.key_subject,
                )
                for each in gateway.channels
            ),
            ready_urls=tuple(gateway.ready_urls),
            admin_socket=gateway.admin_socket,
            rotated_logs=tuple(gateway.rotated_logs),
        )


def encode_plan(plan: RunPlan) -> bytes:
    """The plan for the pipe from `planoai up` to the supervisor. The bytes hold keys."""
    return msgspec.msgpack.encode(plan, enc_hook=_encode)


def decode_plan(data: bytes) -> RunPlan:
    """The plan that `encode_plan` wrote. Raises msgspec.DecodeError or msgspec.ValidationError for anything else."""
    return msgspec.msgpack.decode(data, type=RunPlan, dec_hook=_decode)


def _encode(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(type(value).__name__)


def _decode(wanted: type, value: Any) -> Any:
    if issubclass(wanted, Path):
        return Path(value)
    raise NotImplementedError(wanted.__name__)
