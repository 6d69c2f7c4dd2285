"""`planoai models`: local language models for the `llama` router."""

import asyncio
import os
import shutil
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from planoai.ca_certificates import find_ca_file
from planoai.commands.output import Output, aligned
from planoai.errors import EXIT_FAILURE, EXIT_USAGE, PlanoError
from planoai.home import PlanoHome
from planoai.models.catalogue import CATALOGUE, HUB, Source, find_source, read_pins
from planoai.models.download import Downloader
from planoai.models.store import Note, model_file, part_file, read_note, remove_model, stored_models

_PINS = "checksums.sha256"
#: In a pipe progress is told in lines, each for so many per cent.
_STEP = 10


@click.group()
def models() -> None:
    """Local language models for `routing.backend: llama`: list, download, remove.

    Nothing is downloaded but by `planoai models pull`.
    """


@models.command("list")
def list_models() -> None:
    """List the models of the catalogue and those that are here.

    \b
    Exit codes:
      0  listed
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    output, home = Output(), PlanoHome.from_environment(os.environ)
    here = {each.name: each for each in stored_models(home)}
    rows = [("", "model", "size", "licence", "")]
    for known in CATALOGUE:
        restricted = " (restricted)" if known.licence.restriction else ""
        mark = "✓" if known.name in here else ""
        rows.append((mark, known.name, _gigabytes(known.size), f"{known.licence.name}{restricted}", known.remark))
    names = {each.name for each in CATALOGUE}
    rows += [
        ("✓", each.name, _gigabytes(each.size), "", each.note.url if each.note else "")
        for each in here.values()
        if each.name not in names
    ]
    for line in aligned(rows):
        output.line(line)
    output.note(
        "✓ is here. Download one with `planoai models pull NAME`; it needs `pip install 'planoai[llama]'` to run."
    )


@models.command()
@click.argument("name", metavar="NAME|URL")
@click.option("--sha256", metavar="HEX", help="What the file must have.  [default: the pin, or what the server says]")
@click.option("--accept-licence", is_flag=True, help="Agree to a licence that restricts, without being asked.")
@click.option("--force", is_flag=True, help="Download it although it is here.")
def pull(name: str, *, sha256: str | None, accept_licence: bool, force: bool) -> None:
    """Download a model: a NAME of the catalogue, OWNER/REPO/FILE.gguf on Hugging Face, or the URL of a GGUF file.

    What was cut off goes on where it stopped, within the command and when it is given again. The file is kept only with
    the right SHA-256. It goes to `models` in Plano's home; a gateway uses it after the next `planoai up`.

    Environment: HF_ENDPOINT, a mirror of Hugging Face; HF_TOKEN, for files that need a log-in; HTTPS_PROXY.

    \b
    Examples:
      planoai models pull qwen2.5-1.5b-instruct
      HF_ENDPOINT=https://hf-mirror.com planoai models pull qwen2.5-1.5b-instruct

    \b
    Exit codes:
      0    it is here
      1    the download failed; what arrived is kept for the next try
      2    the command line is wrong, or the licence was not accepted
      130  interrupted by Ctrl-C; what arrived is kept
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    output, home = Output(), PlanoHome.from_environment(os.environ)
    source = find_source(name, read_pins(_read_pins()), os.environ.get("HF_ENDPOINT") or HUB, sha256)
    path = model_file(home, source.name)
    if path.exists() and not force:
        note = read_note(path)
        if note is None or source.sha256 in (None, note.sha256):
            output.line(f"{source.name} is here: {path}. --force downloads it again.")
            return
        raise PlanoError(
            f"{path} is another file than the one that is asked for",
            "`--force` replaces it.",
            exit_code=EXIT_USAGE,
        )
    _agree(output, source, accepted=accept_licence)
    if part_file(path).exists():
        output.line(f"Going on with {source.shown_url}")
    else:
        output.line(f"Downloading {source.shown_url}")
    note = asyncio.run(_pull(source, path, os.environ))
    output.line(f"✓ {source.name} is here: {path} ({_gigabytes(note.size)}, SHA-256 {note.sha256})", style="bold green")
    if source.sha256 is None:
        output.note(
            "No checksum was known beforehand. --sha256 with this one makes sure that others get the same file."
        )
    others = [each.name for each in stored_models(home) if each.name != source.name]
    if others:
        output.line(
            f"There are other models, too ({', '.join(others)}): name this one: `routing: {{model: {source.name}}}`."
        )


@models.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the model NAME, or a download of it that was begun.

    \b
    Exit codes:
      0  removed
      2  there is no such model
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    size = remove_model(PlanoHome.from_environment(os.environ), name)
    Output().line(f"{name} is removed; {_gigabytes(size)} are free again.")


def _agree(output: Output, source: Source, *, accepted: bool) -> None:
    licence = source.licence
    if licence is None:
        output.note("Its licence is not known here. Read it where the file comes from.")
        return
    output.line(f"Licence: {licence.name}, {licence.url}")
    if not licence.restriction or accepted:
        return
    output.warning(licence.restriction)
    if not sys.stdin.isatty():
        raise PlanoError(
            f"{source.name}: its licence has to be accepted", "Give --accept-licence.", exit_code=EXIT_USAGE
        )
    if not click.confirm("Have you read the licence, and does it allow your use?"):
        raise PlanoError("The licence was not accepted: nothing is downloaded", exit_code=EXIT_USAGE)


async def _pull(source: Source, path: Path, environ: Mapping[str, str]) -> Note:
    tls = ssl.create_default_context(cafile=find_ca_file(None, environ))
    async with aiohttp.ClientSession(trust_env=True) as session:
        with _Shown() as shown:
            downloader = Downloader(session, _free_bytes, token=environ.get("HF_TOKEN"), tls=tls)
            return await downloader.download(source, path, shown)


class _Shown:
    """Progress as a bar on a terminal, as lines in a pipe."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("  "),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)
        self._done, self._total, self._told = 0, 0, 0

    def __enter__(self) -> "_Shown":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, done: int, total: int | None) -> None:
        self._done, self._total = done, total or 0
        self._bar.update(self._task, completed=done, total=total)
        if done and not self._console.is_terminal:
            self._console.print(f"  {_gigabytes(done)} were there already", highlight=False)

    def advance(self, count: int) -> None:
        self._done += count
        self._bar.advance(self._task, count)
        percent = self._done * 100 // self._total if self._total else 0
        if not self._console.is_terminal and percent >= self._told + _STEP:
            self._told = percent // _STEP * _STEP
            self._console.print(f"  {self._told} % of {_gigabytes(self._total)}", highlight=False)

    def say(self, text: str) -> None:
        self._console.print(f"  {text}", markup=False, highlight=False)


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _read_pins() -> str:
    package = Path(__file__).parent.parent
    for path in (package / "_data" / _PINS, package.parent.parent / _PINS):
        if path.is_file():
            return path.read_text("utf-8")
    raise PlanoError(f"{_PINS} is missing: the installation is damaged", "Install Plano again.", exit_code=EXIT_FAILURE)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 10_000_000 else f"{size / 1e6:.2f} MB"
