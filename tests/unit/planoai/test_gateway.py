"""From config.yaml to processes: what they are given, and what is written for them."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import yaml

from brightstaff.settings import decode_settings
from planoai.config import ConfigError
from planoai.envoy_binary import EnvoyBinary, EnvoyOrigin
from planoai.errors import PlanoError
from planoai.gateway import Gateway, check_gateway, prepare_gateway, ready_url, resolve_host, write_private
from planoai.home import PlanoHome
from planoai.supervisor.spec import HttpOk, UnixSocketAccepts

CONFIG = """
listeners:
  - {name: one, address: 0.0.0.0, port: 12001}
  - {name: two, address: "::", port: 12002}
model_providers:
  - {model: a/one, base_url: "https://a.example", access_key: $FIRST_KEY, default: true}
  - {model: b/one, base_url: "https://b.example", access_key: $SECOND_KEY, headers: {X-Token: $TOKEN}}
  - {model: c/one, base_url: "https://c.example", access_key: sk-literal-secret}
tracing: {}
"""
SECRETS = {"FIRST_KEY": "sk-first-secret", "TOKEN": "token-secret"}


@pytest.fixture
def home(tmp_path: Path) -> PlanoHome:
    """A home that is not there yet."""
    return PlanoHome(tmp_path / "home")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with three keys: from the environment, from `.env`, and literal."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    (tmp_path / ".env").write_text("SECOND_KEY=sk-second-secret\n")
    (tmp_path / ".env").chmod(0o600)
    return path


@pytest.fixture
def envoy(tmp_path: Path) -> EnvoyBinary:
    """A program that accepts every configuration."""
    path = tmp_path / "envoy"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return EnvoyBinary(path, "1.40.0", EnvoyOrigin.OPTION)


@pytest.fixture
def prepare(config: Path, home: PlanoHome, envoy: EnvoyBinary) -> Callable[..., Gateway]:
    """Prepares the gateway, with these further variables."""
    environ = {"PATH": "/usr/bin:/bin", **SECRETS}
    return lambda **more: prepare_gateway(config, home, {**environ, **more}, envoy)


def test_what_is_shown(prepare: Callable[..., Gateway], config: Path) -> None:
    """Listeners, channels with the names of their keys, where to ask for readiness, notices."""
    gateway = prepare()

    assert config == gateway.config_path
    assert ["one", "two"] == [each.name for each in gateway.listeners]
    assert ["$FIRST_KEY", "$SECOND_KEY", "literal key"] == [each.key_name for each in gateway.channels]
    assert ("http://127.0.0.1:12001/readyz", "http://[::1]:12002/readyz") == gateway.ready_urls
    assert [True] == ["`tracing` has no effect" in notice for notice in gateway.notices]


def test_no_key_is_given_to_a_process_but_through_standard_input(prepare: Callable[..., Gateway]) -> None:
    """Not in an argument, not in the environment of Envoy or of brightstaff, not in a file, not in a repr."""
    gateway = prepare(OPENAI_API_KEY="other-secret", HTTPS_PROXY_PASSWORD="other-secret")
    seen = [*gateway.resources.values(), repr(gateway)]
    for process in gateway.processes:
        seen += [*process.argv, str(dict(process.env)), repr(process)]

    assert not [text for text in seen if "secret" in text]
    brightstaff, envoy = gateway.processes
    assert ["sk-first-secret", "sk-second-secret", "sk-literal-secret"] == [
        each.key for each in decode_settings(brightstaff.stdin or b"").channels
    ]
    assert envoy.stdin is None


def test_the_environment_of_the_processes(prepare: Callable[..., Gateway]) -> None:
    """What a program needs to run, where it is set; proxies and keys are not among it."""
    gateway = prepare(HOME="/home/x", LANG="C.UTF-8", HTTPS_PROXY="", RES_OPTIONS="timeout:1", SSLKEYLOGFILE="/x")

    for process in gateway.processes:
        assert {
            "PATH": "/usr/bin:/bin",
            "HOME": "/home/x",
            "LANG": "C.UTF-8",
            "RES_OPTIONS": "timeout:1",
        } == process.env


def test_the_processes(prepare: Callable[..., Gateway], home: PlanoHome, envoy: EnvoyBinary) -> None:
    """First brightstaff, then Envoy, each with its log and the sign that it is ready."""
    gateway = prepare()
    brightstaff, envoy_process = gateway.processes

    assert ("brightstaff", "envoy") == (brightstaff.name, envoy_process.name)
    assert ("-P", "-m", "brightstaff") == brightstaff.argv[1:]
    assert UnixSocketAccepts(home.sockets / "brightstaff.sock") == brightstaff.ready
    assert str(envoy.path) == envoy_process.argv[0]
    assert str(home.run / "bootstrap.yaml") == envoy_process.argv[envoy_process.argv.index("-c") + 1]
    assert HttpOk("http://localhost/ready", home.sockets / "envoy-admin.sock") == envoy_process.ready
    assert gateway.admin_socket == home.sockets / "envoy-admin.sock"
    logs = {home.logs / name for name in ("brightstaff.log", "envoy.log", "access_llm.log", "decisions.jsonl")}
    assert logs == set(gateway.rotated_logs)
    assert {brightstaff.log_file, envoy_process.log_file} < logs


def test_several_workers(prepare: Callable[..., Gateway], config: Path, home: PlanoHome) -> None:
    """Each is told its own socket, and otherwise the same; they share one log."""
    config.write_text(config.read_text() + "\nworkers: 3\n")
    *workers, envoy_process = prepare().processes

    assert ["brightstaff-1", "brightstaff-2", "brightstaff-3"] == [each.name for each in workers]
    assert "envoy" == envoy_process.name
    told = [decode_settings(each.stdin or b"") for each in workers]
    assert [str(home.sockets / f"{each.name}.sock") for each in workers] == [each.socket for each in told]
    assert [UnixSocketAccepts(Path(each.socket)) for each in told] == [each.ready for each in workers]
    assert 1 == len({msgspec.json.encode(msgspec.structs.replace(each, socket="")) for each in told})
    assert {home.logs / "brightstaff.log"} == {each.log_file for each in workers}


def test_nothing_is_changed_before_write(prepare: Callable[..., Gateway], home: PlanoHome) -> None:
    """A configuration that turns out to be wrong leaves what runs alone."""
    prepare()

    assert not home.root.exists()


def test_written_files(prepare: Callable[..., Gateway], home: PlanoHome) -> None:
    """All three, for the owner only, and nothing besides."""
    home.create()
    prepare().write()
    files = [path for path in home.run.iterdir() if path.is_file()]

    assert {"bootstrap.yaml", "clusters.yaml", "listeners.yaml"} == {path.name for path in files}
    assert {0o600} == {path.stat().st_mode & 0o777 for path in files}
    names = [each["name"] for each in yaml.safe_load((home.run / "clusters.yaml").read_text())["resources"]]
    assert ["a/one", "b/one", "c/one"] == names


def test_who_starts_anew_holds_nothing_against_any_channel(prepare: Callable[..., Gateway], home: PlanoHome) -> None:
    """What an older gateway remembered is gone: its keys may have been replaced."""
    home.create()
    for suffix in ("", "-wal", "-shm"):
        home.ledger.with_name(home.ledger.name + suffix).write_text("old")
    prepare().write()

    assert not list(home.run.glob("channels.sqlite*"))


def test_each_gateway_has_a_header_of_its_own(prepare: Callable[..., Gateway]) -> None:
    """No provider can learn the name of the header for local failures from another gateway."""
    first, second = (decode_settings(prepare().processes[0].stdin or b"").local_header for _ in range(2))

    assert first != second
    assert len(first) >= len("x-plano-local-") + 16


def test_a_wrong_configuration(config: Path, home: PlanoHome, envoy: EnvoyBinary) -> None:
    """Every mistake of the file, before Envoy is asked."""
    config.write_text("model_providers:\n  - {model: nameless}\n  - {model: a/b, base_url: nowhere}\n")
    with pytest.raises(ConfigError) as caught:
        check_gateway(config, home, {}, envoy)

    assert [2, 3] == [problem.line for problem in caught.value.errors]


def test_a_configuration_that_envoy_refuses(config: Path, home: PlanoHome, tmp_path: Path) -> None:
    """Its reason is passed on."""
    path = tmp_path / "refusing"
    path.write_text("#!/bin/sh\necho 'error: I do not like it'\nexit 1\n")
    path.chmod(0o755)
    with pytest.raises(PlanoError, match="error: I do not like it"):
        check_gateway(config, home, SECRETS, EnvoyBinary(path, "1.40.0", EnvoyOrigin.OPTION))


def test_a_ca_file_that_is_missing(config: Path, home: PlanoHome, envoy: EnvoyBinary) -> None:
    """Before Envoy is asked."""
    config.write_text(config.read_text() + "overrides: {upstream_tls_ca_path: /none/ca.pem}\n")
    with pytest.raises(PlanoError, match=r"upstream_tls_ca_path names /none/ca\.pem"):
        check_gateway(config, home, SECRETS, envoy)


def test_envoys_version_matters(config: Path, home: PlanoHome, envoy: EnvoyBinary) -> None:
    """What an older Envoy does not know is not written for it."""
    older = EnvoyBinary(envoy.path, "1.37.2", EnvoyOrigin.OPTION)
    texts = [check_gateway(config, home, SECRETS, each).rendered["bootstrap.yaml"] for each in (older, envoy)]

    assert [False, True] == ["allow_content_length_header" in text for text in texts]


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:80/readyz"),
        ("::", "http://[::1]:80/readyz"),
        ("127.0.0.1", "http://127.0.0.1:80/readyz"),
        ("2001:db8::1", "http://[2001:db8::1]:80/readyz"),
    ],
)
def test_ready_urls(address: str, url: str) -> None:
    """Wildcards are asked on loopback; IPv6 addresses stand in brackets."""
    assert url == ready_url(address, 80)


def test_addresses_of_proxies() -> None:
    """An address is its own; a name gets the first one that it has."""
    assert "192.0.2.1" == resolve_host("192.0.2.1")
    assert "2001:db8::1" == resolve_host("2001:db8::1")
    assert resolve_host("localhost") in ("127.0.0.1", "::1")


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "fe80::1%none"])
def test_a_proxy_without_an_address(host: str) -> None:
    """Whatever the resolver says, it is a sentence and no traceback."""
    with pytest.raises(PlanoError, match=f"the proxy {host} has no address"):
        resolve_host(host)


def test_files_are_replaced_and_not_rewritten(tmp_path: Path) -> None:
    """Who has the old file open reads the old text; the new one is another file, and nothing else is left."""
    path = tmp_path / "resources.yaml"
    write_private(path, "old")
    with path.open() as old:
        before = path.stat().st_ino
        write_private(path, "new 家")
        assert "old" == old.read()

    assert "new 家" == path.read_text(encoding="utf-8")
    assert before != path.stat().st_ino
    assert [path] == list(tmp_path.iterdir())


def test_a_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """0600 from its first byte on."""
    previous = os.umask(0)
    try:
        write_private(tmp_path / "resources.yaml", "x")
    finally:
        os.umask(previous)

    assert 0o600 == (tmp_path / "resources.yaml").stat().st_mode & 0o777


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """And no half-written one beside it."""
    path = tmp_path / "resources.yaml"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "new \udc80")

    assert "old" == path.read_text()
    assert [path] == list(tmp_path.iterdir())
