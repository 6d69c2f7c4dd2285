"""`planoai status`: what runs, since when, how it fares, and what it serves."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import click
import msgspec
import psutil

from brightstaff.ledger import Reading, read_ledger
from planoai import channel_report
from planoai.channel_report import MINUTES, Row
from planoai.commands.output import Output, aligned, channel_rows, duration, listener_url
from planoai.errors import EXIT_FAILURE, EXIT_NOT_RUNNING, EXIT_OK
from planoai.home import PlanoHome
from planoai.supervisor.control import ask
from planoai.supervisor.lifecycle import Phase, ProcessRecord
from planoai.supervisor.probe import check_ready
from planoai.supervisor.spec import HttpOk
from planoai.supervisor.state import State, read_state
from planoai.supervisor.stop import running_identities
from planoai.wording import one_line

#: So many models are shown below a wildcard channel; `--json` has all.
_SHOWN_EXPANSIONS = 20

#: What a listener answered to its ready URL: None when all is well.
Probe = Callable[[str], str | None]


def probe_url(url: str) -> str | None:
    """Ask a ready URL once."""
    return asyncio.run(check_ready(HttpOk(url), timeout_s=1.0))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Show whether Plano runs, its processes, listeners and channels, and how each channel fares.

    A channel is well, or it cools down after a failure (its own, its key's or its prefix's), is left out because it
    answers too slowly, or is tried again. Attempts, the share that was answered, and the median time until an answer
    begins are those of the last 5 minutes. A failed request in full: planoai explain. To end cool-downs: planoai
    recover.

    \b
    Exit codes:
      0  running, everything is ready
      1  degraded: a process is being restarted, or a listener does not answer
      2  the command line is wrong
      3  not running
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    context.exit(run_status(PlanoHome.from_environment(os.environ), Output(), as_json=as_json))


def run_status(
    home: PlanoHome,
    output: Output,
    *,
    as_json: bool,
    probe: Probe = probe_url,
    wall_clock: Callable[[], float] = time.time,
) -> int:
    """Show the status of `home`; returns the exit code."""
    now = wall_clock()
    report, rows = status_report(home, probe, now)
    if as_json:
        output.raw(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        _show(report, output)
        _show_health(rows, output, now)
    if report.get("ledger_error") is not None:
        output.warning(
            f"How the channels fare is not known: {home.ledger}: {report['ledger_error']}. Requests are served all the "
            "same; after `planoai up` the file is a new one."
        )
    if not report["running"]:
        return EXIT_NOT_RUNNING
    return EXIT_OK if report["healthy"] else EXIT_FAILURE


def status_report(home: PlanoHome, probe: Probe, now: float) -> tuple[dict[str, Any], Sequence[Row]]:
    """What `--json` prints, and how the channels fare (no rows: it is not known, `ledger_error` says why).

    Times: `*_at` and `*_at_s` in seconds since the epoch, `*_s` spans in seconds; memory in bytes.
    """
    running = running_identities(home)
    state = _live_state(home)
    base: dict[str, Any] = {"home": str(home.root), "logs": str(home.logs)}
    if state is None or not state.supervisor.is_alive():
        pids = {name: identity.pid for name, identity in running.items()}
        return {"running": "supervisor" in running, "healthy": False, **base, "pids": pids}, ()
    reading, ledger_error = _read_ledger(home, now)
    rows = () if reading is None else channel_report.channel_rows(reading, state.channels, now)
    health = {row.name: channel_report.as_json(row, now) for row in rows}
    unanswered = {url: seen for url in state.ready_urls if (seen := probe(url)) is not None}
    report = {
        "running": True,
        "healthy": state.is_healthy() and not unanswered,
        "phase": state.phase,
        **base,
        "version": state.planoai_version,
        "config": state.config_path,
        "foreground": state.foreground,
        "started_at": state.started_at,
        "uptime_s": round(now - state.started_at, 1),
        "supervisor": {"pid": state.supervisor.pid, "rss_bytes": _rss_bytes(state.supervisor.process())},
        "processes": [_process_report(record, now) for record in state.processes],
        "listeners": [
            {
                "name": each.name,
                "address": each.address,
                "port": each.port,
                "url": listener_url(each.address, each.port),
            }
            for each in state.listeners
        ],
        "unanswered": unanswered,
        "ledger_error": ledger_error,
        "channels": [
            {
                "name": each.name,
                "base_url": each.base_url,
                "interface": each.interface,
                "key_name": each.key_name,
                "default": each.default,
                "wildcard": each.wildcard,
                "key_subject": each.key_subject,
                "health": health.get(each.name),
            }
            for each in state.channels
        ],
    }
    return report, rows


def _read_ledger(home: PlanoHome, now: float) -> tuple[Reading | None, str | None]:
    """What brightstaff remembers of channels, or why that cannot be read."""
    try:
        return read_ledger(home.ledger, now, MINUTES), None
    except (sqlite3.Error, OSError) as error:
        return None, str(error)


def _live_state(home: PlanoHome) -> State | None:
    """What the supervisor says; what it wrote last, when it does not answer."""
    answer = ask(home, "status")
    if answer is not None:
        try:
            return msgspec.convert(answer, State)
        except msgspec.ValidationError:
            # A supervisor of another version: its file tells what this one understands.
            return read_state(home)
    return read_state(home)


def _process_report(record: ProcessRecord, now: float) -> dict[str, Any]:
    process = None if record.identity is None else record.identity.process()
    return {
        "name": record.name,
        "phase": record.phase,
        "pid": None if record.identity is None else record.identity.pid,
        "uptime_s": None if process is None or record.started_at is None else round(now - record.started_at, 1),
        "rss_bytes": _rss_bytes(process),
        "restarts": record.restarts,
        "next_start_in_s": None if record.next_start_at is None else round(max(record.next_start_at - now, 0), 1),
        "last_exit": record.last_exit,
        "log": record.log_file,
    }


def _rss_bytes(process: psutil.Process | None) -> int | None:
    if process is None:
        return None
    try:
        return process.memory_info().rss
    except psutil.Error:
        return None


def _show(report: dict[str, Any], output: Output) -> None:
    if "processes" not in report:
        _show_pids(report, output)
        return
    healthy = report["healthy"]
    word = "✓ Plano is running" if healthy else "! Plano is degraded"
    output.line(f"{word}, for {duration(report['uptime_s'])}.", style="bold green" if healthy else "bold yellow")
    rows = [
        ("Configuration", report["config"]),
        *(("Listener", f"{each['url']}   ({each['name']})") for each in report["listeners"]),
    ]
    rows += [("Logs", report["logs"])]
    for line in aligned(rows):
        output.line(line)
    for url, seen in report["unanswered"].items():
        output.line(f"  ! {url}: {seen}", style="yellow")
    output.line()
    for line, process in zip(
        aligned([_process_row(each) for each in report["processes"]]), report["processes"], strict=True
    ):
        output.line(line, style=None if process["phase"] == Phase.READY else "yellow")
        _show_last_exit(process, output)
    output.line()
    for line in aligned(channel_rows([msgspec.convert(each, _ShownChannel) for each in report["channels"]])):
        output.line(line)


class _HealthLine(NamedTuple):
    """A line of the table of channels, and what is said below it."""

    cells: tuple[str, str, str]
    detail: str = ""
    style: str | None = None


def _show_health(rows: Sequence[Row], output: Output, now: float) -> None:
    """A table with a line for each channel, and below it why a channel is not well."""
    if not rows:
        return
    table = [_HealthLine(("CHANNEL", "STATE", f"LAST {MINUTES} MINUTES (MEDIAN)"), style="dim")]
    for row in rows:
        table.append(_health_line(row, row.name, now))
        # Those that are not well first, in case there are too many.
        ordered = sorted(row.expansions, key=lambda each: not each.held)
        table += [_health_line(each, f"  {each.name}", now) for each in ordered[:_SHOWN_EXPANSIONS]]
        if len(ordered) > _SHOWN_EXPANSIONS:
            more = f"  {len(ordered) - _SHOWN_EXPANSIONS} more models (--json has all)"
            table.append(_HealthLine((more, "", ""), style="dim"))
    output.line()
    for line, each in zip(aligned([each.cells for each in table]), table, strict=True):
        output.line(line, style=each.style)
        if each.detail:
            output.line(f"      {each.detail}", style="dim")


def _health_line(row: Row, name: str, now: float) -> _HealthLine:
    error = channel_report.error_words(row, now)
    details = (channel_report.reason_words(row), f"last error: {error}" if error else "")
    return _HealthLine(
        (one_line(name), channel_report.state_words(row), channel_report.traffic_words(row)),
        "; ".join(detail for detail in details if detail),
        "yellow" if row.held else None,
    )


def _show_pids(report: dict[str, Any], output: Output) -> None:
    """Nothing runs, or nothing more than pids is known of what does."""
    pids = ", ".join(f"{name} (pid {pid})" for name, pid in report["pids"].items())
    if report["running"]:
        output.line("! Plano is running, but started by another version of planoai.", style="bold yellow")
        output.warning(f"Its processes: {pids}. `planoai up` replaces it, `planoai down` stops it.")
        return
    output.line("Plano is not running.")
    if pids:
        output.warning(f"Its supervisor was killed; still there: {pids}. `planoai down` stops them.")


class _ShownChannel(msgspec.Struct, frozen=True):
    name: str
    base_url: str
    interface: str
    key_name: str | None
    default: bool
    wildcard: bool
    key_subject: str | None = None


def _process_row(process: dict[str, Any]) -> tuple[str, ...]:
    rss = process["rss_bytes"]
    uptime_s = process["uptime_s"]
    next_start_in_s = process["next_start_in_s"]
    restarts = process["restarts"]
    return (
        process["name"],
        str(process["phase"]) if next_start_in_s is None else f"starts again in {next_start_in_s:g} s",
        "" if process["pid"] is None else f"pid {process['pid']}",
        "" if uptime_s is None else duration(uptime_s),
        "" if rss is None else f"{rss / 1024 / 1024:.0f} MB",
        "" if not restarts else f"{restarts} restart{'s' if restarts > 1 else ''}",
    )


def _show_last_exit(process: dict[str, Any], output: Output) -> None:
    last = process["last_exit"]
    if last is None:
        return
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(last.at))
    output.line(f"      last end: {when}, {last.reason}", style="dim")
    for line in last.log_lines:
        output.raw(f"        {line}")
