"""How commands write."""

import io

import pytest
from rich.console import Console

from planoai.commands.output import Output, aligned, channel_rows, duration, listener_url
from planoai.errors import PlanoError
from planoai.supervisor.spec import Channel


def written(*, terminal: bool = False, environ: dict[str, str] | None = None) -> tuple[Output, io.StringIO]:
    """An output whose both streams end in one text."""
    text = io.StringIO()
    console = Console(
        file=text,
        force_terminal=terminal,
        highlight=False,
        soft_wrap=True,
        markup=False,
        emoji=False,
        width=40,
        _environ=environ or {"TERM": "xterm"},
    )
    return Output(console, console), text


def test_plain_text_in_a_pipe() -> None:
    """No escape sequence, no wrapped line, nothing taken for markup."""
    output, text = written()
    output.line("✓ [critical] :smile: " + "x" * 100, style="bold green")

    assert "✓ [critical] :smile: " + "x" * 100 + "\n" == text.getvalue()


def test_colours_on_a_terminal_unless_refused() -> None:
    """NO_COLOR is respected (https://no-color.org)."""
    coloured, first = written(terminal=True)
    plain, second = written(terminal=True, environ={"TERM": "xterm", "NO_COLOR": "1"})
    coloured.line("x", style="green")
    plain.line("x", style="green")

    assert "\x1b[32m" in first.getvalue()
    assert "x\n" == second.getvalue()


def test_an_error_has_details_and_a_remedy() -> None:
    """What happened, why, what to do; control characters of a log do nothing."""
    output, text = written()
    output.error(PlanoError("It broke.", "Mend it.", details=("[error] \x1b[2Jgone\r",)))

    assert "✗ It broke.\n    [error] \ufffd[2Jgone\ufffd\n  Mend it.\n" == text.getvalue()


def test_columns_count_cells() -> None:
    """A Chinese name takes two cells per character."""
    assert ["  渠道  x", "  ab    y"] == aligned([("渠道", "x"), ("ab", "y")])
    assert [] == aligned([])


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (86_400, "1 d"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    """The two largest units."""
    assert expected == duration(seconds)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("0.0.0.0", "http://127.0.0.1:12000/v1"),
        ("127.0.0.1", "http://127.0.0.1:12000/v1"),
        ("::", "http://[::1]:12000/v1"),
        ("fd00::1", "http://[fd00::1]:12000/v1"),
    ],
)
def test_listener_url(address: str, expected: str) -> None:
    """What a client on this machine may use."""
    assert expected == listener_url(address, 12000)


def test_channel_rows() -> None:
    """Name, host, the name of the key, the default mark."""
    channels = [
        Channel("a/b", "https://one.example.com:8443/v1", "openai", True, "$KEY", False),
        Channel("c/*", "http://localhost:11434", "openai", False, None, True),
    ]

    assert [
        ("a/b", "one.example.com:8443", "$KEY", "default"),
        ("c/*", "localhost:11434", "no key", ""),
    ] == channel_rows(channels)
