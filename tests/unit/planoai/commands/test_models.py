"""planoai models: the commands, against a hub of our own."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from planoai.main import run

CONTENT = b"GGUF" + b"x" * 10_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    """A server that has the same file under every path; `asked` has the paths."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path: Path, hub: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and the hub as Hugging Face."""
    monkeypatch.setenv("PLANO_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server_address[1]}")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path


def test_from_nothing_to_a_model_and_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pulled once, listed, removed."""
    assert 0 == run(["models", "pull", "me/models/My-Router.gguf", "--sha256", DIGEST])
    out = capsys.readouterr().out
    assert f"my-router is here: {home / 'models' / 'my-router.gguf'}" in out
    assert CONTENT == (home / "models" / "my-router.gguf").read_bytes()
    assert 0 == run(["models", "pull", "me/models/My-Router.gguf"])
    assert "--force downloads it again" in capsys.readouterr().out
    assert 0 == run(["models", "list"])
    assert ["my-router", "0.01", "MB"] == capsys.readouterr().out.splitlines()[-1].split()[1:4]
    assert 0 == run(["models", "remove", "my-router"])
    assert [] == list((home / "models").iterdir())


def test_pulling_again(home: Path, hub: ThreadingHTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Only when it is forced; another checksum than that of the file that is here is an error."""
    path = home / "models" / "m.gguf"
    assert 0 == run(["models", "pull", "a/b/m.gguf"])
    assert "No checksum was known" in capsys.readouterr().err
    assert 2 == run(["models", "pull", "a/b/m.gguf", "--sha256", "0" * 64])
    assert "another file" in capsys.readouterr().err
    path.write_bytes(b"GGUF")
    assert 0 == run(["models", "pull", "a/b/m.gguf", "--force"])
    assert CONTENT == path.read_bytes()
    assert 2 == len(hub.asked)  # type: ignore[attr-defined]


def test_the_wrong_checksum(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the catalogue's pin: our hub has another file. Nothing is kept."""
    assert 1 == run(["models", "pull", "qwen2.5-0.5b-instruct"])
    captured = capsys.readouterr()
    assert "Licence: Apache-2.0" in captured.out
    assert "does not have the SHA-256" in captured.err
    assert [] == list((home / "models").iterdir())


def test_a_licence_that_restricts(home: Path, hub: ThreadingHTTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Is shown, and has to be agreed to; without that nothing is asked of anybody."""
    assert 2 == run(["models", "pull", "arch-router-1.5b"])
    captured = capsys.readouterr()
    assert "Licence: katanemo-research, https://" in captured.out
    assert "forbids some uses" in captured.err
    assert "Give --accept-licence." in captured.err
    assert [] == hub.asked  # type: ignore[attr-defined]
    assert 0 == run(["models", "pull", "arch-router-1.5b", "--accept-licence"])
    assert (home / "models" / "arch-router-1.5b.gguf").exists()


def test_a_second_model_has_to_be_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The user is told how."""
    run(["models", "pull", "a/b/one.gguf"])
    run(["models", "pull", "a/b/two.gguf"])
    assert "routing: {model: two}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["pull", "nothing"], ["remove", "nothing"], ["pull", "ftp://a.example/m.gguf"]])
def test_mistakes(home: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Are told as such."""
    assert 2 == run(["models", *arguments])
    assert capsys.readouterr().err.startswith("✗ ")
    assert home.exists()
