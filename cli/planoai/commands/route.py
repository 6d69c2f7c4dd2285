"""`planoai route`: where a prompt, or a request, would go by intent."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from brightstaff.routing import Routed
from planoai.commands.learn import learn
from planoai.commands.output import Output, aligned
from planoai.commands.up import find_config
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.trial_routing import TrialRouter, endpoint_of_body, open_trial
from planoai.wording import one_line

#: So much of what was read is shown.
_SHOWN = 300


@click.command()
@click.argument("prompt", required=False)
@click.option("--config", "config", type=click.Path(path_type=Path), help="The configuration.  [default: as for `up`]")
@click.option(
    "--backend",
    type=click.Choice(["auto", "builtin", "llama", "remote"]),
    help="What decides.  [default: `routing.backend` of the configuration]",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts: one object.")
@click.option(
    "--learn",
    "labelled",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Write `examples:` of routes into the configuration, from prompts whose routes you know.",
)
@click.option(
    "--examples",
    "per_route",
    type=click.IntRange(1, 100),
    default=8,
    show_default=True,
    help="With --learn: the most examples of a route, those that it has included.",
)
@click.option("--dry-run", is_flag=True, help="With --learn: show what would be written, and write nothing.")
def route(
    prompt: str | None,
    *,
    config: Path | None,
    backend: str | None,
    as_json: bool,
    labelled: Path | None,
    per_route: int,
    dry_run: bool,
) -> None:
    """Tell which route PROMPT gets, how probable each route is, what was read, and what was made of it.

    PROMPT is the text itself, `-` for standard input, or `@FILE` for a file. A file that holds the JSON body of a
    request (chat completions, Messages or Responses) is read as the gateway would read that request. Nothing is sent
    to a channel, but that the `remote` router asks its model. No gateway has to run.

    With --learn no prompt is routed. FILE is one as `planoai eval` reads. Of its prompts those that the built-in router
    decides wrongly or not surely become examples, the most typical first, cut to 400 characters; what looks as if it
    held a secret is left out. The accuracy before and after is told, measured on prompts that no example was chosen
    from. Where it does not rise, or dangerous downgrades rise too much, nothing is written. The old file stays as
    config.yaml.bak; comments and order stay.

    \b
    Examples:
      planoai route "why does this test fail only in CI?"
      planoai route @request.json --json
      planoai route --learn prompts.jsonl --dry-run

    \b
    Exit codes:
      0  told, or learned
      1  the router failed
      2  the configuration or the command line is wrong
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    output = Output()
    if labelled is not None:
        if prompt is not None or backend is not None or as_json:
            raise click.UsageError("--learn goes with neither PROMPT nor --backend nor --json.")
        learn(output, labelled, find_config(config, Path()), per_route=per_route, dry_run=dry_run)
        return
    if prompt is None:
        raise click.UsageError("Give a PROMPT, or --learn FILE.")
    text = _read(prompt)
    router = open_trial(find_config(config, Path()), PlanoHome.from_environment(os.environ), os.environ, backend)
    suffix, body = endpoint_of_body(text)
    reading, routed = asyncio.run(router.route(suffix, body))
    if as_json:
        output.raw(json.dumps(as_data(reading.text, routed), ensure_ascii=False, indent=2))
        return
    _tell(output, router, reading.text, reading.context, routed)


def as_data(read: str, routed: Routed) -> dict[str, Any]:
    """A decision for scripts."""
    answer = routed.answer
    return {
        "route": routed.route,
        "models": list(routed.models),
        "confidence": routed.confidence,
        "why": routed.why,
        "backend": None if answer is None else answer.backend,
        "probabilities": {} if answer is None else dict(answer.ranked),
        "none": None if answer is None else answer.none,
        "read": read,
        "took_ms": round(routed.took_ms, 3),
    }


def _tell(output: Output, router: TrialRouter, read: str, context: str, routed: Routed) -> None:
    where = ", then ".join(routed.models) if routed.models else router.fallback
    output.line(f"{routed.route or 'no route'} → {where}", style="bold green")
    output.line(f"  why      {routed.why}")
    answer = routed.answer
    if answer is not None:
        output.line(f"  decided  by the {answer.backend} router in {routed.took_ms:.1f} ms")
    output.line(f"  read     {one_line(read[:_SHOWN])}{'…' if len(read) > _SHOWN else ''}")
    if context:
        output.line(f"  after    {one_line(context[:_SHOWN])}")
    if answer is not None:
        output.line()
        rows = [(name, f"{p:.3f}", "█" * round(p * 30)) for name, p in [*answer.ranked, ("(none)", answer.none)]]
        for line in aligned(rows):
            output.line(line)


def _read(prompt: str) -> str:
    if prompt == "-":
        return sys.stdin.read()
    if prompt.startswith("@"):
        path = Path(prompt[1:])
        try:
            return path.read_text("utf-8")
        except UnicodeDecodeError:
            raise PlanoError(f"{path}: is not UTF-8 text", "Name a text file, or one with a request's JSON.") from None
    return prompt
