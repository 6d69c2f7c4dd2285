"""How channels reach their providers: TLS, HTTP/2, addresses, proxies, headers; and each way in which that can fail."""

import asyncio
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from planoai.envoy_binary import find_envoy
from planoai.home import PlanoHome
from planoai.simulator import Behaviour, Match, RecordedRequest, Rule, ThreadedSimulator, run_in_thread, tls_context
from support import RunningGateway, eventually, free_port

CHAT = "/v1/chat/completions"

#: A name that no resolver knows (RFC 6761, section 6.4).
UNKNOWN_HOST = "provider.invalid"

Ask = Callable[..., httpx.Response]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


# --- Servers that are no simulated providers -------------------------------------------------------------------------


@contextmanager
def served(handler: Handler) -> Iterator[int]:
    """A TCP server in a thread of its own; yields its port."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        open_now: set[asyncio.Task[Any]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            open_now.add(task)
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handler(reader, writer)
            open_now.discard(task)
            writer.transport.abort()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        started.set_result((asyncio.get_running_loop(), stop, server.sockets[0].getsockname()[1]))
        await stop.wait()
        server.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="server", daemon=True)
    thread.start()
    loop, stop, port = started.result(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


@dataclass
class HttpProxy:
    """An HTTP proxy that knows where every name leads, and remembers what it was asked for."""

    #: `host:port` → port on this machine.
    routes: dict[str, int]
    request_lines: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a tunnel, or requests with whole URLs, passed on as they are."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line = head.partition("\r\n")[0]
        self.request_lines.append(line)
        self.heads.append(head)
        method, target, _ = line.split(" ")
        place = target if method == "CONNECT" else target.removeprefix("http://").partition("/")[0]
        if place not in self.routes:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            return
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.routes[place])
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            upstream_writer.write(head.replace(f"http://{place}", "", 1).encode("latin-1"))
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, upstream_writer))
                both.create_task(_copy(upstream_reader, writer))
        finally:
            upstream_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def answer_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A provider that refuses by the head of a request, reads no more, and leaves the connection as it is."""
    await reader.readuntil(b"\r\n\r\n")
    body = b'{"error":{"message":"too large for me","type":"invalid_request_error","param":null,"code":"too_large"}}'
    head = f"HTTP/1.1 413 Payload Too Large\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    await asyncio.Event().wait()


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port whose queue of connections is full: further ones are neither accepted nor refused."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(("127.0.0.1", port))
            except TimeoutError:
                break
        else:
            pytest.skip("this system accepts more connections than it was told to")
        yield port


#: A server for TLS with HTTP/2 (chosen by ALPN) that tells the provider behind it which protocol it was spoken to in.
FRONT = """
static_resources:
  listeners:
    - name: front
      address: {socket_address: {address: 127.0.0.1, port_value: FRONT_PORT}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": MANAGER
                stat_prefix: front
                stream_idle_timeout: 0s
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      request_headers_to_add:
                        - {header: {key: x-front-protocol, value: "%PROTOCOL%"}}
                      routes:
                        - match: {prefix: "/"}
                          route: {cluster: provider, timeout: 0s}
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_certificates:
                  - certificate_chain: {filename: CHAIN}
                    private_key: {filename: KEY}
  clusters:
    - name: provider
      load_assignment:
        cluster_name: provider
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: PROVIDER_PORT}}}
"""


@contextmanager
def http2_front(directory: Path, certificate: trustme.LeafCert, provider_port: int) -> Iterator[int]:
    """That server, in front of a provider; yields its port."""
    port = free_port()
    files = {"CHAIN": directory / "front.pem", "KEY": directory / "front.key", "CONFIG": directory / "front.yaml"}
    certificate.cert_chain_pems[0].write_to_path(files["CHAIN"])
    certificate.private_key_pem.write_to_path(files["KEY"])
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    values = {"FRONT_PORT": port, "PROVIDER_PORT": provider_port, "MANAGER": f"type.googleapis.com/{manager}", **files}
    config = FRONT
    for name, value in values.items():
        config = config.replace(name, str(value))
    files["CONFIG"].write_text(config)
    envoy = find_envoy(None, PlanoHome(Path("/none")), {}).path
    log = directory / "front.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(envoy), "-c", str(files["CONFIG"]), "--concurrency", "1", "--disable-hot-restart"],
            stdout=output,
            stderr=output,
        )
    try:
        eventually(lambda: _accepts(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


# --- One gateway for all of it ---------------------------------------------------------------------------------------


@dataclass
class Providers:
    """Everything that the channels lead to."""

    ca: trustme.CA
    #: Private CA, HTTP/1.1; known as localhost, 127.0.0.1 and api.provider.invalid.
    secure: ThreadedSimulator
    other: ThreadedSimulator
    ipv6: ThreadedSimulator
    proxy: HttpProxy
    proxy_url: str
    #: Configuration of the channels.
    channels: list[dict[str, Any]] = field(default_factory=list)
    #: How long `planoai up` took.
    started_after_s: float = 0

    def add(self, name: str, base_url: str, **more: Any) -> None:
        """A channel of this name with a key of its own; `access_key=None` for none."""
        entry = {"model": name, "base_url": base_url, "access_key": f"sk-{name.partition('/')[0]}", **more}
        self.channels.append({key: value for key, value in entry.items() if value is not None})

    def add_broken(self, prefix: str, base_url: str, **more: Any) -> None:
        """Two channels that cannot work: `prefix/alone`, and `prefix/followed` by a channel that does."""
        self.add(f"{prefix}/alone", base_url, **more)
        policy = {"fallback_models": ["plain/one"], "default_max_attempts": 2, "fallback_scope": "fallback_list_only"}
        self.add(f"{prefix}/followed", base_url, retry_policy=policy, **more)


@contextmanager
def tls_provider(directory: Path, certificate: trustme.LeafCert) -> Iterator[ThreadedSimulator]:
    """A simulated provider with this certificate."""
    chain, key = directory / f"{id(certificate)}.pem", directory / f"{id(certificate)}.key"
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    with run_in_thread(tls=tls_context(chain, key)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def providers(provider: ThreadedSimulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    """All providers, and the channels that lead to them."""
    directory = tmp_path_factory.mktemp("tls")
    ca, other_ca = trustme.CA(), trustme.CA()
    certificate = ca.issue_cert("localhost", "127.0.0.1", "api.provider.invalid")
    with ExitStack() as stack:
        secure = stack.enter_context(tls_provider(directory, certificate))
        other = stack.enter_context(run_in_thread())
        proxy = HttpProxy(
            {
                f"api.{UNKNOWN_HOST}:443": secure.port,
                f"api.{UNKNOWN_HOST}:8443": secure.port,
                f"plain.{UNKNOWN_HOST}:8000": other.port,
                f"plain.{UNKNOWN_HOST}": other.port,
            }
        )
        proxy_url = f"http://127.0.0.1:{stack.enter_context(served(proxy.handle))}"
        ipv6 = stack.enter_context(run_in_thread(host="::1"))
        result = Providers(ca, secure, other, ipv6, proxy, proxy_url)
        add, add_broken = result.add, result.add_broken

        add("plain/one", provider.url)
        add("second-port/one", other.url)
        add("tls/one", f"https://localhost:{secure.port}")
        add("tls-address/one", f"https://127.0.0.1:{secure.port}")
        add("http2/one", f"https://localhost:{stack.enter_context(http2_front(directory, certificate, other.port))}")
        add("ipv6/one", f"http://[::1]:{result.ipv6.port}")
        add("localhost/one", f"http://localhost:{provider.port}")
        add("path/one", f"{provider.url}/api/v2")
        add("slash/one", f"{provider.url}/api/v2/")
        add("chinese-path/one", f"{provider.url}/模型")
        add("host/one", provider.url, http_host="inner.example:8443")
        add("自定义/模型😀", provider.url, access_key="sk-custom")
        add("headers/one", provider.url, headers={"X-Team": "$TEAM", "X-City": "北京", "User-Agent": "mine/1"})
        add("own-key/one", provider.url, headers={"Authorization": "Custom $TEAM"})
        add("passthrough/one", provider.url, access_key=None, passthrough_auth=True)
        passing = {"access_key": None, "passthrough_auth": True, "provider_interface": "anthropic"}
        add("passthrough-anthropic/one", provider.url, **passing)
        add("keyless/one", provider.url, access_key=None)
        add("claude/opus", provider.url, provider_interface="anthropic")

        with_proxy = {"proxy": proxy_url}
        add("proxied/one", f"https://api.{UNKNOWN_HOST}:8443", **with_proxy)
        add("environment/one", f"https://api.{UNKNOWN_HOST}")
        add("plain-proxied/one", f"http://plain.{UNKNOWN_HOST}:8000/api", **with_proxy)
        add("plain-proxied-80/one", f"http://plain.{UNKNOWN_HOST}", **with_proxy)
        add_broken("proxy-refuses", f"https://unrouted.{UNKNOWN_HOST}", **with_proxy)
        add_broken("proxy-is-down", f"https://api.{UNKNOWN_HOST}", proxy=f"http://127.0.0.1:{free_port()}")
        add_broken("direct", f"https://api.{UNKNOWN_HOST}", proxy="direct")

        wrong_name = stack.enter_context(tls_provider(directory, ca.issue_cert("another.example")))
        wrong_ca = stack.enter_context(tls_provider(directory, other_ca.issue_cert("localhost", "127.0.0.1")))
        add_broken("wrong-name", f"https://localhost:{wrong_name.port}")
        add_broken("wrong-address", f"https://127.0.0.1:{wrong_name.port}")
        add_broken("wrong-ca", f"https://localhost:{wrong_ca.port}")
        add_broken("no-tls", f"https://localhost:{provider.port}")
        add_broken("tls-unasked", f"http://localhost:{secure.port}")
        add_broken("dns", f"http://{UNKNOWN_HOST}")
        add_broken("refused", f"http://127.0.0.1:{free_port()}")
        quick = {"timeouts": {"connect": "300ms"}}
        add_broken("backlog", f"http://127.0.0.1:{stack.enter_context(full_backlog())}", **quick)
        add_broken("silent", provider.url, timeouts={"first_token": "400ms", "idle": "400ms"})
        add("patient/one", provider.url, timeouts={"first_token": "1s", "idle": "1s"})
        add_broken("early", f"http://127.0.0.1:{stack.enter_context(served(answer_early))}")

        yield result


@pytest.fixture(scope="module")
def gateway(
    providers: Providers, start_gateway: Callable[..., RunningGateway], tmp_path_factory: pytest.TempPathFactory
) -> RunningGateway:
    """A gateway with all channels, in an environment with a proxy. It is stopped before the providers are."""
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    providers.ca.cert_pem.write_to_path(ca_file)
    config = (
        "listeners: [{name: main, port: {port}}]\n"
        f"overrides: {{upstream_tls_ca_path: {ca_file}, max_request_bytes: 8MiB}}\n"
        f"model_providers: {json.dumps(providers.channels, ensure_ascii=False, indent=1)}\n"
    )
    started_s = time.monotonic()
    gateway = start_gateway(config, "TEAM=team-secret\n", {"HTTPS_PROXY": providers.proxy_url})
    providers.started_after_s = time.monotonic() - started_s
    return gateway


@pytest.fixture(scope="module")
def client(gateway: RunningGateway) -> Iterator[httpx.Client]:
    """One for all tests: it is the provider's side that they are about."""
    with httpx.Client(base_url=gateway.url, timeout=30) as each:
        yield each


@pytest.fixture
def ask(client: httpx.Client, providers: Providers) -> Ask:
    """Sends requests; every provider is well and has forgotten everything before a test."""
    for each in (providers.secure, providers.other, providers.ipv6):
        each.set_rules([])
        each.clear()
    providers.proxy.request_lines.clear()
    providers.proxy.heads.clear()

    def post(model: str, path: str = CHAT, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
        return client.post(path, json=body, headers=headers)

    return post


def only(simulator: ThreadedSimulator) -> RecordedRequest:
    """The one request that a provider received."""
    (received,) = simulator.requests
    return received


# --- TLS, protocols, addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["tls/one", "tls-address/one"])
def test_a_private_ca(ask: Ask, providers: Providers, model: str) -> None:
    """A provider with a certificate of one's own CA, by name and by address, in HTTP/1.1."""
    answer = ask(model)
    received = only(providers.secure)

    assert (200, model) == (answer.status_code, answer.headers["x-plano-model"])
    assert ("1.1", f"sk-{model.partition('/')[0]}") == (received.http_version, received.key)


def test_http2_where_the_provider_offers_it(ask: Ask, providers: Providers) -> None:
    """Chosen in the TLS handshake; answers and streams are the same."""
    answer, stream = ask("http2/one"), ask("http2/one", stream=True)

    assert (200, 200) == (answer.status_code, stream.status_code)
    assert stream.text.endswith("data: [DONE]\n\n")
    assert ["HTTP/2", "HTTP/2"] == [each.header("x-front-protocol") for each in providers.other.requests]
    assert {"sk-http2"} == {each.key for each in providers.other.requests}


def test_large_bodies_in_http2(ask: Ask, providers: Providers) -> None:
    """More than any window, in both directions."""
    providers.other.set_rules([Rule(behaviours=[Behaviour(chunks=30, chunk_bytes=1_000_000)])])
    answer = ask("http2/one", padding="x" * 5_000_000)

    assert 30_000_000 == len(answer.json()["choices"][0]["message"]["content"])
    assert only(providers.other).body_bytes > 5_000_000


def test_ipv6(ask: Ask, providers: Providers) -> None:
    """A provider at an IPv6 address."""
    assert 200 == ask("ipv6/one").status_code
    assert f"[::1]:{providers.ipv6.port}" == only(providers.ipv6).header("host")


def test_localhost_that_is_only_half_there(ask: Ask, provider: ThreadedSimulator) -> None:
    """`localhost` means ::1 and 127.0.0.1; a provider that listens on one of them is found."""
    assert 200 == ask("localhost/one").status_code
    assert f"localhost:{provider.port}" == only(provider).header("host")


def test_two_providers_on_one_host(ask: Ask, provider: ThreadedSimulator, providers: Providers) -> None:
    """Each channel has its own port."""
    assert (200, 200) == (ask("plain/one").status_code, ask("second-port/one").status_code)
    assert ("sk-plain", "sk-second-port") == (only(provider).key, only(providers.other).key)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("plain/one", "/v1/chat/completions"),
        ("path/one", "/api/v2/chat/completions"),
        ("slash/one", "/api/v2/chat/completions"),
        ("chinese-path/one", "/%E6%A8%A1%E5%9E%8B/chat/completions"),
    ],
)
def test_paths(ask: Ask, provider: ThreadedSimulator, model: str, path: str) -> None:
    """That of base_url stands before the endpoint's, with or without a slash at its end."""
    assert 200 == ask(model).status_code
    assert path == only(provider).path


def test_a_name_that_is_not_ascii(ask: Ask, provider: ThreadedSimulator) -> None:
    """Channels may be called as people call them."""
    answer = ask("自定义/模型😀")

    assert 200 == answer.status_code
    assert ("sk-custom", "模型😀") == (only(provider).key, only(provider).model)
    assert answer.headers["x-plano-model"].startswith("%E8%87%AA")


def test_connections_are_kept(ask: Ask, providers: Providers) -> None:
    """One request after the other goes over the same connection."""
    for _ in range(10):
        assert 200 == ask("ipv6/one").status_code

    assert 10 == providers.ipv6.stats()["requests"]
    # One for each of Envoy's threads at most; none at all would mean that each was closed.
    assert 1 <= providers.ipv6.stats()["open_connections"] <= 4


# --- Headers and keys ------------------------------------------------------------------------------------------------


def test_the_host_header(ask: Ask, provider: ThreadedSimulator) -> None:
    """http_host instead of the host of base_url."""
    ask("host/one")
    ask("plain/one")
    assert ["inner.example:8443", f"127.0.0.1:{provider.port}"] == [each.header("host") for each in provider.requests]


def test_headers_of_a_channel(ask: Ask, provider: ThreadedSimulator) -> None:
    """They arrive, with variables filled in, and win over the client's."""
    ask("headers/one", headers={"x-team": "client", "user-agent": "client/1", "x-other": "kept"})
    received = only(provider)

    assert ["team-secret"] == received.header_values("x-team")
    assert ["mine/1"] == received.header_values("user-agent")
    assert "北京" == (received.header("x-city") or "").encode("latin-1").decode()
    assert ("kept", "Bearer sk-headers") == (received.header("x-other"), received.header("authorization"))


def test_a_header_wins_over_the_key(ask: Ask, provider: ThreadedSimulator) -> None:
    """Who writes Authorization means it."""
    ask("own-key/one")
    assert ["Custom team-secret"] == only(provider).header_values("authorization")


@pytest.mark.parametrize(
    ("model", "path", "sent", "name", "value"),
    [
        ("passthrough/one", CHAT, {"authorization": "Bearer sk-client"}, "authorization", "Bearer sk-client"),
        ("passthrough/one", CHAT, {"x-api-key": "sk-client"}, "authorization", "Bearer sk-client"),
        ("passthrough/one", CHAT, {"authorization": "Basic abc"}, "authorization", "Basic abc"),
        ("passthrough-anthropic/one", "/v1/messages", {"x-api-key": "sk-client"}, "x-api-key", "sk-client"),
        ("passthrough-anthropic/one", "/v1/messages", {"authorization": "Bearer sk-client"}, "x-api-key", "sk-client"),
    ],
)
def test_the_clients_own_key(
    ask: Ask, provider: ThreadedSimulator, model: str, path: str, sent: dict[str, str], name: str, value: str
) -> None:
    """passthrough_auth: in whatever header it came, it leaves in the one that the provider wants, and in no other."""
    ask(model, path, headers=sent, max_tokens=5)
    received = only(provider)
    credentials = [each for each in received.headers if each[0].lower() in ("authorization", "x-api-key", "api-key")]

    assert [(name, value)] == [(each.lower(), text) for each, text in credentials]


@pytest.mark.parametrize("model", ["passthrough/one", "keyless/one"])
def test_no_key(ask: Ask, provider: ThreadedSimulator, model: str) -> None:
    """None is invented."""
    assert 200 == ask(model).status_code
    assert only(provider).key is None


def test_the_clients_key_goes_nowhere(ask: Ask, provider: ThreadedSimulator) -> None:
    """Also not to a channel that has no key of its own."""
    ask("keyless/one", headers={"authorization": "Bearer sk-client", "x-api-key": "sk-client"})
    assert "sk-client" not in str(only(provider).headers)


@pytest.mark.parametrize(("sent", "version"), [({}, "2023-06-01"), ({"anthropic-version": "2024-10-22"}, "2024-10-22")])
def test_anthropics_own_endpoints(ask: Ask, provider: ThreadedSimulator, sent: dict[str, str], version: str) -> None:
    """x-api-key and a version, the client's if it names one."""
    ask("claude/opus", "/v1/messages", headers={"authorization": "Bearer sk-client", **sent}, max_tokens=5)
    received = only(provider)

    assert ("sk-claude", None) == (received.header("x-api-key"), received.header("authorization"))
    assert [version] == received.header_values("anthropic-version")
    assert ("opus", "/v1/messages") == (received.model, received.path)


def test_anthropics_openai_endpoints(ask: Ask, provider: ThreadedSimulator) -> None:
    """A bearer token."""
    ask("claude/opus")
    received = only(provider)

    assert ("Bearer sk-claude", None) == (received.header("authorization"), received.header("x-api-key"))


# --- Proxies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "target"), [("proxied/one", f"api.{UNKNOWN_HOST}:8443"), ("environment/one", f"api.{UNKNOWN_HOST}:443")]
)
def test_https_through_a_proxy(ask: Ask, providers: Providers, model: str, target: str) -> None:
    """The proxy makes a tunnel to a name that only it can resolve, and sees neither the key nor anything else."""
    answer = ask(model)

    assert (200, model) == (answer.status_code, answer.headers["x-plano-model"])
    assert [f"CONNECT {target} HTTP/1.1"] == providers.proxy.request_lines
    assert only(providers.secure).key == f"sk-{model.partition('/')[0]}"
    assert "sk-" not in providers.proxy.heads[0]


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("plain-proxied/one", f"http://plain.{UNKNOWN_HOST}:8000/api/chat/completions"),
        ("plain-proxied-80/one", f"http://plain.{UNKNOWN_HOST}/v1/chat/completions"),
    ],
)
def test_http_through_a_proxy(ask: Ask, providers: Providers, model: str, url: str) -> None:
    """The first line has the whole URL."""
    assert 200 == ask(model).status_code
    assert [f"POST {url} HTTP/1.1"] == providers.proxy.request_lines
    assert f"sk-{model.partition('/')[0]}" == only(providers.other).key


def test_providers_on_this_machine_need_no_proxy(ask: Ask, providers: Providers) -> None:
    """Whatever HTTPS_PROXY says."""
    assert 200 == ask("tls/one").status_code
    assert [] == providers.proxy.request_lines


# --- Providers that cannot be reached --------------------------------------------------------------------------------

#: prefix → status, code, what the message says.
UNREACHABLE = {
    "wrong-name": (502, "provider_tls", "failed the TLS handshake"),
    "wrong-address": (502, "provider_tls", "failed the TLS handshake"),
    "wrong-ca": (502, "provider_tls", "upstream_tls_ca_path"),
    "no-tls": (502, "provider_tls", "https or http?"),
    "tls-unasked": (502, "provider_reset", "closed the connection"),
    "dns": (502, "provider_dns", f"({UNKNOWN_HOST}) has no address"),
    "direct": (502, "provider_dns", "has no address"),
    "refused": (502, "provider_refused", "refused the connection"),
    "backlog": (504, "provider_timeout", "did not accept the connection in time"),
    "proxy-refuses": (502, "provider_unreachable", ", through the proxy 127.0.0.1:"),
    "proxy-is-down": (502, "provider_refused", ", through the proxy 127.0.0.1:"),
}


@pytest.mark.parametrize("prefix", UNREACHABLE)
def test_a_provider_that_cannot_be_reached(ask: Ask, providers: Providers, prefix: str) -> None:
    """Within seconds the client learns which channel failed, how, and what to do."""
    started_s = time.monotonic()
    answer = ask(f"{prefix}/alone")
    error = answer.json()["error"]
    status, code, fragment = UNREACHABLE[prefix]

    assert (status, code) == (answer.status_code, error["code"])
    assert error["message"].startswith(f"{prefix}/alone (")
    assert fragment in error["message"]
    assert time.monotonic() - started_s < 8
    assert answer.headers["x-plano-attempts"].startswith(f"{prefix}/alone={code.removeprefix('provider_')}/")
    assert (prefix == "proxy-refuses") == bool(providers.proxy.request_lines)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("prefix", UNREACHABLE)
def test_the_next_channel_answers(ask: Ask, provider: ThreadedSimulator, prefix: str, *, stream: bool) -> None:
    """With a policy the client notices nothing."""
    answer = ask(f"{prefix}/followed", stream=stream)

    assert (200, "plain/one") == (answer.status_code, answer.headers["x-plano-model"])
    assert "sk-plain" == only(provider).key


@pytest.mark.usefixtures("gateway")
def test_a_name_that_does_not_resolve_keeps_nobody_waiting(providers: Providers) -> None:
    """The gateway starts without that channel's address, and serves the others."""
    assert 0 < providers.started_after_s < 30


# --- Providers that are slow, or stop --------------------------------------------------------------------------------

SILENT = Match(key="sk-silent")


@pytest.mark.parametrize(
    ("stream", "behaviour"),
    [
        (True, Behaviour(delay_before_headers_s=20)),
        (True, Behaviour(delay_before_first_token_s=20)),
        (False, Behaviour(delay_before_headers_s=20)),
        (False, Behaviour(stall_after_bytes=30)),
    ],
    ids=["no headers", "no first token", "json without headers", "half a json"],
)
def test_no_first_token(ask: Ask, provider: ThreadedSimulator, stream: bool, behaviour: Behaviour) -> None:
    """timeouts.first_token: the next channel answers, or the client gets a 504; the slow provider is let go."""
    provider.set_rules([Rule(SILENT, [behaviour])])
    started_s = time.monotonic()
    followed, alone = ask("silent/followed", stream=stream), ask("silent/alone", stream=stream)

    assert (200, "plain/one") == (followed.status_code, followed.headers["x-plano-model"])
    assert followed.headers["x-plano-attempts"].startswith("silent/followed=timeout/")
    assert (504, "provider_timeout") == (alone.status_code, alone.json()["error"]["code"])
    assert time.monotonic() - started_s < 4
    assert [True, False, True] == [each.cancelled for each in provider.wait_for_requests(3)]


def test_silence_in_the_middle_of_a_stream(ask: Ask, provider: ThreadedSimulator) -> None:
    """timeouts.idle: the client gets what there is, then an error event, then the end; nothing is sent twice."""
    provider.set_rules([Rule(SILENT, [Behaviour(chunks=10, stall_after_chunks=3)])])
    started_s = time.monotonic()
    answer = ask("silent/followed", stream=True)
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]

    assert (200, "silent/followed") == (answer.status_code, answer.headers["x-plano-model"])
    assert time.monotonic() - started_s < 3
    assert "provider_stalled" == json.loads(events[-1])["error"]["code"]
    assert "silent/followed" in json.loads(events[-1])["error"]["message"]
    assert 3 == sum(bool(json.loads(each)["choices"][0]["delta"].get("content")) for each in events[:-1])
    assert only(provider).cancelled


def test_a_slow_stream_that_moves_is_not_cut(ask: Ask, provider: ThreadedSimulator) -> None:
    """It takes longer than every timeout of its channel, and arrives whole."""
    provider.set_rules([Rule(Match(key="sk-patient"), [Behaviour(chunks=8, delay_between_tokens_s=0.2)])])
    started_s = time.monotonic()
    answer = ask("patient/one", stream=True)

    assert time.monotonic() - started_s > 1
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "error" not in answer.text


def test_an_answer_before_the_request_was_read(ask: Ask) -> None:
    """A provider that refuses a large body by its head: its own answer reaches the client."""
    answer = ask("early/alone", padding="x" * 4_000_000)

    assert (413, "too_large") == (answer.status_code, answer.json()["error"]["code"])
    assert answer.headers["x-plano-model"] == "early/alone"
