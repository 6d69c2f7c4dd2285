"""Ports that are taken, and by whom."""

import errno
import os
import socket
import subprocess
import sys

import pytest

from planoai.errors import PlanoError
from planoai.supervisor.ports import PortOwner, bind_error, check_ports, port_owners
from planoai.supervisor.spec import Listener


def listener(port: int = 12000, address: str = "127.0.0.1") -> Listener:
    return Listener("model_listener", address, port)


def failing(number: int):  # type: ignore[no-untyped-def]
    return lambda address, port: OSError(number, os.strerror(number))


def test_a_free_port_passes(free_port: int) -> None:
    """Nothing is left bound by the test."""
    check_ports([listener(free_port)])

    assert bind_error("127.0.0.1", free_port) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_found_although_both_would_share_it(address: str) -> None:
    """Envoy's SO_REUSEPORT would hide the conflict; the owner is named."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]

        with pytest.raises(PlanoError, match=rf"Port {port} of listener 'model_listener' .*\(pid {os.getpid()}\)"):
            check_ports([listener(port, address)])


def test_our_own_old_gateway_is_no_obstacle() -> None:
    """It is about to be replaced."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_ports([listener(server.getsockname()[1])], own_pids={os.getpid()})


def test_connections_in_time_wait_are_no_obstacle(free_port: int) -> None:
    """A listener that was just closed, with a connection that it closed first."""
    with (
        socket.create_server(("127.0.0.1", free_port)) as server,
        socket.create_connection(("127.0.0.1", free_port)) as client,
    ):
        accepted, _ = server.accept()
        accepted.close()
        assert b"" == client.recv(1)

    check_ports([listener(free_port)])


@pytest.mark.parametrize(
    ("number", "owners", "message", "remedy"),
    [
        (errno.EADDRINUSE, [PortOwner(1, "nginx")], "already in use by nginx (pid 1)", "Stop that program"),
        (errno.EADDRINUSE, [], "a process that this user may not see", "sudo ss -ltnp 'sport = :12000'"),
        (
            errno.EADDRINUSE,
            [PortOwner(1, "envoy", "/other")],
            "already in use by the Plano of /other",
            "PLANO_HOME=/other planoai down",
        ),
        (errno.EADDRINUSE, [PortOwner(1, "nginx"), PortOwner(2, "envoy")], "nginx (pid 1).", "another `port`"),
        (errno.EACCES, [], "may not be opened by this user", "1024 or above"),
        (errno.EADDRNOTAVAIL, [], "does not belong to this machine", "127.0.0.1"),
        (errno.EINVAL, [], "cannot be opened: Invalid argument", "`address` and `port`"),
    ],
)
def test_each_refusal_has_its_message(number: int, owners: list[PortOwner], message: str, remedy: str) -> None:
    """What happened, and what to do; processes of our own (pid 2) are not blamed."""
    with pytest.raises(PlanoError) as caught:
        check_ports([listener()], own_pids={2}, try_bind=failing(number), find_owners=lambda port: owners)

    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_an_address_of_nobody() -> None:
    """The real error of the system is understood (TEST-NET-1, RFC 5737)."""
    with pytest.raises(PlanoError, match="does not belong to this machine"):
        check_ports([listener(0, "192.0.2.1")])


def test_the_plano_of_another_home_is_recognised() -> None:
    """By the command line of the parent of the process that listens."""
    child = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    parent = f"import subprocess,sys; subprocess.run([sys.executable,'-S','-E','-c',{child!r}])"
    command = [sys.executable, "-S", "-E", "-c", parent, "planoai.supervisor", "--home", "/some/home"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())

        assert ["/some/home"] == [owner.plano_home for owner in port_owners(port)]
