"""Whether the listeners' ports are free, and if not, who has them.

Envoy binds with SO_REUSEPORT: two of them on one port would both start, and share the clients between them. So the test
is made here, without that option.
"""

import errno
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import psutil

from planoai.errors import PlanoError
from planoai.supervisor.spec import ListenerLike


@dataclass(frozen=True)
class PortOwner:
    """A process that listens on a port. `plano_home` is set when it belongs to a Plano."""

    pid: int
    name: str
    plano_home: str | None = None


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now. Raises OSError when there is none."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bind_error(address: str, port: int) -> OSError | None:
    """Why a listener could not be bound there; None when it can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of a former listener that are in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address, port))
            # On some systems only listening finds the conflict.
            probe.listen(1)
        except OSError as error:
            return error
    return None


def port_owners(port: int) -> list[PortOwner]:
    """The processes that listen on a TCP port, as far as this user may know; empty when it may not."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        # macOS lets only root list them.
        return []
    pids = {
        each.pid
        for each in connections
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid is not None
    }
    return [owner for owner in map(_owner, sorted(pids)) if owner is not None]


def check_ports(
    listeners: Iterable[ListenerLike],
    *,
    own_pids: Collection[int] = (),
    try_bind: Callable[[str, int], OSError | None] = bind_error,
    find_owners: Callable[[int], Sequence[PortOwner]] = port_owners,
) -> None:
    """Raise PlanoError for the first listener whose port cannot be had.

    Ports that only `own_pids` hold are fine: they belong to the gateway that is about to be replaced.
    """
    for listener in listeners:
        error = try_bind(listener.address, listener.port)
        if error is None:
            continue
        owners = find_owners(listener.port) if error.errno == errno.EADDRINUSE else []
        if owners and all(owner.pid in own_pids for owner in owners):
            continue
        raise _explain(listener, error, [owner for owner in owners if owner.pid not in own_pids])


def _explain(listener: ListenerLike, error: OSError, owners: Sequence[PortOwner]) -> PlanoError:
    where = f"listener {listener.name!r} ({listener.address})"
    port = listener.port
    match error.errno:
        case errno.EADDRINUSE:
            other_port = f"give {listener.name!r} another `port` in the configuration"
            plano = next((owner.plano_home for owner in owners if owner.plano_home), None)
            if plano:
                by, first = f"the Plano of {plano}", f"Stop that one (PLANO_HOME={plano} planoai down)"
            elif owners:
                by = ", ".join(f"{owner.name} (pid {owner.pid})" for owner in owners)
                first = "Stop that program"
            else:
                by = "a process that this user may not see"
                first = f"Find it (sudo ss -ltnp 'sport = :{port}') and stop it"
            return PlanoError(f"Port {port} of {where} is already in use by {by}.", f"{first}, or {other_port}.")
        case errno.EACCES | errno.EPERM:
            return PlanoError(
                f"Port {port} of {where} may not be opened by this user.", "Choose a `port` of 1024 or above."
            )
        case errno.EADDRNOTAVAIL:
            return PlanoError(
                f"The address of {where} does not belong to this machine.",
                "Set its `address` to 127.0.0.1 (this machine only), 0.0.0.0 (all) or another one of this machine.",
            )
        case _:
            return PlanoError(
                f"Port {port} of {where} cannot be opened: {error.strerror or error}.",
                "Correct `address` and `port` of this listener in the configuration.",
            )


def _owner(pid: int) -> PortOwner | None:
    try:
        process = psutil.Process(pid)
        name = process.name()
    except psutil.Error:
        return None
    try:
        parent = process.parent()
        command = parent.cmdline() if parent is not None else []
    except psutil.Error:
        command = []
    home = None
    if "planoai.supervisor" in command and "--home" in command[:-1]:
        home = command[command.index("--home") + 1]
    return PortOwner(pid=pid, name=name, plano_home=home)
