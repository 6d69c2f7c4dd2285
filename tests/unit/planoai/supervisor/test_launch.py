"""The pipe between `planoai up` and its supervisor."""

import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from planoai.home import PlanoHome
from planoai.supervisor.launch import read_frame


def test_a_frame_is_read_whole() -> None:
    """However many pieces it comes in."""
    reader, writer = os.pipe()
    data = os.urandom(300_000)

    def write() -> None:
        os.write(writer, struct.pack(">Q", len(data)))
        os.write(writer, data[:1])
        with os.fdopen(writer, "wb") as file:
            file.write(data[1:])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert data == read_frame(reader)
    finally:
        thread.join()
        os.close(reader)


@pytest.mark.parametrize("sent", [b"", b"\0\0", struct.pack(">Q", 5) + b"four"])
def test_a_cut_frame_is_an_error(sent: bytes) -> None:
    """The other end died: never half a plan."""
    reader, writer = os.pipe()
    os.write(writer, sent)
    os.close(writer)
    with pytest.raises(EOFError):
        read_frame(reader)
    os.close(reader)


@pytest.mark.parametrize("sent", [b"", struct.pack(">Q", 9) + b"sk-secret"])
def test_the_supervisor_refuses_what_is_no_plan(
    home: PlanoHome, sent: bytes, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    """It says so in its log, without quoting what came, and ends."""
    command = [sys.executable, "-m", "planoai.supervisor", "--config", "/c.yaml", "--home", str(home.root)]
    done = subprocess.run(command, input=sent, capture_output=True, check=False)
    log = home.logs / "supervisor.log"
    eventually(lambda: log.exists() and "the plan did not arrive whole" in log.read_text())

    assert 0 == done.returncode
    assert "sk-secret" not in log.read_text()
