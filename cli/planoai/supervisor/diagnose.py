"""Why a process ended: the lines of its log that say so, and its exit status in words. Pure."""

import re
import signal

_MAX_LINES = 6
_MAX_LINE_CHARS = 500

#: Envoy's and brightstaff's levels: `[critical]`, `[error]`; Python's logging: `ERROR`, `CRITICAL`.
_SEVERE = re.compile(r"\[(critical|error)\]|\b(CRITICAL|FATAL|ERROR|panic|Segmentation fault|Assertion)\b", re.ASCII)
_WARNING = re.compile(r"\[(critical|error|warning|warn)\]|\b(CRITICAL|FATAL|ERROR|WARNING)\b", re.ASCII)
_TRACEBACK = "Traceback (most recent call last):"
_GROUP_MARGIN = re.compile(r"^\s*\| ?")
_GROUP_RULE = re.compile(r"\s*\+-[-+ 0-9]*")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def reason_lines(log_text: str, *, warnings_too: bool = False) -> tuple[str, ...]:
    """The few lines of a log that tell why the process failed, oldest first; empty when the log is.

    The exception of the last Python traceback and the severe lines, else simply the last lines. `warnings_too` is for
    a process that runs but does not get ready: what keeps it from that is often only a warning.
    """
    lines = [_ANSI.sub("", line).rstrip() for line in log_text.splitlines()]
    lines = [line for line in lines if line]
    pattern = _WARNING if warnings_too else _SEVERE
    exception = _last_exception(lines)
    severe = [line for line in lines if pattern.search(line) and line not in exception]
    room = max(_MAX_LINES - len(exception), 0)
    chosen = [*(severe[-room:] if room else ()), *exception] or lines[-_MAX_LINES:]
    # A process that was started again and again repeats itself.
    return tuple(dict.fromkeys(line[:_MAX_LINE_CHARS] for line in chosen))


def _last_exception(lines: list[str]) -> list[str]:
    """`ValueError: …` with the lines of its message that follow; without the frames above it."""
    starts = [number for number, line in enumerate(lines) if line.endswith(_TRACEBACK)]
    if not starts:
        return []
    # An exception group draws "|" before its lines, and "+----" below them.
    rest = [_GROUP_MARGIN.sub("", line) for line in lines[starts[-1] + 1 :] if not _GROUP_RULE.fullmatch(line)]
    for number, line in enumerate(rest):
        # The frames are indented.
        if not line.startswith(" "):
            return rest[number : number + 3]
    return rest[-1:]


def exit_words(returncode: int) -> str:
    """An exit status as asyncio and subprocess report it (negative: ended by that signal), in words."""
    if returncode >= 0:
        return f"exit status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    hint = " (the kernel does this when memory runs out)" if -returncode == signal.SIGKILL else ""
    return f"ended by {name}{hint}"
