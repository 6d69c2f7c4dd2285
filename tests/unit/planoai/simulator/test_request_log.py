"""planoai.simulator.request_log: one harmless line for each request."""

import pytest

from planoai.simulator.recorder import RecordedRequest
from planoai.simulator.request_log import log_line, masked, printable


def record(**fields: object) -> RecordedRequest:
    usual: dict[str, object] = {
        "seq": 7,
        "time_s": 0.0,
        "method": "POST",
        "path": "/v1/x",
        "http_version": "1.1",
        "headers": [],
        "body": b"",
        "body_bytes": 0,
    }
    return RecordedRequest(**{**usual, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (None, "-"),
        ("", "***"),
        ("sk-123456789", "***"),
        ("sk-1234567890", "sk-…7890"),
        ("abcdefghijklmnop", "…mnop"),
        ("sk-123456789\n\x1b[m", "sk-…\ufffd\ufffd[m"),
    ],
)
def test_masked(key: str | None, shown: str) -> None:
    """At most the last four characters, and those only of long keys."""
    assert shown == masked(key)


def test_line() -> None:
    """What arrived, and how it ended; nothing of the query."""
    line = log_line(
        record(path="/v1/x?key=secret", model="m", key="sk-1234567890", status=200, sent_bytes=5, duration_s=0.25)
    )
    assert "#7 POST /v1/x model=m key=sk-…7890 → 200, 5 bytes, 250 ms (default)" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({}, "→ refused, 0 bytes"),
        ({"cancelled": True}, "→ client left, 0 bytes"),
        ({"cancelled": True, "status": 200}, "→ 200, client left, 0 bytes"),
    ],
)
def test_ends(fields: dict[str, object], end: str) -> None:
    """No answer, and who ended it."""
    assert end in log_line(record(**fields))


def test_printable() -> None:
    """Long and dangerous text is made short and harmless."""
    assert printable("a\x1b[31m\nb") == "a\ufffd[31m\ufffdb"
    assert len(printable("x" * 100)) == 60
