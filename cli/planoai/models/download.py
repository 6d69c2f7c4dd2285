"""Downloads one file: goes on where it was cut off, however often, and keeps only what has the right checksum."""

import asyncio
import hashlib
import os
import re
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from plano_router.llama_model import MAGIC
from planoai.errors import PlanoError
from planoai.models.catalogue import Source
from planoai.models.store import Note, part_file, part_tag_file, write_note

if sys.platform != "win32":
    import fcntl

#: Left free on the disk beside the file.
RESERVE = 256 * 1024 * 1024
_CHUNK = 1024 * 1024
_CONNECT_S, _SILENCE_S = 20.0, 60.0
#: After so many failures in a row without a byte in between it is given up.
_MOST_FAILURES = 5
_SHA256 = re.compile(r'(?:W/)?"?([0-9a-f]{64})"?')
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d*/(\d+|\*)")
_GIGABYTE = 1e9


class Progress(Protocol):
    """Who is told how it goes."""

    def begin(self, done: int, total: int | None) -> None:
        """So many bytes are there of so many; called again after each interruption."""

    def advance(self, count: int) -> None:
        """So many more."""

    def say(self, text: str) -> None:
        """Something that the user should know."""


@dataclass(frozen=True)
class Offer:
    """What an answer says of the file."""

    start: int
    """The first byte that it holds."""
    total: int | None
    sha256: str | None
    """Of the whole file, where the server tells it."""
    etag: str


class _Interrupted(Exception):  # noqa: N818  (no error yet: it goes on)
    """The connection broke, or the server is busy."""


class _StartAgain(Exception):  # noqa: N818
    """What is there belongs to another version of the file."""


def read_offer(status: int, headers: Mapping[str, str], first_headers: Mapping[str, str]) -> Offer:
    """The offer in an answer of status 200 or 206. Pure.

    `first_headers` are those of the first answer before redirections. There the hub tells the size and the SHA-256 of
    large files (https://huggingface.co/docs/hub/: X-Linked-Size, X-Linked-Etag); the storage behind it does not.
    """
    start, total = 0, _number(headers.get("Content-Length"))
    found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if status == 206 and found:
        start, total = int(found[1]), _number(found[2])
    linked_etag = first_headers.get("X-Linked-Etag", "")
    etag = linked_etag or headers.get("ETag", "")
    digest = _SHA256.fullmatch(linked_etag.strip().lower())
    linked_size = _number(first_headers.get("X-Linked-Size"))
    return Offer(start, linked_size or total, digest[1] if digest else None, etag)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


class Downloader:
    """Downloads with these means. `free_bytes` tells what a folder's disk has left, `pause` waits between two tries."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        free_bytes: Callable[[Path], int],
        *,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`token`: for the first host only, for files that are given out after a log-in."""
        self._session = session
        self._free_bytes = free_bytes
        self._token = token
        self._tls = tls
        self._pause = pause

    async def download(self, source: Source, path: Path, progress: Progress) -> Note:
        """Put the file of `source` at `path`. Raises PlanoError; what arrived until then stays for the next try."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _open_part(path) as part:
            digest = await self._verified(source, path, part, progress)
            size = _size(part)
            _refuse_other_kinds(source, part)
            write_note(path, Note(source.shown_url, digest, size, source.licence.name if source.licence else ""))
            part_file(path).replace(path)
        part_tag_file(path).unlink(missing_ok=True)
        return Note(source.shown_url, digest, size, source.licence.name if source.licence else "")

    async def _verified(self, source: Source, path: Path, part: BufferedRandom, progress: Progress) -> str:
        """Have the whole file, with the right checksum; returns that."""
        for started_again in (False, True):
            offer = await self._complete(source, path, part, progress)
            expected = source.sha256 or offer.sha256
            part.seek(0)
            digest = hashlib.file_digest(part, "sha256").hexdigest()
            if expected in (None, digest):
                return digest
            part.truncate(0)
            if not started_again:
                progress.say("The checksum does not match. Once more from the beginning.")
        raise PlanoError(
            f"{source.shown_url}: the file that arrived does not have the SHA-256 that it should ({expected})",
            "It was damaged or replaced. Nothing is kept. Try again later, or from another place.",
        )

    async def _complete(self, source: Source, path: Path, part: BufferedRandom, progress: Progress) -> Offer:
        """Have all bytes."""
        failures = 0
        while True:
            before = _size(part)
            try:
                return await self._go_on(source, path, part, progress)
            except _StartAgain:
                part.truncate(0)
            except _Interrupted as error:
                failures = 1 if _size(part) > before else failures + 1
                if failures >= _MOST_FAILURES:
                    raise PlanoError(
                        f"{source.shown_url}: the download does not go on: {error}",
                        "What has arrived is kept: the same command goes on from there. Is the host reachable? A "
                        "mirror of Hugging Face can be named in HF_ENDPOINT, a proxy in HTTPS_PROXY.",
                    ) from None
                progress.say(f"Interrupted ({error}). It goes on.")
                await self._pause(2.0 ** (failures - 1))

    async def _go_on(self, source: Source, path: Path, part: BufferedRandom, progress: Progress) -> Offer:
        have = _size(part)
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        if self._token and urlsplit(source.url).scheme == "https":
            # aiohttp leaves it behind when a redirection leads to another host.
            headers["Authorization"] = f"Bearer {self._token}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
        try:
            async with self._session.get(source.url, headers=headers, timeout=timeout, ssl=self._tls or True) as answer:
                first = answer.history[0].headers if answer.history else answer.headers
                if answer.status == 416:
                    return _nothing_left(read_offer(200, {}, first), have, path)
                _refuse(source, answer.status)
                offer = read_offer(answer.status, answer.headers, first)
                _begin(offer, have, path)
                self._need_room(offer, path)
                progress.begin(offer.start, offer.total)
                part.truncate(offer.start)
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    part.write(chunk)
                    progress.advance(len(chunk))
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise _Interrupted(str(error) or type(error).__name__) from None
        if offer.total is not None and _size(part) != offer.total:
            raise _Interrupted(f"{_size(part)} of {offer.total} bytes arrived")
        return offer

    def _need_room(self, offer: Offer, path: Path) -> None:
        if offer.total is None:
            return
        missing = offer.total - offer.start + RESERVE - self._free_bytes(path.parent)
        if missing > 0:
            raise PlanoError(
                f"There is not enough room in {path.parent}: {offer.total / _GIGABYTE:.1f} GB are needed, and some to "
                f"spare; {missing / _GIGABYTE:.1f} GB are missing",
                "Make room, or set PLANO_HOME to a folder on another disk.",
            )


def _begin(offer: Offer, have: int, path: Path) -> None:
    """What is there must be of the file that is offered."""
    if offer.start not in (0, have) or (offer.start and _read_tag(path) != offer.etag):
        raise _StartAgain
    part_tag_file(path).write_text(offer.etag, "utf-8")


def _read_tag(path: Path) -> str:
    try:
        return part_tag_file(path).read_text("utf-8")
    except OSError:
        return ""


def _refuse(source: Source, status: int) -> None:
    if status in (200, 206):
        return
    if status in (408, 429) or status >= 500:
        raise _Interrupted(f"status {status}")
    remedies = {
        401: "The file is given out after a log-in only: put a token of yours into HF_TOKEN.",
        403: "Your token may not have it. Has the licence been accepted on the model's page?",
        404: "Check the name; files on Hugging Face are renamed at times.",
    }
    raise PlanoError(
        f"{source.shown_url}: the server says {status}", remedies.get(status, "Is it the address of a file?")
    )


def _nothing_left(offer: Offer, have: int, path: Path) -> Offer:
    """The server has no byte behind those that are there: they are all, or of another file."""
    if (offer.total, _read_tag(path)) != (have, offer.etag):
        raise _StartAgain
    return offer


def _refuse_other_kinds(source: Source, part: BufferedRandom) -> None:
    part.seek(0)
    if part.read(len(MAGIC)) == MAGIC:
        return
    part.truncate(0)
    raise PlanoError(
        f"{source.shown_url}: what arrived is no GGUF file",
        "Is it the address of the file itself, or that of a page about it?",
    )


@contextmanager
def _open_part(path: Path) -> Iterator[BufferedRandom]:
    """What has arrived, to be added to, by one command at a time. Removed where nothing has."""
    with part_file(path).open("a+b") as file:
        if not _locked(file):
            raise PlanoError(
                f"Another planoai command downloads {path.stem}", "Wait until it has ended, or end it, and try again."
            )
        try:
            yield file
        finally:
            file.flush()
            if part_file(path).exists() and not _size(file):
                part_file(path).unlink()
                part_tag_file(path).unlink(missing_ok=True)


def _locked(file: BufferedRandom) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _size(file: BufferedRandom) -> int:
    file.flush()
    return os.fstat(file.fileno()).st_size
