"""What end-to-end tests share: homes, running gateways, waiting for a condition."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from brightstaff.ledger import forget_conditions

T = TypeVar("T")

PLANOAI = (sys.executable, "-P", "-m", "planoai")


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Home:
    """A home of its own: the processes started in it see no other file of this user, and no key of this environment."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a command."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PLANO_ENVOY") if name in os.environ}
        return {**kept, "HOME": str(self.root), **self.variables}

    @property
    def logs(self) -> Path:
        """Where the logs are."""
        return self.root / ".plano" / "run" / "logs"

    def planoai(self, *arguments: str, timeout_s: float = 90) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*PLANOAI, *arguments],
            env=self.environ,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file in this home."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path


@dataclass
class RunningGateway:
    """A gateway that answers."""

    home: Home
    port: int

    @property
    def url(self) -> str:
        """Without /v1."""
        return f"http://127.0.0.1:{self.port}"

    def access_log(self) -> str:
        """All lines of access_llm.log so far."""
        path = self.home.logs / "access_llm.log"
        return path.read_text() if path.exists() else ""

    def brightstaff_log(self) -> str:
        """All lines of brightstaff.log so far."""
        return (self.home.logs / "brightstaff.log").read_text()

    def processes(self) -> dict[str, psutil.Process]:
        """What the supervisor runs now, by name."""
        found = json.loads((self.home.root / ".plano" / "run" / "state.json").read_text())
        return {
            each["name"]: psutil.Process(each["identity"]["pid"])
            for each in found["processes"]
            if each["identity"] is not None and psutil.pid_exists(each["identity"]["pid"])
        }

    def forget_failures(self) -> None:
        """Hold nothing against any channel that failed so far."""
        forget_conditions(self.home.root / ".plano" / "run" / "channels.sqlite", None)

    def access_lines(self, fragment: str) -> list[str]:
        """The lines of the access log with `fragment`, once there are any: Envoy writes them in batches."""
        return eventually(lambda: [line for line in self.access_log().splitlines() if fragment in line])


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run. One that only waits to be reaped does not."""
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


async def soon(condition: Callable[[], object], timeout_s: float = 20) -> None:
    """The same as `eventually` for what other tasks of this event loop bring about."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  (the condition may be anything)
            await asyncio.sleep(0.005)


def eventually(condition: Callable[[], T], timeout_s: float = 20) -> T:
    """The first true value of `condition`; fails the test after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline_s, f"still {value!r} after {timeout_s} s"
        pause.wait(0.02)
