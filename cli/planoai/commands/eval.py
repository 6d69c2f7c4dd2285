"""`planoai eval`: how good the routing is, by prompts whose routes are known."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import click

from plano_router.engine import open_backend
from planoai.commands.output import Output, aligned
from planoai.commands.up import find_config
from planoai.evaluation import Labelled, Report, load_labelled, measure
from planoai.home import PlanoHome
from planoai.trial_routing import TrialRouter, open_trial

_SHOWN_CONFUSIONS = 12


@click.command("eval")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--config", "config", type=click.Path(path_type=Path), help="The configuration.  [default: as for `up`]")
@click.option(
    "--backend",
    "backends",
    multiple=True,
    type=click.Choice(["auto", "builtin", "llama", "remote"]),
    help="What decides; several times, to compare.  [default: `routing.backend`]",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts: a list of reports.")
def evaluate(file: Path, *, config: Path | None, backends: tuple[str, ...], as_json: bool) -> None:
    """Send the prompts of FILE through the routing, and report how many got the route that you gave them.

    FILE has a JSON object on each line: `{"prompt": "...", "route": "NAME"}`, or `messages` in place of `prompt`; a
    `route` of null means that none fits. `lang` and `alt` (other routes that are as good) may be added. Nothing is sent
    to a channel, but that the `remote` router asks its model.

    A dangerous downgrade is a prompt whose route has a capable model, and which was given a small one.

    \b
    Exit codes:
      0  measured
      1  the router failed
      2  the file, the configuration or the command line is wrong
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    home, output = PlanoHome.from_environment(os.environ), Output()
    path = find_config(config, Path())
    reports = []
    for backend in backends or (None,):
        router = open_trial(path, home, os.environ, backend)
        labelled = load_labelled(file, [each.name for each in router.settings.routes])
        reports.append(asyncio.run(_run(router, labelled)))
    if as_json:
        output.raw(json.dumps([as_data(each) for each in reports], ensure_ascii=False, indent=2))
        return
    _tell(output, reports)


async def _run(router: TrialRouter, labelled: list[Labelled]) -> Report:
    outcomes = []
    async with open_backend(router.router) as backend:
        for each in labelled:
            started_s = time.perf_counter()
            _, routed = await router.ask(backend, "/chat/completions", each.body)
            outcomes.append((each, routed.route, (time.perf_counter() - started_s) * 1000))
    return measure(router.router.backend, outcomes, router.strength_of_route)


def as_data(report: Report) -> dict[str, Any]:
    """A report for scripts."""
    return {
        "backend": report.backend,
        "prompts": report.strict.number,
        "accuracy": report.strict.share,
        "accuracy_lenient": report.lenient.share,
        "always_default": report.always_default.share,
        "dangerous_downgrades": report.downgrades.share,
        "routes": {name: [score.right, score.number] for name, score in report.routes.items()},
        "languages": {name: [score.right, score.number] for name, score in report.languages.items()},
        "confusions": [[meant, given, n] for (meant, given), n in report.confusions.most_common()],
        "p50_ms": report.time_ms(0.5),
        "p99_ms": report.time_ms(0.99),
    }


def _tell(output: Output, reports: list[Report]) -> None:
    rows = [("", *(each.backend for each in reports))]
    rows += [
        ("accuracy", *(_percent(each.strict.share) for each in reports)),
        ("  lenient", *(_percent(each.lenient.share) for each in reports)),
        ("  always the default", *(_percent(each.always_default.share) for each in reports)),
        ("dangerous downgrades", *(_percent(each.downgrades.share) for each in reports)),
        ("time of decision, p50", *(f"{each.time_ms(0.5):.1f} ms" for each in reports)),
        ("                  p99", *(f"{each.time_ms(0.99):.1f} ms" for each in reports)),
    ]
    for kind in ("languages", "routes"):
        names = sorted({name for each in reports for name in getattr(each, kind)})
        for name in names:
            scores = [getattr(each, kind)[name] for each in reports]
            rows.append((f"{kind[:-1]} {name}", *(f"{s.right}/{s.number}" for s in scores)))
    output.line(f"{reports[0].strict.number} prompts")
    for line in aligned(rows):
        output.line(line)
    for report in reports:
        if not report.confusions:
            continue
        output.line()
        output.line(f"Mistaken by {report.backend}: meant → given")
        found = report.confusions.most_common(_SHOWN_CONFUSIONS)
        for line in aligned([(str(n), meant, "→", given) for (meant, given), n in found]):
            output.line(line)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
