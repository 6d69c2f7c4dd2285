"""brightstaff.main: the process itself, started as planoai starts it."""

import asyncio
import gc
import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import msgspec
import pytest

from brightstaff.ledger import MemoryLedger, SharedLedger
from brightstaff.main import open_ledger, open_sessions
from brightstaff.pb.ext_proc_pb2 import (
    HeaderMap,
    HeaderValue,
    HttpBody,
    HttpHeaders,
    ProcessingRequest,
    ProcessingResponse,
)
from brightstaff.redis_sessions import RedisSessions
from brightstaff.sessions import ForgivingSessions, MemorySessions
from brightstaff.settings import Channel, RedisSettings, RoutingSettings, Settings, encode_settings

COMMAND = [sys.executable, "-m", "brightstaff"]
#: No test waits longer than this.
PATIENCE_S = 30.0
LOG_LINE = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\]\[(debug|info|warning|error)\] .+")


@pytest.fixture
def settings(tmp_path: Path, new_settings: Callable[..., Settings], new_channel: Callable[..., Channel]) -> Settings:
    """One channel; socket and log in the folder of the test."""
    return new_settings(new_channel("one/m"), socket=str(tmp_path / "socket"), log_file=str(tmp_path / "log"))


def environment(home: Path) -> dict[str, str]:
    """As little as a process needs."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def run_with(stdin: bytes, home: Path) -> "subprocess.CompletedProcess[bytes]":
    """A process that is expected to end by itself."""
    return subprocess.run(
        COMMAND, input=stdin, env=environment(home), cwd=home, capture_output=True, timeout=PATIENCE_S, check=False
    )


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def is_socket(path: Path) -> bool:
    """Whether there is a socket of this name."""
    return path.is_socket()


def text(path: Path) -> str:
    """What a file says."""
    return path.read_text()


def rename(path: Path, target: Path) -> None:
    """What a rotation does."""
    path.rename(target)


@dataclass
class Running:
    """A brightstaff that serves."""

    process: asyncio.subprocess.Process
    connection: grpc.aio.Channel

    def open(self) -> Any:
        """A new ext_proc stream."""
        return self.connection.stream_stream(
            "/envoy.service.ext_proc.v3.ExternalProcessor/Process",
            request_serializer=ProcessingRequest.SerializeToString,
            response_deserializer=ProcessingResponse.FromString,
        )()

    async def stop(self, with_: signal.Signals = signal.SIGTERM) -> tuple[int, bytes]:
        """Exit status and standard error after this signal."""
        self.process.send_signal(with_)
        async with asyncio.timeout(PATIENCE_S):
            _, error_output = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, error_output


@asynccontextmanager
async def running(settings: Settings, home: Path) -> AsyncIterator[Running]:
    """A process that was handed its settings, once it serves; its umask takes nothing away from any file's mode."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *COMMAND, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(home), cwd=home, umask=0
    )
    assert process.stdin is not None
    try:
        process.stdin.write(encode_settings(settings))
        process.stdin.close()
        options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.min_reconnect_backoff_ms", 50)]
        async with grpc.aio.insecure_channel(f"unix:{settings.socket}", options=options) as connection:
            brightstaff = Running(process, connection)
            async with asyncio.timeout(PATIENCE_S):
                await connection.channel_ready()
                call = brightstaff.open()
                await call.write(first_message("GET", "/readyz"))
                assert 200 == (await call.read()).immediate_response.status.code
                call.cancel()
            yield brightstaff
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def first_message(method: str, path: str) -> ProcessingRequest:
    """Headers that begin an attempt."""
    fields = {":method": method, ":path": path, "x-plano-request-id": "id-1"}
    pairs = [HeaderValue(key=name, raw_value=value.encode()) for name, value in fields.items()]
    return ProcessingRequest(request_headers=HttpHeaders(headers=HeaderMap(headers=pairs)))


async def test_it_serves_until_it_is_told_to_stop(settings: Settings, tmp_path: Path) -> None:
    """Socket and log are its owner's only, whatever the umask; SIGTERM ends it with status 0 and a last line."""
    async with running(settings, tmp_path) as brightstaff:
        assert (0o600, True) == (mode(Path(settings.socket)), is_socket(Path(settings.socket)))
        call = brightstaff.open()
        await call.write(first_message("GET", "/v1/models"))
        reply = (await call.read()).immediate_response
        assert ["one/m"] == [model["id"] for model in json.loads(reply.body)["data"]]
        call.cancel()
        assert (0, b"") == await brightstaff.stop()
    lines = text(Path(settings.log_file)).splitlines()
    assert all(LOG_LINE.fullmatch(line) for line in lines), lines
    assert ["brightstaff serves 1 channels", "brightstaff stopped"] == [line.partition("] ")[2] for line in lines]
    assert 0o600 == mode(Path(settings.log_file))


async def test_sigint_stops_it_too(settings: Settings, tmp_path: Path) -> None:
    """Ctrl-C in a terminal ends it like SIGTERM, without a traceback."""
    async with running(settings, tmp_path) as brightstaff:
        assert (0, b"") == await brightstaff.stop(signal.SIGINT)


async def test_streams_may_end_before_it_stops(settings: Settings, tmp_path: Path) -> None:
    """After SIGTERM a stream that is under way is served to its end."""
    async with running(settings, tmp_path) as brightstaff, asyncio.timeout(PATIENCE_S):
        call = brightstaff.open()
        await call.write(first_message("POST", "/v1/chat/completions"))
        await call.write(ProcessingRequest(request_body=HttpBody(body=b'{"model":"one/m"}', end_of_stream=True)))
        assert "request_headers" == (await call.read()).WhichOneof("response")
        assert "request_body" == (await call.read()).WhichOneof("response")
        async with asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(brightstaff.stop())
            # The server says goodbye to the connection, and no stream can be opened on it any more.
            state = brightstaff.connection.get_state()
            await brightstaff.connection.wait_for_state_change(state)
            status = [HeaderValue(key=":status", raw_value=b"204")]
            answer = HttpHeaders(headers=HeaderMap(headers=status), end_of_stream=True)
            await call.write(ProcessingRequest(response_headers=answer))
            assert "response_headers" == (await call.read()).WhichOneof("response")
            await call.done_writing()
        assert 0 == stopping.result()[0]


async def test_the_log_is_opened_anew_after_a_rotation(settings: Settings, tmp_path: Path) -> None:
    """A log that somebody renamed is left behind; the new one is the owner's only, too."""
    log, rotated = Path(settings.log_file), tmp_path / "log.1"
    async with running(settings, tmp_path) as brightstaff:
        rename(log, rotated)
        await brightstaff.stop()
    assert "serves" in text(rotated)
    assert "stopped" not in text(rotated)
    assert "brightstaff stopped" in text(log)
    assert [0o600, 0o600] == [mode(log), mode(rotated)]


async def test_a_socket_that_was_left_behind_is_replaced(settings: Settings, tmp_path: Path) -> None:
    """What a killed predecessor left does not stop the next one; its log is continued."""
    async with running(settings, tmp_path) as killed:
        killed.process.kill()
        await killed.process.communicate()
    assert is_socket(Path(settings.socket))
    async with running(settings, tmp_path) as brightstaff:
        assert 0 == (await brightstaff.stop())[0]
    assert 2 == text(Path(settings.log_file)).count("brightstaff serves")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "Input data was truncated"),
        (b'{"socket":"\xff"}', "utf-8"),
        (b'{"socket":"s","log_file":"l","channels":[{"name":1,"key":"secret-key"}]}', "$.channels[0].name"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, document: bytes, words: str) -> None:
    """One line that says what is wrong and where; no traceback, no secret, no file left."""
    ended = run_with(document, tmp_path)
    message = ended.stderr.decode()
    assert (1, b"") == (ended.returncode, ended.stdout)
    assert message.startswith("brightstaff: the settings on standard input are not valid: ")
    assert words in message
    assert 1 == message.count("\n")
    assert "secret" not in message
    assert [] == list(tmp_path.iterdir())


def test_a_log_that_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    """The path is named, and what to look at."""
    missing = str(tmp_path / "missing" / "log")
    document = json.loads(encode_settings(settings)) | {"log_file": missing}
    ended = run_with(json.dumps(document).encode(), tmp_path)
    assert 1 == ended.returncode
    expected = f"brightstaff: cannot write {missing}: No such file or directory. Check that the folder is yours.\n"
    assert expected == ended.stderr.decode()


HINT = b"brightstaff is started by `planoai up`, which hands it its settings on standard input.\n"


def test_a_person_at_a_terminal_is_told_how(tmp_path: Path) -> None:
    """It does not wait for somebody to type its settings."""
    terminal, end = pty.openpty()
    try:
        ended = subprocess.run(
            COMMAND, stdin=end, env=environment(tmp_path), capture_output=True, timeout=PATIENCE_S, check=False
        )
    finally:
        os.close(terminal)
        os.close(end)
    assert (1, HINT) == (ended.returncode, ended.stderr)


@pytest.mark.parametrize("call", ['exec "$@" <&-', 'exec "$@" --help </dev/null'])
def test_neither_arguments_nor_a_closed_input(tmp_path: Path, call: str) -> None:
    """It takes no arguments, and without standard input there is nothing to take."""
    ended = subprocess.run(
        ["/bin/sh", "-c", call, "sh", *COMMAND],
        env=environment(tmp_path), capture_output=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert (1, HINT) == (ended.returncode, ended.stderr)


def test_conversations_are_kept_where_the_settings_say(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In memory, in a file, in Redis; where these cannot be used in memory, and the log says so without a password."""
    redis = RedisSettings("redis://:hunter2@127.0.0.1:1")
    file = RoutingSettings(session_file=str(tmp_path / "s.sqlite"))
    shared = open_sessions(file)
    assert isinstance(shared, ForgivingSessions)
    assert isinstance(open_sessions(RoutingSettings()), MemorySessions)
    assert isinstance(open_sessions(msgspec.structs.replace(file, session_redis=redis)), RedisSessions)
    assert isinstance(open_sessions(RoutingSettings(session_file=str(tmp_path / "missing" / "s"))), MemorySessions)
    wrong = RedisSettings("redis://:hunter2@127.0.0.1:port")
    assert isinstance(open_sessions(RoutingSettings(session_redis=wrong)), MemorySessions)
    assert "Redis cannot be used: its URL is not valid" in caplog.text
    assert "hunter2" not in caplog.text
    del shared
    gc.collect()


def test_a_ledger_is_opened_where_the_settings_say(settings: Settings, tmp_path: Path) -> None:
    """In memory without a file; also where the file cannot be used: cool-downs are no reason to fail."""
    assert isinstance(open_ledger(settings), MemoryLedger)
    shared = open_ledger(msgspec.structs.replace(settings, ledger_file=str(tmp_path / "channels.sqlite")))
    assert isinstance(shared, SharedLedger)
    shared.close()
    for wrong in (tmp_path / "missing" / "channels.sqlite", tmp_path / "text"):
        (tmp_path / "text").write_text("This is no database. " * 100)
        assert isinstance(open_ledger(msgspec.structs.replace(settings, ledger_file=str(wrong))), MemoryLedger)
