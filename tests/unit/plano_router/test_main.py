"""plano_router.main: the process."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from plano_router.settings import RouterSettings, RouteSettings, encode_settings
from support import eventually

COMMAND = [sys.executable, "-m", "plano_router"]


def test_it_serves_until_it_is_told_to_stop() -> None:
    """The socket is the owner's only; the log says what it does; SIGTERM ends it well."""
    with tempfile.TemporaryDirectory(prefix="plano-r-") as folder:
        settings = RouterSettings(f"{folder}/r.sock", f"{folder}/r.log", (RouteSettings("a", "writing code"),))
        with subprocess.Popen(COMMAND, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.write(encode_settings(settings))
            process.stdin.close()
            eventually(Path(settings.socket).exists)
            eventually(lambda: "decides about 1 routes" in Path(settings.log_file).read_text())
            assert 0 == Path(settings.socket).stat().st_mode & 0o077
            process.send_signal(signal.SIGTERM)
            assert 0 == process.wait(20)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b"{}", "not valid"),
        (encode_settings(RouterSettings("/s", "/nonexistent/r.log", ())), "/nonexistent/r.log"),
    ],
)
def test_what_is_wrong_is_told(document: bytes, told: str) -> None:
    """On standard error, with an exit status."""
    result = subprocess.run(COMMAND, input=document, capture_output=True, check=False, timeout=60)
    assert 1 == result.returncode
    assert told in result.stderr.decode()


def test_arguments_are_not_for_it() -> None:
    """Who starts it by hand learns who does that."""
    result = subprocess.run([*COMMAND, "x"], input=b"", capture_output=True, check=False, timeout=60)
    assert "planoai up" in result.stderr.decode()
