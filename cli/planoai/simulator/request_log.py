"""One line of log for each request; no key is in it in full, and nothing that would act on a terminal."""

from datetime import datetime

from planoai.simulator.recorder import RecordedRequest

_SHORTEST_SHOWN_KEY_CHARS = 13
_LONGEST_SHOWN_CHARS = 60


def log_line(record: RecordedRequest) -> str:
    """What arrived, with which key, which rule answered, and how it ended."""
    when = datetime.fromtimestamp(record.time_s).astimezone().strftime("%H:%M:%S")
    # A query may hold a key.
    path = printable(record.path.partition("?")[0])
    model = printable(record.model or "-")
    status = "refused" if record.status is None else str(record.status)
    if record.cancelled:
        status = f"{'' if record.status is None else f'{record.status}, '}client left"
    took = "" if record.duration_s is None else f", {record.duration_s * 1000:.0f} ms"
    return (
        f"{when} #{record.seq} {printable(record.method)} {path} model={model} key={masked(record.key)}"
        f" → {status}, {record.sent_bytes} bytes{took} ({printable(record.rule)})"
    )


def masked(key: str | None) -> str:
    """A key as it may be shown: beginning and last four characters of a long one, nothing of a short one."""
    if key is None:
        return "-"
    if len(key) < _SHORTEST_SHOWN_KEY_CHARS:
        return "***"
    head = "sk-" if key.startswith("sk-") else ""
    return f"{head}…{printable(key[-4:])}"


def printable(text: str) -> str:
    """At most 60 characters, control characters made harmless."""
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return shown if len(shown) <= _LONGEST_SHOWN_CHARS else f"{shown[: _LONGEST_SHOWN_CHARS - 1]}…"
