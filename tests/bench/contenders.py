"""What stands between the clients and the upstream: nothing, Envoy alone, Plano, LiteLLM's proxy.

Each is started as its users start it, listens on 127.0.0.1 only, and is stopped when its context ends.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from planoai.envoy_binary import EnvoyBinary
from tests.support import free_port

from .scenarios import MODEL

DIRECT, ENVOY, PLANO, LITELLM = "direct", "envoy", "plano", "litellm"

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 20.0
_PROBE_PAUSE_S = 0.1
_LOG_LINES = 20
_KEY = "sk-bench-0123456789abcdef"

_PLANO_CONFIG = """\
version: v0.4.0
listeners:
  - {{type: model, name: bench, address: 127.0.0.1, port: {port}}}
model_providers:
  - model: {model}
    base_url: http://127.0.0.1:{upstream}/v1
    provider_interface: openai
    access_key: $BENCH_KEY
    retry_policy:
      fallback_models: [{model}-2]
      default_strategy: different_provider
      default_max_attempts: 3
      on_status_codes:
        - {{codes: [401, 429, 503], strategy: different_provider, max_attempts: 3}}
  - model: {model}-2
    base_url: http://127.0.0.1:{fallback}/v1
    provider_interface: openai
    access_key: $BENCH_KEY
"""

#: JSON is YAML: nothing to quote.
_LITELLM_CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{bare_model}
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: os.environ/BENCH_KEY
litellm_settings:
  set_verbose: false
  request_timeout: 600
router_settings:
  num_retries: 2
general_settings:
  disable_spend_logs: true
"""
#: The quiet settings of LiteLLM's own page on production, and nothing that asks the network. No client has to show a
#: key, for Plano asks for none either.
_LITELLM_ENVIRONMENT = {
    "BENCH_KEY": _KEY,
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_DONT_SHOW_FEEDBACK_BOX": "true",
    "NO_PROXY": "*",
}


class BenchError(Exception):
    """The benchmark cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Contender:
    """Something that is measured: where it listens, and the processes whose work it is."""

    name: str
    port: int
    processes: Mapping[str, psutil.Process]


@contextmanager
def upstream(folder: Path, failing: float = 0.0) -> Iterator[Contender]:
    """The provider itself, asked without anything in between; `failing` is the share of requests that it fails."""
    log = folder / f"upstream-{failing:g}.log"
    argv = [sys.executable, "-m", "tests.bench.upstream", f"{failing:g}"]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise BenchError(f"the upstream did not start:\n{_tail(log)}")
            yield Contender(DIRECT, int(line), {"upstream": psutil.Process(process.pid)})
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait(_STOP_TIMEOUT_S)


@contextmanager
def envoy_alone(folder: Path, envoy: EnvoyBinary, upstream_port: int) -> Iterator[Contender]:
    """The same binary with as many threads, as a plain HTTP proxy: what any gateway made of Envoy costs at least."""
    port = free_port()
    bootstrap = folder / "envoy-alone.json"
    bootstrap.write_text(json.dumps(_plain_proxy(port, upstream_port)))
    flags = ["--concurrency", str(min(4, os.cpu_count() or 1)), "--log-level", "warning", "--disable-hot-restart"]
    argv = [str(envoy.path), "-c", str(bootstrap), *flags]
    with _running(argv, folder / "envoy-alone.log", {}, port, "/") as process:
        yield Contender(ENVOY, port, {"envoy": process})


@contextmanager
def plano(
    folder: Path, python: Path, upstream_port: int, name: str = PLANO, fallback_port: int | None = None
) -> Iterator[Contender]:
    """`planoai up` in a home of its own: a channel with a key and a retry policy, and its fallback.

    The fallback is at the same upstream unless it has a port of its own.
    """
    home = folder / name
    home.mkdir(mode=0o700)
    port = free_port()
    config = home / "config.yaml"
    config.write_text(
        _PLANO_CONFIG.format(port=port, upstream=upstream_port, fallback=fallback_port or upstream_port, model=MODEL)
    )
    kept = {each: os.environ[each] for each in ("PATH", "LANG", "PLANO_ENVOY") if each in os.environ}
    environ = {**kept, "HOME": str(home), "PLANO_HOME": str(home), "BENCH_KEY": _KEY, "NO_PROXY": "*"}

    def planoai(*arguments: str) -> str:
        command = [str(python), "-P", "-m", "planoai", *arguments]
        result = subprocess.run(
            command, env=environ, cwd=home, capture_output=True, text=True, check=False, timeout=_START_TIMEOUT_S
        )
        if result.returncode != 0:
            raise BenchError(f"planoai {arguments[0]} failed:\n{result.stdout}{result.stderr}")
        return result.stdout

    try:
        planoai("up", str(config))
        status = json.loads(planoai("status", "--json"))
        processes = {each["name"]: psutil.Process(each["pid"]) for each in status["processes"]}
        yield Contender(name, port, processes)
    finally:
        with suppress(BenchError):
            planoai("down")


@contextmanager
def litellm(folder: Path, program: Path, upstream_port: int) -> Iterator[Contender]:
    """LiteLLM's proxy with one worker, without a database and without logs."""
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(_LITELLM_CONFIG.format(model=MODEL, bare_model=MODEL.partition("/")[2], upstream=upstream_port))
    argv = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environ = {**_LITELLM_ENVIRONMENT, "HOME": str(folder)}
    with _running(argv, folder / "litellm.log", environ, port, "/health/liveliness") as process:
        yield Contender(LITELLM, port, {"litellm": process})


def install_litellm(folder: Path) -> Path:
    """LiteLLM's command, installed from PyPI into a virtual environment that is kept. Raises BenchError."""
    program = folder / "bin" / "litellm"
    if program.exists():
        return program
    commands = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "litellm[proxy]"],
    )
    for command in commands:
        if subprocess.run(command, check=False).returncode != 0:
            raise BenchError(f"LiteLLM could not be installed into {folder}. Remove the folder and try again.")
    (folder / ".gitignore").write_text("*\n")
    return program


def litellm_version(program: Path) -> str:
    """The version that is installed."""
    code = "import importlib.metadata; print(importlib.metadata.version('litellm'))"
    command = [str(program.parent / "python"), "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def _running(
    argv: Sequence[str], log: Path, environ: Mapping[str, str], port: int, path: str
) -> Iterator[psutil.Process]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            argv, env={**kept, **environ}, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        try:
            _wait_until_it_answers(process, log, port, path)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_it_answers(process: subprocess.Popen[bytes], log: Path, port: int, path: str) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    pause = threading.Event()
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise BenchError(f"{process.args!r} ended with {process.returncode}:\n{_tail(log)}")
        if _answers(port, path):
            return
        pause.wait(_PROBE_PAUSE_S)
    raise BenchError(f"{process.args!r} did not answer within {_START_TIMEOUT_S:g} s:\n{_tail(log)}")


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])


def _plain_proxy(port: int, upstream_port: int) -> dict[str, object]:
    """Bootstrap of an Envoy that passes everything on to the upstream."""
    types = "type.googleapis.com/envoy.extensions.filters"
    limits = {f"max_{each}": 1_000_000 for each in ("connections", "pending_requests", "requests", "retries")}

    def address(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}}
    router = {"@type": f"{types}.http.router.v3.Router", "suppress_envoy_headers": True}
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "alone",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    network_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream_port)}}]}],
        },
    }
    listener = {"name": "alone", "address": address(port), "filter_chains": [{"filters": [network_filter]}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
