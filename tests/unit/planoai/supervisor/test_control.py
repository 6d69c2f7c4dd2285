"""The control socket."""

import asyncio
import socket

from planoai.home import PlanoHome
from planoai.supervisor.control import ask, control_socket, serve_control


async def answer() -> dict[str, int]:
    return {"pid": 7}


async def test_an_operation_is_answered(home: PlanoHome) -> None:
    """The result of the function of that name."""
    async with serve_control(control_socket(home), {"status": answer}):
        assert {"pid": 7} == await asyncio.to_thread(ask, home, "status")


async def test_an_unknown_operation_is_refused(home: PlanoHome) -> None:
    """The caller gets None; the socket goes on answering."""
    async with serve_control(control_socket(home), {"status": answer}):
        assert await asyncio.to_thread(ask, home, "dance") is None
        assert await asyncio.to_thread(ask, home, "status") is not None


async def test_lines_that_are_no_requests_are_answered(home: PlanoHome) -> None:
    """Rubbish gets an error, and the next line of the same connection its answer."""

    def talk() -> list[bytes]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(control_socket(home)))
            connection.sendall(b'nonsense\n{"op":"status"}\n')
            with connection.makefile("rb") as lines:
                return [lines.readline(), lines.readline()]

    async with serve_control(control_socket(home), {"status": answer}):
        first, second = await asyncio.to_thread(talk)

    assert b'"ok":false' in first
    assert b'{"ok":true,"result":{"pid":7}}\n' == second


async def test_the_socket_is_private_and_goes_away(home: PlanoHome) -> None:
    """0600 while it is there; a stale one is replaced."""
    path = control_socket(home)
    path.touch()
    async with serve_control(path, {}):
        assert 0o600 == path.stat().st_mode & 0o777

    assert not path.exists()


def test_nobody_answers(home: PlanoHome) -> None:
    """No socket, or one that nobody serves: None."""
    assert ask(home, "status") is None
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(control_socket(home)))

    assert ask(home, "status") is None
