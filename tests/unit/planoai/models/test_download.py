"""planoai.models.download: against a server that breaks off, lies, redirects and changes its mind."""

import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from planoai.errors import PlanoError
from planoai.models.catalogue import APACHE_2, Source
from planoai.models.download import RESERVE, Downloader, Offer, read_offer
from planoai.models.store import Note, part_file, read_note

CONTENT = b"GGUF" + bytes(range(256)) * 9000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Hub:
    """A server with one file; `steps` say what becomes of each request, the last for all that follow."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.etag = '"one"'
        self.steps: list[str | int] = ["all"]
        self.ranges: list[str | None] = []
        self.tokens: list[str | None] = []
        self.url = ""

    async def redirect(self, request: web.Request) -> web.StreamResponse:
        """As the hub does with large files."""
        self.tokens.append(request.headers.get("Authorization"))
        headers = {"X-Linked-Size": str(len(self.content)), "X-Linked-Etag": f'"{self.digest}"', "Location": "/file"}
        return web.Response(status=302, headers=headers)

    @property
    def digest(self) -> str:
        """Of what it has."""
        return hashlib.sha256(self.content).hexdigest()

    async def file(self, request: web.Request) -> web.StreamResponse:
        """All of it, some bytes, a status, or damaged bytes."""
        self.ranges.append(request.headers.get("Range"))
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, int) and 100 <= step < 600:
            return web.Response(status=step)
        start = 0
        asked = request.headers.get("Range")
        if asked and step != "no ranges":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(self.content):
                return web.Response(status=416, headers={"Content-Range": f"bytes */{len(self.content)}"})
        answer = web.StreamResponse(status=206 if start else 200, headers={"ETag": self.etag})
        if start:
            answer.headers["Content-Range"] = f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
        answer.content_length = len(self.content) - start
        await answer.prepare(request)
        rest = self.content[start:]
        if step == "damaged":
            rest = bytes(len(rest))
        if isinstance(step, int):
            await answer.write(rest[:step])
            assert request.transport is not None
            request.transport.abort()
            return answer
        await answer.write(rest)
        return answer


class Told:
    """What the user would see."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, int | None]] = []
        self.bytes = 0
        self.said: list[str] = []

    def begin(self, done: int, total: int | None) -> None:
        """Kept."""
        self.begun.append((done, total))

    def advance(self, count: int) -> None:
        """Counted."""
        self.bytes += count

    def say(self, text: str) -> None:
        """Kept."""
        self.said.append(text)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """The server, on a free port."""
    hub = Hub()
    application = web.Application()
    application.router.add_get("/m.gguf", hub.redirect)
    application.router.add_get("/file", hub.file)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield hub
    await runner.cleanup()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the model goes."""
    return tmp_path / "models" / "m.gguf"


async def download(
    hub: Hub,
    path: Path,
    told: Told | None = None,
    *,
    sha256: str | None = None,
    file: str = "m.gguf",
    free: int = 10**12,
) -> Note:
    """Download the hub's file; pauses take no time."""

    async def pause(_seconds: float) -> None:
        return

    async with aiohttp.ClientSession() as session:
        downloader = Downloader(session, lambda _: free, pause=pause)
        source = Source("m", f"{hub.url}/{file}", sha256, None, APACHE_2)
        return await downloader.download(source, path, told or Told())


async def test_a_whole_file(hub: Hub, path: Path) -> None:
    """In its place, with a note of where it came from, readable for its owner; nothing else is left."""
    told = Told()
    note = await download(hub, path, told)
    assert CONTENT == path.read_bytes()
    assert Note(f"{hub.url}/m.gguf", DIGEST, len(CONTENT), "Apache-2.0") == note == read_note(path)
    assert {"m.gguf", "m.json"} == {each.name for each in path.parent.iterdir()}
    assert ([(0, len(CONTENT))], len(CONTENT), []) == (told.begun, told.bytes, told.said)
    assert 0o700 == path.parent.stat().st_mode & 0o777


async def test_it_goes_on_where_it_was_cut_off(hub: Hub, path: Path) -> None:
    """However often; no byte is asked for twice; busy servers are asked again."""
    hub.steps = [700_000, 503, 900_000, 429, "all"]
    told = Told()
    await download(hub, path, told)
    assert CONTENT == path.read_bytes()
    assert [None, "bytes=700000-", "bytes=700000-", "bytes=1600000-", "bytes=1600000-"] == hub.ranges
    assert len(CONTENT) == told.bytes
    assert 4 == len(told.said)


async def test_it_goes_on_the_next_day(hub: Hub, path: Path) -> None:
    """What had arrived when it was given up is there for the next command."""
    hub.steps = [700_000, 503]
    with pytest.raises(PlanoError, match="does not go on: status 503") as caught:
        await download(hub, path)
    assert "HF_ENDPOINT" in str(caught.value.remedy)
    assert not path.exists()
    assert 700_000 == part_file(path).stat().st_size
    hub.steps = ["all"]
    told = Told()
    await download(hub, path, told)
    assert (CONTENT, [(700_000, len(CONTENT))]) == (path.read_bytes(), told.begun)


async def test_a_file_that_has_changed_meanwhile(hub: Hub, path: Path) -> None:
    """Two halves of two files do not make one."""
    hub.steps = [700_000, 503]
    with pytest.raises(PlanoError):
        await download(hub, path)
    hub.content, hub.steps = CONTENT[::-1], ["all"]
    hub.content = b"GGUF" + hub.content
    await download(hub, path)
    assert hub.content == path.read_bytes()


async def test_a_server_without_ranges(hub: Hub, path: Path) -> None:
    """It begins again, and ends whole."""
    hub.steps = [700_000, "no ranges"]
    await download(hub, path)
    assert CONTENT == path.read_bytes()


@pytest.mark.parametrize("file", ["m.gguf", "file"])
async def test_all_bytes_were_there(hub: Hub, path: Path, file: str) -> None:
    """Interrupted between the last byte and the end: nothing is asked for again, or all of it, and it is right."""
    hub.steps = [700_000, 503]
    with pytest.raises(PlanoError):
        await download(hub, path, file=file)
    part_file(path).write_bytes(CONTENT)
    hub.steps = ["all"]
    await download(hub, path, file=file)
    assert CONTENT == path.read_bytes()


async def test_damage_is_noticed(hub: Hub, path: Path) -> None:
    """By the checksum that the hub tells: once more, then it is given up, and nothing is kept."""
    hub.steps = ["damaged", "all"]
    told = Told()
    await download(hub, path, told)
    assert (CONTENT, 1) == (path.read_bytes(), len(told.said))
    path.unlink()
    path.with_suffix(".json").unlink()
    hub.steps = ["damaged"]
    with pytest.raises(PlanoError, match=f"does not have the SHA-256 that it should \\({DIGEST}"):
        await download(hub, path)
    assert [] == list(path.parent.iterdir())


async def test_the_pin_counts_more_than_what_the_server_says(hub: Hub, path: Path) -> None:
    """A file that was replaced on the hub is not taken."""
    with pytest.raises(PlanoError, match="SHA-256"):
        await download(hub, path, sha256="0" * 64)
    assert not path.exists()
    assert DIGEST == (await download(hub, path, sha256=DIGEST)).sha256


async def test_a_page_is_no_model(hub: Hub, path: Path) -> None:
    """Whatever a portal or a log-in page answers with status 200."""
    hub.content = b"<!doctype html>please log in"
    with pytest.raises(PlanoError, match="no GGUF file"):
        await download(hub, path, file="file")
    assert [] == list(path.parent.iterdir())


@pytest.mark.parametrize(("status", "told"), [(401, "HF_TOKEN"), (403, "licence"), (404, "name"), (410, "address")])
async def test_refusals(hub: Hub, path: Path, status: int, told: str) -> None:
    """Are final, and say what to do."""
    hub.steps = [status]
    with pytest.raises(PlanoError, match=f"says {status}") as caught:
        await download(hub, path)
    assert told in str(caught.value.remedy)
    assert (1, []) == (len(hub.ranges), list(path.parent.iterdir()))


async def test_room_is_looked_for_before(hub: Hub, path: Path) -> None:
    """Not when the disk is full: the whole file and a reserve must fit, less what is there already."""
    with pytest.raises(PlanoError, match="not enough room"):
        await download(hub, path, free=len(CONTENT) + RESERVE - 1)
    await download(hub, path, free=len(CONTENT) + RESERVE)


async def test_a_host_that_is_not_there(path: Path) -> None:
    """Given up after some tries."""
    hub = Hub()
    hub.url = "http://127.0.0.1:1"
    told = Told()
    with pytest.raises(PlanoError, match="does not go on: Cannot connect"):
        await download(hub, path, told)
    assert 4 == len(told.said)


async def test_two_commands_do_not_mix(hub: Hub, path: Path) -> None:
    """The second is told about the first."""
    path.parent.mkdir()
    with part_file(path).open("ab") as file:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(PlanoError, match="Another planoai command downloads m"):
            await download(hub, path)


async def test_a_token_stays_with_the_host_that_it_is_for(path: Path) -> None:
    """The storage to which the hub sends us does not get it; plain HTTP never does."""
    authority = trustme.CA()
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    seen: list[tuple[str, str | None]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.path, request.headers.get("Authorization")))
        if request.path == "/m.gguf":
            return web.Response(status=302, headers={"Location": f"{urls[1]}/file"})
        return web.Response(body=CONTENT)

    application = web.Application()
    application.router.add_get("/{name}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    for tls in (served, served, None):
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    ports = [address[1] for address in runner.addresses]
    urls = [f"https://127.0.0.1:{ports[0]}", f"https://127.0.0.1:{ports[1]}", f"http://127.0.0.1:{ports[2]}"]
    async with aiohttp.ClientSession() as session:
        downloader = Downloader(session, lambda _: 10**12, token="hf_secret", tls=trusted)
        await downloader.download(Source("m", f"{urls[0]}/m.gguf", None), path, Told())
        await downloader.download(Source("m", f"{urls[2]}/file", None), path, Told())
    await runner.cleanup()
    assert [("/m.gguf", "Bearer hf_secret"), ("/file", None), ("/file", None)] == seen


def test_what_an_answer_offers() -> None:
    """Sizes and checksums from the hub's own headers before those of the storage behind it."""
    etag = f'"{DIGEST}"'
    first = {"X-Linked-Size": "10", "X-Linked-Etag": etag}
    assert Offer(0, 10, DIGEST, etag) == read_offer(200, {"Content-Length": "10", "ETag": '"x"'}, first)
    assert Offer(4, 10, None, '"x"') == read_offer(206, {"Content-Range": "bytes 4-9/10", "ETag": '"x"'}, {})
    assert Offer(4, None, None, "") == read_offer(206, {"Content-Range": "bytes 4-9/*"}, {})
    assert Offer(0, None, None, "") == read_offer(200, {}, {})
    # Small files have no SHA-256 but one of git.
    assert read_offer(200, {}, {"X-Linked-Etag": '"' + "a" * 40 + '"'}).sha256 is None
