"""From config.yaml to what can be started: loads, compiles, renders, checks, and writes Envoy's resources."""

import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from brightstaff.settings import encode_settings
from plano_router.settings import encode_settings as encode_router_settings
from planoai.ca_certificates import find_ca_file
from planoai.config import LoadedConfig, load_config
from planoai.config_generator import ChannelInfo, CompiledGateway, ListenerInfo, compile_gateway
from planoai.envoy_binary import EnvoyBinary
from planoai.envoy_check import check_types, check_with_envoy
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.prices import load_prices
from planoai.rendering import BOOTSTRAP, render
from planoai.router_model import find_router_model
from planoai.supervisor.spec import HttpOk, ProcessSpec, UnixSocketAccepts

#: What a child process may know of the environment. Keys are not among it.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "RES_OPTIONS", "LOCALDOMAIN")

#: A local gateway needs no more worker threads than this, however many cores there are.
_MOST_WORKERS = 4


@dataclass(frozen=True)
class Gateway:
    """A gateway that has been checked and can be started."""

    config_path: Path
    processes: tuple[ProcessSpec, ...]
    listeners: tuple[ListenerInfo, ...]
    channels: tuple[ChannelInfo, ...]
    ready_urls: tuple[str, ...]
    admin_socket: Path
    rotated_logs: tuple[Path, ...]
    notices: tuple[str, ...]
    resources: Mapping[Path, str]
    """Envoy's resource files; no secret is in them."""
    forgotten: tuple[Path, ...] = ()
    """What an older gateway remembered. Who starts anew (with another key, say) starts with trust in all channels."""

    def write(self) -> None:
        """Put the resource files in their place."""
        for path in self.forgotten:
            path.unlink(missing_ok=True)
        for path, text in self.resources.items():
            write_private(path, text)


@dataclass(frozen=True)
class CheckedGateway:
    """A configuration that was found to be good; nothing of a running gateway has been touched yet."""

    compiled: CompiledGateway
    rendered: Mapping[str, str]
    notices: tuple[str, ...]


def check_gateway(config_path: Path, home: PlanoHome, environ: Mapping[str, str], envoy: EnvoyBinary) -> CheckedGateway:
    """Everything that can be refused is refused here.

    Raises ConfigError with every mistake of the file, or PlanoError.
    """
    return _check_loaded(load_config(config_path, environ), home, environ, envoy)


def _check_loaded(
    loaded: LoadedConfig, home: PlanoHome, environ: Mapping[str, str], envoy: EnvoyBinary
) -> CheckedGateway:
    price_file = loaded.config.routing.price_file
    compiled = compile_gateway(
        loaded,
        home,
        prices=None if price_file is None else load_prices(loaded.path.parent / Path(price_file).expanduser()),
        llama=find_router_model(loaded.config, home, loaded.path.parent),
        envoy_version=tuple(int(part) for part in envoy.version.split(".")),
        environ=environ,
        ca_file=find_ca_file(loaded.config.overrides.upstream_tls_ca_path, environ),
        resolve=resolve_host,
        nonce=secrets.token_hex(8),
    )
    rendered = render(compiled.envoy)
    check_types(rendered)
    check_with_envoy(rendered, envoy.path, _child_environ(environ))
    return CheckedGateway(compiled, rendered, tuple(problem.render() for problem in loaded.notices))


def prepare_gateway(config_path: Path, home: PlanoHome, environ: Mapping[str, str], envoy: EnvoyBinary) -> Gateway:
    """Check a configuration: what comes out can be written and started. Nothing is changed yet.

    Raises ConfigError with every mistake of the file, or PlanoError.
    """
    return prepare_loaded(load_config(config_path, environ), home, environ, envoy)


def prepare_loaded(loaded: LoadedConfig, home: PlanoHome, environ: Mapping[str, str], envoy: EnvoyBinary) -> Gateway:
    """The same for a configuration that has been read already. Raises PlanoError."""
    checked = _check_loaded(loaded, home, environ, envoy)
    compiled = checked.compiled
    return Gateway(
        config_path=loaded.path,
        processes=_processes(compiled, home, envoy, _child_environ(environ)),
        listeners=compiled.listeners,
        channels=compiled.channels,
        ready_urls=tuple(ready_url(each.address, each.port) for each in compiled.listeners),
        admin_socket=compiled.envoy.admin_socket,
        rotated_logs=(
            home.logs / "envoy.log",
            compiled.envoy.access_log,
            Path(compiled.brightstaff.log_file),
            home.decisions,
            *(() if compiled.router is None else (Path(compiled.router.log_file),)),
        ),
        forgotten=tuple(
            database.with_name(database.name + suffix)
            for database in (home.ledger, home.conversations)
            for suffix in ("", "-wal", "-shm")
        ),
        notices=checked.notices,
        resources={home.run / name: text for name, text in checked.rendered.items()},
    )


def _child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in _PASSED_ON if name in environ}


def _processes(
    compiled: CompiledGateway, home: PlanoHome, envoy: EnvoyBinary, environ: Mapping[str, str]
) -> tuple[ProcessSpec, ...]:
    workers = tuple(
        ProcessSpec(
            name=worker.cluster,
            # -P: a folder of the same name in the current directory must not come first.
            argv=(sys.executable, "-P", "-m", "brightstaff"),
            env=environ,
            stdin=encode_settings(msgspec.structs.replace(compiled.brightstaff, socket=str(worker.socket))),
            log_file=Path(compiled.brightstaff.log_file),
            ready=UnixSocketAccepts(worker.socket),
        )
        for worker in compiled.envoy.workers
    )
    envoy_log = home.logs / "envoy.log"
    arguments = {
        "-c": str(home.run / BOOTSTRAP),
        "--concurrency": str(min(_MOST_WORKERS, os.cpu_count() or 1)),
        "--log-level": "warning",
        "--log-path": str(envoy_log),
        # Of access_llm.log, too: who follows it wants to see requests now.
        "--file-flush-interval-msec": "500",
        # What still runs on a listener that was replaced is left alone: an agent's answer may take long.
        "--drain-time-s": "86400",
        "--parent-shutdown-time-s": "86500",
    }
    flags = tuple(word for pair in arguments.items() for word in pair)
    return (
        *_router(compiled, environ),
        *workers,
        ProcessSpec(
            name="envoy",
            argv=(str(envoy.path), *flags, "--disable-hot-restart"),
            env=environ,
            stdin=None,
            log_file=envoy_log,
            ready=HttpOk("http://localhost/ready", unix_socket=compiled.envoy.admin_socket),
        ),
    )


def _router(compiled: CompiledGateway, environ: Mapping[str, str]) -> tuple[ProcessSpec, ...]:
    """The process that decides by intent; none where nothing is routed."""
    if compiled.router is None:
        return ()
    return (
        ProcessSpec(
            name="router",
            argv=(sys.executable, "-P", "-m", "plano_router"),
            env=environ,
            stdin=encode_router_settings(compiled.router),
            log_file=Path(compiled.router.log_file),
            ready=UnixSocketAccepts(Path(compiled.router.socket)),
            stop_grace_s=3.0,
            optional=True,
        ),
    )


def ready_url(address: str, port: int) -> str:
    """Where to ask a listener whether it works; a wildcard address is asked on loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    return f"http://[{host}]:{port}/readyz" if ":" in host else f"http://{host}:{port}/readyz"


def resolve_host(host: str) -> str:
    """The first address of a host. Raises PlanoError."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:  # the latter for what can be no name, such as a..b
        raise PlanoError(f"the proxy {host} has no address: {error}", "Check the name of the proxy.") from None


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only. Envoy picks resources up on such a rename."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
