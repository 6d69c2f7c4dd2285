"""`python -m tests.bench --routing`: how often the built-in router is right about prompts it was not trained on."""

import asyncio
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from brightstaff.routing import Undecided, decide, housekeeping
from brightstaff.settings import RouteSettings, RoutingSettings
from plano_router.answer import Route
from plano_router.backends import BuiltinBackend
from plano_router.classifier import Classifier
from plano_router.question import Question
from plano_router.reading import Kind, read_request, read_text
from plano_router.train import arrays_with_matching, arrays_without_matching
from plano_router.words import WordVectors
from planoai.evaluation import Labelled, Report, measure

SETS = Path(__file__).parent / "routing"


def show_routing(console: Console) -> None:
    """Accuracy for each configuration and language, dangerous downgrades, and times of decision."""
    classifier = Classifier.load()
    configs = yaml.safe_load((SETS / "configs.yaml").read_text("utf-8"))
    prompts = [*_lines(SETS / "seven.jsonl"), *_lines(SETS / "custom.jsonl")]
    table = Table(title="built-in router, prompts never trained on")
    columns = ("configuration", "prompts", "strict", "lenient", "en", "zh", "none found", "downgrades")
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for name, config in configs.items():
        table.add_row(name, *_row(_report(classifier, config["routes"], [p for p in prompts if p["config"] == name])))
    console.print(table)
    _show_times(console, classifier, configs["seven"]["routes"])


def show_curve(console: Console) -> None:
    """The same accuracy with classifiers that have learned from a part of the examples."""
    words = WordVectors.load()
    configs = yaml.safe_load((SETS / "configs.yaml").read_text("utf-8"))
    prompts = [*_lines(SETS / "seven.jsonl"), *_lines(SETS / "custom.jsonl")]
    table = Table(title="what more examples bring")
    for column in ("share of the examples", "seven", "other configurations"):
        table.add_column(column, justify="right")
    for share in (0.125, 0.25, 0.5, 1.0):
        arrays = arrays_with_matching(arrays_without_matching(words, share=share), words)
        classifier = Classifier.from_arrays(arrays, words)
        found = {
            name: _report(classifier, config["routes"], [p for p in prompts if p["config"] == name]).strict.share
            for name, config in configs.items()
        }
        others = [value for name, value in found.items() if name != "seven"]
        table.add_row(f"{share:.3f}", f"{found['seven'] * 100:.1f}", f"{sum(others) / len(others) * 100:.1f}")
    console.print(table)


def recommended_routes() -> tuple[Route, ...]:
    """Those of the recommended configuration."""
    configs = yaml.safe_load((SETS / "configs.yaml").read_text("utf-8"))
    return tuple(Route(each["name"], " ".join(each["description"].split())) for each in configs["seven"]["routes"])


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    return map(json.loads, path.read_text("utf-8").splitlines())


def _report(classifier: Classifier, routes: list[dict[str, Any]], prompts: list[dict[str, Any]]) -> Report:
    """The rules of the gateway, with models as strong as the configuration says."""
    described = tuple(Route(each["name"], " ".join(each["description"].split())) for each in routes)
    settings = RoutingSettings(
        routes=tuple(RouteSettings(each.name, each.description, (each.name,)) for each in described),
        socket="/none",
        strengths={each["name"]: 3.0 if each["strong"] else 1.0 for each in routes},
    )
    backend = BuiltinBackend(classifier, described)
    outcomes = []
    for prompt in prompts:
        started_s = time.perf_counter()
        suffix = "/messages" if "system" in prompt else "/chat/completions"
        reading = read_request(suffix, prompt)
        question = Undecided(reading, settings.routes, None, "")
        if reading.kind is Kind.HOUSEKEEPING:
            routed = housekeeping(settings, question)
        else:
            answer = asyncio.run(backend.ask(Question(reading.text, reading.context)))
            routed = decide(settings, question, answer, None, 0.0)
        took_ms = (time.perf_counter() - started_s) * 1000
        labelled = Labelled({}, prompt["route"], tuple(prompt.get("alt") or ()), prompt["lang"])
        outcomes.append((labelled, routed.route, took_ms))
    return measure("builtin", outcomes, lambda route: 2.0 if route is None else settings.strengths[route])


def _row(report: Report) -> list[str]:
    def percent(share: float) -> str:
        return f"{share * 100:.1f}"

    none = report.routes.get("(none)")
    return [
        str(report.strict.number),
        percent(report.strict.share),
        percent(report.lenient.share),
        percent(report.languages["en"].share),
        percent(report.languages["zh"].share),
        "" if none is None else f"{none.right}/{none.number}",
        percent(report.downgrades.share),
    ]


def _show_times(console: Console, classifier: Classifier, routes: list[dict[str, Any]]) -> None:
    described = tuple(Route(each["name"], each["description"]) for each in routes)
    backend = BuiltinBackend(classifier, described)
    for characters in (50, 500, 10_000):
        text = ("please find out why the parser test fails in CI, and fix it; " * 200)[:characters]
        times_ms = []
        for _ in range(300):
            started_s = time.perf_counter()
            backend.answer(Question(read_text(text).text))
            times_ms.append((time.perf_counter() - started_s) * 1000)
        times_ms.sort()
        console.print(f"{characters:6} characters: p50 {times_ms[150]:.2f} ms, p99 {times_ms[296]:.2f} ms")
