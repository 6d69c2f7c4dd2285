"""The control surface of a simulator, `/_sim/…` on its own port: requests, rules, counts. No I/O.

GET    /_sim/health                         is it there
GET    /_sim/requests?since=SEQ             what was received; `count=N&timeout_s=S` waits for so many finished ones
DELETE /_sim/requests                       forget them and the counts
GET    /_sim/rules, PUT /_sim/rules         what they are; replace them (a list, or an object with `rules`)
GET    /_sim/stats                          counts per key, model, status and rule, open connections
"""

import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

PREFIX = "/_sim/"

_LONGEST_WAIT_S = 60.0

#: Path → methods.
_METHODS = {
    "health": ("GET",),
    "requests": ("GET", "DELETE"),
    "rules": ("GET", "PUT"),
    "stats": ("GET",),
}


@dataclass(frozen=True, slots=True)
class Command:
    """What a request to the control surface asks for."""

    #: "health", "requests", "clear", "rules", "set_rules" or "stats".
    name: str
    since: int = 0
    #: Wait until so many requests above `since` have ended …
    count: int = 0
    #: … but not longer than this.
    timeout_s: float = 0


class BadCommandError(Exception):
    """Such a request is not known; `status` is for the answer, the message says what is."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def as_data(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error": {"message": str(self), "type": "invalid_request_error", "param": None, "code": None}}


def read_command(method: str, raw_path: str) -> Command:
    """The command in a request. Raises BadCommandError."""
    path, _, query = raw_path.partition("?")
    name = path.removeprefix(PREFIX).rstrip("/")
    if name not in _METHODS:
        known = ", ".join(PREFIX + each for each in _METHODS)
        raise BadCommandError(404, f"There is no {path} here; known: {known}.")
    if method not in _METHODS[name]:
        raise BadCommandError(405, f"{path} does not take {method}; use {' or '.join(_METHODS[name])}.")
    if method == "DELETE":
        return Command("clear")
    if method == "PUT":
        return Command("set_rules")
    if name != "requests":
        return Command(name)
    values = parse_qs(query, keep_blank_values=True)
    for given in values:
        if given not in {"since", "count", "timeout_s"}:
            raise BadCommandError(400, f"Unknown parameter {given}; known: since, count, timeout_s.")
    return Command(
        name,
        since=int(_number(values, "since", 0)),
        count=int(_number(values, "count", 0)),
        timeout_s=min(_number(values, "timeout_s", 5.0), _LONGEST_WAIT_S),
    )


def _number(values: dict[str, list[str]], name: str, default: float) -> float:
    if name not in values:
        return default
    text = values[name][-1]
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < math.inf:
        raise BadCommandError(400, f"{name} is a number from 0 on, not {text!r}.")
    return number
