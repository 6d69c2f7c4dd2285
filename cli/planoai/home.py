"""Where Plano keeps its files: `$PLANO_HOME`, by default `~/.plano`."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planoai.errors import PlanoError

#: `sun_path` of `sockaddr_un` holds 108 bytes on Linux with the closing NUL (unix(7)), 104 on macOS.
_LONGEST_SOCKET_PATH = 103


@dataclass(frozen=True)
class PlanoHome:
    """The directory tree of one gateway. Two gateways on one machine have two homes."""

    root: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "PlanoHome":
        """The home that `environ` names in PLANO_HOME, else `~/.plano`."""
        named = environ.get("PLANO_HOME")
        return cls(Path(named).expanduser().absolute() if named else Path.home() / ".plano")

    @property
    def bin(self) -> Path:
        """Binaries that the user installed; never overwritten."""
        return self.root / "bin"

    @property
    def run(self) -> Path:
        """Rendered resources and the state of the running gateway."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """brightstaff.log, envoy.log, access_llm.log."""
        return self.run / "logs"

    @property
    def ledger(self) -> Path:
        """What brightstaff remembers of channels: cool-downs, last errors, counts."""
        return self.run / "channels.sqlite"

    @property
    def conversations(self) -> Path:
        """Which conversation has which model, where several workers share that."""
        return self.run / "conversations.sqlite"

    @property
    def decisions(self) -> Path:
        """One line for each request, for `planoai explain`."""
        return self.logs / "decisions.jsonl"

    @property
    def sockets(self) -> Path:
        """Where the Unix sockets are: `run`, or a short private directory if that is too long for a socket path."""
        if len(os.fsencode(self.run / "brightstaff-00.sock")) <= _LONGEST_SOCKET_PATH:
            return self.run
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"plano-{os.getuid()}-{digest}"

    def create(self) -> None:
        """Make the directories, readable by their owner only.

        Raises PlanoError when one of them belongs to somebody else, OSError when one cannot be made.
        """
        for directory in (self.root, self.run, self.logs, self.sockets):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (self.run, self.logs, self.sockets):
            # Both of a link and of what it leads to: the sockets may be where everybody can put links.
            if {directory.stat().st_uid, directory.lstat().st_uid} != {os.getuid()}:
                raise PlanoError(f"{directory} belongs to another user", "Remove it, or set PLANO_HOME elsewhere.")
            directory.chmod(0o700)
