"""Models that are known to work as routers, and what a user may name instead. Pure, but for reading the pins.

Their checksums stand in checksums.sha256, together with those of everything else that planoai may download.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from planoai.errors import EXIT_USAGE, PlanoError

#: Where the files of `OWNER/REPO/FILE.gguf` are, unless HF_ENDPOINT names a mirror.
HUB = "https://huggingface.co"
_SUFFIX = ".gguf"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Licence:
    """Under what terms a model may be used."""

    name: str
    url: str = ""
    restriction: str = ""
    """What has to be agreed to, in a sentence; empty for licences that allow every use."""


APACHE_2 = Licence("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0")
#: The licence of that family; the text of these two models could not be read when this was written.
KATANEMO = Licence(
    "katanemo-research",
    "https://huggingface.co/katanemo/Arch-Router-1.5B/blob/main/LICENSE",
    "The licence of this family of models forbids some uses, among them delivering the model as part of a gateway "
    "product. Read it, and decide whether your use is allowed.",
)


@dataclass(frozen=True)
class Model:
    """A model of the catalogue."""

    name: str
    path: str
    """OWNER/REPO/FILE.gguf on the hub."""
    size: int
    """Bytes; of models without a pin, about."""
    licence: Licence
    remark: str
    revision: str = "main"


#: What may be used for everything first; among these, the one that suits most machines first.
CATALOGUE: tuple[Model, ...] = (
    Model(
        "qwen2.5-1.5b-instruct",
        "Qwen/Qwen2.5-1.5B-Instruct-GGUF/qwen2.5-1.5b-instruct-q4_k_m.gguf",
        1_117_320_736,
        APACHE_2,
        "for most machines without a graphics processor",
        "91cad51170dc346986eccefdc2dd33a9da36ead9",
    ),
    Model(
        "qwen2.5-0.5b-instruct",
        "Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q4_k_m.gguf",
        491_400_032,
        APACHE_2,
        "for small machines; often wrong",
        "9217f5db79a29953eb74d5343926648285ec7e67",
    ),
    Model(
        "qwen3-1.7b",
        "unsloth/Qwen3-1.7B-GGUF/Qwen3-1.7B-Q4_K_M.gguf",
        1_107_409_472,
        APACHE_2,
        "like the 1.5b, of a newer family",
    ),
    Model(
        "qwen3-4b-instruct-2507",
        "bartowski/Qwen_Qwen3-4B-Instruct-2507-GGUF/Qwen_Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
        2_497_280_736,
        APACHE_2,
        "for graphics processors and Apple silicon",
        "ae44f08e1392f39c0e474af10c3ff8355c8b6688",
    ),
    Model(
        "arch-router-1.5b",
        "katanemo/Arch-Router-1.5B.gguf/Arch-Router-1.5B-Q4_K_M.gguf",
        986_000_000,
        KATANEMO,
        "trained as a router, in English",
    ),
    Model(
        "plano-orchestrator-4b",
        "mradermacher/Plano-Orchestrator-4B-GGUF/Plano-Orchestrator-4B.Q4_K_M.gguf",
        2_500_000_000,
        KATANEMO,
        "trained as a router; for graphics processors",
    ),
)


@dataclass(frozen=True)
class Source:
    """What is to be downloaded."""

    name: str
    """Under which it will be known here; the file is NAME.gguf."""
    url: str
    sha256: str | None
    """What the file must have; None: what the server says of it, if it does."""
    size: int | None = None
    """Bytes, where known beforehand."""
    licence: Licence | None = None

    @property
    def shown_url(self) -> str:
        """The URL for people and files: without what may be a secret in it (a user, a password, a signature)."""
        return public_url(self.url)


def find_source(named: str, pins: Mapping[str, str], endpoint: str = HUB, sha256: str | None = None) -> Source:
    """A name of the catalogue, OWNER/REPO/FILE.gguf on the hub, or a URL. Raises PlanoError.

    `pins`: file name → SHA-256. `endpoint`: the hub or a mirror of it. `sha256`: what the user says.
    """
    if sha256 is not None and not _SHA256.fullmatch(sha256.lower()):
        raise PlanoError("--sha256 takes 64 hexadecimal digits", exit_code=EXIT_USAGE)
    endpoint = endpoint.rstrip("/") or HUB
    known = next((each for each in CATALOGUE if each.name == named.lower()), None)
    if known is not None:
        file = known.path.rpartition("/")[2]
        pinned = pins.get(file)
        url = _on_hub(known.path, known.revision, endpoint)
        return Source(known.name, url, _pin(sha256, pinned), known.size if pinned else None, known.licence)
    if "://" in named:
        return Source(_name_of(urlsplit(named).path), _checked_url(named, sha256), _pin(sha256, None))
    if named.count("/") >= 2 and named.lower().endswith(_SUFFIX):
        file = named.rpartition("/")[2]
        return Source(_name_of(named), _on_hub(named, "main", endpoint), _pin(sha256, pins.get(file)))
    names = ", ".join(each.name for each in CATALOGUE)
    raise PlanoError(
        f"There is no model {named!r} in the catalogue",
        f"It has {names}. Or give OWNER/REPO/FILE.gguf on Hugging Face, or the URL of a GGUF file.",
        exit_code=EXIT_USAGE,
    )


def public_url(url: str) -> str:
    """A URL without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def read_pins(text: str) -> dict[str, str]:
    """File name → SHA-256, from lines as sha256sum(1) writes them."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        digest, _, name = line.partition(" ")
        if _SHA256.fullmatch(digest):
            found[name.strip().removeprefix("*")] = digest
    return found


def _pin(said: str | None, pinned: str | None) -> str | None:
    return said.lower() if said is not None else pinned


def _on_hub(path: str, revision: str, endpoint: str) -> str:
    owner, repository, file = path.split("/", 2)
    return f"{endpoint}/{quote(owner)}/{quote(repository)}/resolve/{revision}/{quote(file)}"


def _checked_url(url: str, sha256: str | None) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise PlanoError(f"{public_url(url)}: only https:// and http:// URLs can be downloaded", exit_code=EXIT_USAGE)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and sha256 is None:
        raise PlanoError(
            f"{public_url(url)}: without TLS anybody on the way may change the file",
            "Use https://, or say with --sha256 what the file must have.",
            exit_code=EXIT_USAGE,
        )
    if not parts.path.lower().endswith(_SUFFIX):
        raise PlanoError(
            f"{public_url(url)} does not name a {_SUFFIX} file",
            "On Hugging Face, take the link of a single file: …/resolve/main/NAME.gguf.",
            exit_code=EXIT_USAGE,
        )
    # What a browser shows of a file on the hub is a page; the file itself is beside it.
    return url.replace("/blob/", "/resolve/", 1)


def _name_of(path: str) -> str:
    name = unquote(path.rpartition("/")[2])[: -len(_SUFFIX)].lower()
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "model"
