"""How spans of time, and names that a client chose, are written for people. Pure."""

import math

#: A model's name may be as long as a client likes.
_LONGEST_NAME = 80
#: Up to this many seconds are told in seconds: "120 s" beside a Retry-After of 120 is recognised at once.
_IN_SECONDS = 120


def span(seconds: float) -> str:
    """A span that was measured: "12 ms", "0.2 s", "28 s", "5 min", "1 h 5 min"."""
    if seconds < 0.0995:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    return _whole(round(seconds))


def left(seconds: float) -> str:
    """What is left of a span, in whole seconds and never less than one: nothing is told to be over that is not."""
    return _whole(max(1, math.ceil(seconds)))


def ago(seconds: float) -> str:
    """How long ago something was, in whole seconds; a clock that was set back makes it "just now"."""
    return "just now" if seconds < 1 else f"{_whole(int(seconds))} ago"


def _whole(seconds: int) -> str:
    if seconds <= _IN_SECONDS:
        return f"{seconds} s"
    if seconds < 3600:
        minutes, rest = divmod(seconds, 60)
        return f"{minutes} min" if not rest or minutes >= 10 else f"{minutes} min {rest} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def one_line(name: str, longest: int = _LONGEST_NAME) -> str:
    """A name that a client may have chosen: no control character reaches the terminal, and no line gets too long."""
    text = "".join(character if character.isprintable() else "\ufffd" for character in name)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
