"""`planoai recover`: hold nothing more against channels; their next requests go to them again."""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence

import click

from brightstaff.ledger import Reading, forget_conditions, read_ledger
from planoai.channel_report import expansions, lifted_words, prefix_of, subjects_of
from planoai.commands.output import Output
from planoai.errors import EXIT_NOT_RUNNING, EXIT_OK, EXIT_USAGE, PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.spec import ChannelLike
from planoai.supervisor.state import read_state
from planoai.supervisor.stop import running_identities
from planoai.wording import one_line


@click.command()
@click.argument("channels", nargs=-1, metavar="[CHANNEL]...")
@click.pass_context
def recover(context: click.Context, *, channels: tuple[str, ...]) -> None:
    """End the cool-downs of each CHANNEL, or of all: the key is topped up, ask it again now.

    What is held against the channel's key and against its prefix ends, too; so do blocks for slow answers. A wildcard
    channel (custom/*) stands for all its models; one of them (custom/some-model) may be named as well. Requests notice
    at once; should the channel fail again, it cools down again.

    \b
    Exit codes:
      0  nothing is held against them any more (also when nothing was)
      1  what is held cannot be changed
      2  the command line is wrong, or there is no such channel
      3  not running
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    context.exit(run_recover(PlanoHome.from_environment(os.environ), Output(), channels))


def run_recover(
    home: PlanoHome, output: Output, names: Sequence[str], *, wall_clock: Callable[[], float] = time.time
) -> int:
    """Lift what is held against these channels (none named: all); returns the exit code. Raises PlanoError."""
    if not running_identities(home):
        output.line("Plano is not running. `planoai up` starts with trust in all channels.")
        return EXIT_NOT_RUNNING
    now_s = wall_clock()
    try:
        reading = read_ledger(home.ledger, now_s)
        subjects = _subjects(home, names, reading) if names else None
        lifted = forget_conditions(home.ledger, subjects)
    except sqlite3.Error as error:
        raise PlanoError(
            f"What is held against channels cannot be changed: {home.ledger}: {error}.",
            "Try again; if it stays so, `planoai up` starts with trust in all channels.",
        ) from None
    if not lifted:
        whom = "any channel" if not names else ", ".join(one_line(name) for name in names)
        output.line(f"Nothing was held against {whom}.")
        return EXIT_OK
    output.line("✓ Lifted:", style="green")
    for subject in lifted:
        condition = reading.conditions.get(subject)
        words = "" if condition is None else f": {lifted_words(subject, condition, now_s)}"
        output.line(f"  {one_line(subject)}{words}")
    return EXIT_OK


def _subjects(home: PlanoHome, names: Sequence[str], reading: Reading) -> list[str]:
    """Under which the ledger keeps what is held against these. Raises PlanoError for a name that is no channel's."""
    state = read_state(home)
    if state is None:
        raise PlanoError(
            "Which channels there are is not known: Plano was started by another version of planoai.",
            "`planoai recover` without a name ends the cool-downs of all; `planoai up` replaces what runs.",
        )
    known = {each.name for each in state.channels}
    found: list[str] = []
    for name in names:
        channel = _channel(name, state.channels)
        if channel is None:
            raise PlanoError(
                f"There is no channel {one_line(name)}. Channels:",
                details=tuple(each.name for each in state.channels),
                exit_code=EXIT_USAGE,
            )
        models = expansions(reading, prefix_of(name)) if channel.wildcard and name == channel.name else []
        for each in (name, *(model for model in models if model not in known)):
            found += subjects_of(channel, each)
    return found


def _channel(name: str, channels: Sequence[ChannelLike]) -> ChannelLike | None:
    """The channel of this name, or the wildcard channel that has a model of this name."""
    exact = next((each for each in channels if each.name == name), None)
    if exact is not None:
        return exact
    prefix, _, model = name.partition("/")
    return next((each for each in channels if model and each.wildcard and prefix_of(each.name) == prefix), None)
