"""The simulated provider as an HTTP/1.1 server: reads requests, asks the rules, carries out the reply."""

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from planoai.simulator.behaviour import HEALTHY, Behaviour, ScriptError, decode_json
from planoai.simulator.control import PREFIX, BadCommandError, Command, read_command
from planoai.simulator.matching import Choice, RuleBook
from planoai.simulator.protocols.errors import error_body
from planoai.simulator.protocols.stream import json_bytes
from planoai.simulator.recorder import RecordedRequest, Recorder
from planoai.simulator.replies import make_reply
from planoai.simulator.request_facts import RequestFacts, read_request
from planoai.simulator.rules import Rule, checked_rules, rules_as_data, rules_from
from planoai.simulator.sending import send
from planoai.simulator.steering import Steering

#: What GET /v1/models lists unless told otherwise.
DEFAULT_MODELS = ("gpt-5.4", "claude-opus-4-6", "claude-sonnet-4-6", "text-embedding-3-small")

_LARGEST_REQUEST_BYTES = 1024 * 1024 * 1024

#: Scripts in headers need room.
_LARGEST_HEADER_BYTES = 256 * 1024
_MOST_HEADERS = 1000

_BACKLOG = 4096


class Simulator:
    """A simulated provider. `async with Simulator(rules) as sim:` serves at `sim.url` until the block ends.

    `port` 0 takes a free one. `seed` makes what is left to chance repeat itself. `on_finished` is called with every
    request once nothing more will be sent. Rules are checked: raises ScriptError.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        default: Behaviour = HEALTHY,
        steering: bool = True,
        record: bool = True,
        models: Sequence[str] = DEFAULT_MODELS,
        seed: int = 0,
        most_recorded: int = 1000,
        on_finished: Callable[[RecordedRequest], None] | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._default = Choice("default", default)
        self._steering = Steering() if steering else None
        self._models = tuple(models)
        self._chance = Random(seed)  # noqa: S311 - meant to be repeated
        self._on_finished = on_finished
        self._recorder = Recorder(time.time, most_requests=most_recorded if record else 0)
        self._book = RuleBook(checked_rules(rules))
        self._server: web.Server | None = None
        self._runner: web.ServerRunner | None = None
        self._stopping = False
        self._waiters: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to listen. Raises OSError when the port cannot be had."""
        loop = asyncio.get_running_loop()

        def new_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
            return web.BaseRequest(
                message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_REQUEST_BYTES
            )

        self._stopping = False
        self._server = web.Server(
            self._handle,
            request_factory=new_request,
            handler_cancellation=True,
            access_log=None,
            # Bodies are recorded as they came.
            auto_decompress=False,
            max_line_size=_LARGEST_HEADER_BYTES,
            max_field_size=_LARGEST_HEADER_BYTES,
            max_headers=_MOST_HEADERS,
            # Nobody is waited for who goes on sending after a cut.
            lingering_time=0,
        )
        self._runner = web.ServerRunner(self._server, handle_signals=False, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls, backlog=_BACKLOG)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        self._stopping = True
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Scheme, host and port; no path."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        return f"{'https' if self._tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self._port}"

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes."""
        return f"{self.url}/v1"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are asked."""
        return self._book.rules

    def set_rules(self, rules: Sequence[Rule]) -> None:
        """Replace the rules and begin to count anew. Raises ScriptError."""
        self._book = RuleBook(checked_rules(rules))
        if self._steering is not None:
            self._steering.forget()

    @property
    def requests(self) -> list[RecordedRequest]:
        """The last requests, in the order in which they arrived."""
        return self._recorder.since()

    def clear(self) -> None:
        """Forget requests and counts."""
        self._recorder.clear()

    def stats(self) -> dict[str, Any]:
        """Counts since the start or the last `clear`, and the connections that are open now."""
        connections = 0 if self._server is None else len(self._server.connections)
        return {**self._recorder.stats(), "open_connections": connections}

    async def wait_for_requests(
        self, count: int, *, since: int = 0, finished: bool = True, timeout_s: float = 5.0
    ) -> list[RecordedRequest]:
        """The requests above number `since`, once `count` of them are there (and have ended). Raises TimeoutError."""
        if count > self._recorder.most_requests:
            raise ValueError(f"{count} requests are waited for, and only {self._recorder.most_requests} are kept")
        async with asyncio.timeout(timeout_s):
            while True:
                found = self._recorder.since(since)
                if sum(each.finished or not finished for each in found) >= count:
                    return found
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                await waiter

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path.startswith(PREFIX):
            return await self._control(request)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        body = b""
        complete = False
        try:
            body = await request.read()
            complete = True
        finally:
            facts = read_request(request.method, request.raw_path, headers, body)
            record = self._recorder.begin(
                method=request.method,
                path=request.raw_path,
                http_version=f"{request.version.major}.{request.version.minor}",
                headers=headers,
                body=body,
                key=facts.key,
                model=facts.model,
            )
            if not complete:
                record.cancelled = True
                self._finish(record, 0)
        self._wake()
        return await self._answer(request, facts, record)

    async def _answer(
        self, request: web.BaseRequest, facts: RequestFacts, record: RecordedRequest
    ) -> web.StreamResponse:
        started_s = time.perf_counter()
        number = f"sim-{record.seq}"
        try:
            choice = self._choose(facts)
        except ScriptError as error:
            record.rule = "request's rule"
            record.status = 400
            self._finish(record, time.perf_counter() - started_s)
            return _json_response(error_body(facts, 400, number, f"The simulator was steered wrongly: {error}"), 400)
        record.rule = choice.rule
        reply = make_reply(facts, choice.behaviour, number, now_s=time.time, models=self._models)
        try:
            return await send(request, reply, record)
        except asyncio.CancelledError:
            record.cancelled = not self._stopping
            raise
        except ConnectionError:
            # The server needs a response to go on with; this one meets the closed connection too.
            record.cancelled = not self._stopping
            return web.Response()
        finally:
            self._finish(record, time.perf_counter() - started_s)

    def _choose(self, facts: RequestFacts) -> Choice:
        if self._steering is not None:
            steered = self._steering.choose(facts, self._chance)
            if steered is not None:
                return steered
        return self._book.choose(facts, self._chance) or self._default

    def _finish(self, record: RecordedRequest, duration_s: float) -> None:
        self._recorder.finish(record, duration_s)
        self._wake()
        if self._on_finished is not None:
            self._on_finished(record)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _control(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            command = read_command(request.method, request.raw_path)
            return _json_response(await self._execute(command, await request.read()))
        except BadCommandError as error:
            return _json_response(error.as_data(), error.status)

    async def _execute(self, command: Command, body: bytes) -> Any:
        match command.name:
            case "health":
                return {"status": "ok"}
            case "stats":
                return self.stats()
            case "rules":
                return {"rules": rules_as_data(self.rules)}
            case "set_rules":
                try:
                    self.set_rules(rules_from(decode_json(body)))
                except ScriptError as error:
                    raise BadCommandError(400, f"The rules were not replaced: {error}") from None
                return {"rules": len(self.rules)}
            case "clear":
                self.clear()
                return {"requests": 0}
            case _:
                with suppress(TimeoutError, ValueError):
                    await self.wait_for_requests(command.count, since=command.since, timeout_s=command.timeout_s)
                return {"requests": [each.as_data() for each in self._recorder.since(command.since)]}


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A context for a server, from PEM files. Raises OSError, ssl.SSLError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def _json_response(data: Any, status: int = 200) -> web.Response:
    return web.Response(body=json_bytes(data), status=status, content_type="application/json")
