"""`planoai explain`: what was decided for a request, and why."""

import os
import time
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from brightstaff.decision_log import read_records
from brightstaff.decisions import Record
from planoai.commands.output import Output, aligned
from planoai.errors import PlanoError
from planoai.explanation import Search, latest, search, summary_row, tell, when
from planoai.home import PlanoHome
from planoai.wording import one_line

#: A shorter beginning of an id fits too many requests to be meant.
_SHORTEST_ID = 6
#: So many ids are named when several fit.
_NAMED_IDS = 5


@click.command()
@click.argument("request_id", required=False)
@click.option("--last", "last", type=click.IntRange(min=1), metavar="N", help="The last N requests, one line each.")
@click.option("--failed", is_flag=True, help="Only those that failed, broke off, or took more than one attempt.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: the record; with --last a list, the newest last.")
def explain(*, request_id: str | None, last: int | None, failed: bool, as_json: bool) -> None:
    """Tell what was decided for REQUEST_ID, or for the last request: who was asked, who was not, and why.

    REQUEST_ID is the x-plano-request-id of an answer, or its first characters (six or more). A request is known within
    half a second of its end; where the client left before an answer, within half a minute.

    \b
    Exit codes:
      0  told
      1  there is no such request
      2  the command line is wrong
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    home, output = PlanoHome.from_environment(os.environ), Output()
    if request_id is None:
        run_explain_latest(home, output, last=last, only_failed=failed, as_json=as_json)
        return
    if last is not None or failed:
        raise click.UsageError("REQUEST_ID names one request: leave out --last and --failed.")
    if len(request_id) < _SHORTEST_ID:
        raise click.BadParameter(f"give at least {_SHORTEST_ID} characters.", param_hint="REQUEST_ID")
    run_explain(home, output, request_id, as_json=as_json)


def run_explain(home: PlanoHome, output: Output, request_id: str, *, as_json: bool = False) -> None:
    """Tell the story of one request. Raises PlanoError when there is none, or more than one."""
    result = search(read_records(home.decisions), request_id.strip().lower())
    if not result.found:
        raise _unknown(home, request_id, result)
    if len(result.found) > 1:
        more = len(result.found) - _NAMED_IDS
        raise PlanoError(
            f"{len(result.found)} requests have an id that begins with {one_line(request_id)}.",
            "Give more of it.",
            details=(*(each.id for each in result.found[:_NAMED_IDS]), *([f"and {more} more"] if more > 0 else [])),
        )
    _tell(result.found[0], output, as_json=as_json)


def run_explain_latest(
    home: PlanoHome, output: Output, *, last: int | None = None, only_failed: bool = False, as_json: bool = False
) -> None:
    """Tell the story of the last request, or of the last so many in a line each. Raises PlanoError without any."""
    found = latest(read_records(home.decisions), last or 1, only_failed=only_failed)
    if not found:
        which = "No request failed, broke off or took more than one attempt" if only_failed else "There is no request"
        raise PlanoError(f"{which} in {home.decisions}.", "It is written within half a second of a request's end.")
    if last is None:
        _tell(found[0], output, as_json=as_json)
        return
    oldest_first = found[::-1]
    if as_json:
        _print_json([as_data(each) for each in oldest_first], output)
        return
    for line in aligned([summary_row(each, time.time()) for each in oldest_first], indent=0):
        output.line(line)


def as_data(entry: Record) -> dict[str, Any]:
    """A record with all its fields, also those that have their default. `at_s` is in seconds since the epoch."""
    data: dict[str, Any] = msgspec.structs.asdict(entry)
    data["tried"] = [
        msgspec.structs.asdict(each) | {"passed_over": [msgspec.structs.asdict(found) for found in each.passed_over]}
        for each in entry.tried
    ]
    data["route"] = None if entry.route is None else msgspec.structs.asdict(entry.route)
    return data


def _tell(entry: Record, output: Output, *, as_json: bool) -> None:
    if as_json:
        _print_json(as_data(entry), output)
        return
    for line in tell(entry, time.time()):
        output.line(line)


def _print_json(data: dict[str, Any] | Sequence[dict[str, Any]], output: Output) -> None:
    output.raw(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())


def _unknown(home: PlanoHome, request_id: str, result: Search) -> PlanoError:
    if result.oldest_at_s is None:
        reach = "in which there is no request yet"
    else:
        reach = f"which goes back to {when(result.oldest_at_s)} (requests: {result.read})"
    return PlanoError(
        f"There is no request {one_line(request_id)} in {home.decisions}, {reach}.",
        "brightstaff writes decisions there within half a second of a request's end (of a client that left before its "
        "answer: within half a minute). Has it ended? What is refused before a channel is chosen (invalid JSON, an "
        "unknown model) is only in the access log: planoai logs",
    )
