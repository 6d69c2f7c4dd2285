"""`planoai validate`: everything that `up` checks, without starting anything."""

import os
from pathlib import Path

import click

from planoai.commands.output import Output, aligned, channel_rows
from planoai.commands.up import find_config
from planoai.envoy_binary import find_envoy
from planoai.home import PlanoHome


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--envoy", metavar="PATH", help="The Envoy binary that checks the result.  [default: as for `up`]")
def validate(file: Path | None, *, envoy: str | None) -> None:
    """Check FILE (default: config.yaml, then plano_config.yaml) and the `.env` beside it.

    Reports every mistake with its line, and the variables that are missing. A gateway that runs is left alone.

    \b
    Exit codes:
      0  it would start
      1  Envoy is missing, or refuses what was compiled
      2  the configuration is wrong
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    # Only now: the compiler takes its time to import, and `--help` does not need it.
    from planoai.gateway import check_gateway  # noqa: PLC0415

    output = Output()
    home = PlanoHome.from_environment(os.environ)
    config = find_config(file, Path())
    checked = check_gateway(config, home, os.environ, find_envoy(envoy, home, os.environ))
    for notice in checked.notices:
        output.warning(notice)
    output.line(f"✓ {config} is valid.", style="bold green")
    output.line()
    for line in aligned(channel_rows(checked.compiled.channels)):
        output.line(line)
