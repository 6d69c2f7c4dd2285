"""How commands write: colours on a terminal, plain text in a pipe or with NO_COLOR. Lines are never wrapped or cut."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from rich.cells import cell_len
from rich.console import Console

from planoai.errors import PlanoError
from planoai.supervisor.spec import ChannelLike


class Output:
    """Standard output and standard error of one command. Nothing written through it is taken for markup."""

    def __init__(self, out: Console | None = None, err: Console | None = None) -> None:
        self._out = out or Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
        self._err = err or Console(highlight=False, soft_wrap=True, markup=False, emoji=False, stderr=True)

    def line(self, text: str = "", style: str | None = None) -> None:
        """One line of the command's result."""
        self._out.print(text, style=style)

    def raw(self, text: str) -> None:
        """One line as it is: JSON, or a line of a log, with whatever control characters it has made harmless."""
        self._out.print(_printable(text))

    def note(self, text: str) -> None:
        """A remark beside the result, on standard error."""
        self._err.print(text, style="dim")

    def warning(self, text: str) -> None:
        """Something the user should look at, on standard error."""
        self._err.print(f"! {text}", style="yellow")

    def error(self, error: PlanoError) -> None:
        """What happened, the lines that show why, and what to do, on standard error."""
        self._err.print(f"✗ {error.message}", style="bold red")
        for detail in error.details:
            self._err.print(f"    {_printable(detail)}")
        if error.remedy:
            self._err.print(f"  {error.remedy}")

    def problems(self, rendered: str) -> None:
        """Rendered problems of a configuration, on standard error."""
        self._err.print(rendered, style="red")


def aligned(rows: Sequence[Sequence[str]], indent: int = 2) -> list[str]:
    """Rows of cells as lines with columns of equal width; counts the cells that wide characters take."""
    if not rows:
        return []
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        (
            " " * indent
            + "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def duration(seconds: float) -> str:
    """A span of time in its two largest units: "4 s", "3 min 20 s", "2 d 5 h"."""
    whole = max(int(seconds), 0)
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts: list[str] = []
    for size, unit in units:
        count, whole = divmod(whole, size)
        if count or parts or unit == "s":
            parts.append(f"{count} {unit}")
    return " ".join(part for part in parts[:2] if not (part.startswith("0 ") and len(parts) > 1))


def listener_url(address: str, port: int) -> str:
    """What a client on this machine uses as its base URL."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address, f"[{address}]" if ":" in address else address)
    return f"http://{host}:{port}/v1"


def channel_rows(channels: Sequence[ChannelLike]) -> list[tuple[str, ...]]:
    """One row per channel: name, host, the name of its key, and what is special about it."""
    return [
        (
            each.name,
            urlsplit(each.base_url).netloc or each.base_url,
            each.key_name or "no key",
            "default" if each.default else "",
        )
        for each in channels
    ]


def _printable(text: str) -> str:
    # A log may hold what a client or provider sent: escape sequences would act on the terminal.
    return "".join(character if character.isprintable() or character in "\t\n" else "\ufffd" for character in text)
