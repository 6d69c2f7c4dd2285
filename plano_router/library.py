r"""Reads `library/`: the canonical intents, prompts and phrases of each, and configurations with prompts and routes.

Only training does. Files are JSON Lines, or text: `## intent language`, then an example on each line, in which `\n` is
a line feed.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from plano_router.answer import Route
from plano_router.reading import read_request, read_text

LIBRARY = Path(__file__).parent / "library"
#: Characters of a prompt that may stand for a phrase.
_SHORT = 60


@dataclass(frozen=True)
class Example:
    """A prompt, or a phrase, and its intent."""

    intent: str
    text: str
    context: str = ""
    lang: str = "en"


@dataclass(frozen=True)
class Configuration:
    """Routes as somebody would write them, and prompts with the route that each belongs to."""

    name: str
    routes: tuple[Route, ...]
    prompts: tuple[tuple[str, str, str | None], ...]
    """Text, context, and the name of the route; None: none of them."""


def read_intents(library: Path = LIBRARY) -> dict[str, str]:
    """Intent → what it covers, in the order of the file."""
    groups = yaml.safe_load((library / "intents.yaml").read_text("utf-8"))
    return {name: text for group in groups.values() for name, text in group.items()}


def read_examples(library: Path = LIBRARY) -> list[Example]:
    """Every prompt, as the router would read it."""
    found: list[Example] = []
    for line in _lines(library / "examples"):
        text, context = _as_read(line)
        found.append(Example(str(line["intent"]), text, context, str(line.get("lang", "en"))))
    return found


def read_phrases(library: Path = LIBRARY) -> list[Example]:
    """Every phrase by which a route may be described; the definitions and names of the intents among them."""
    found = [Example(str(line["intent"]), str(line["phrase"])) for line in _lines(library / "phrases")]
    for name, definition in read_intents(library).items():
        found.append(Example(name, name.replace("_", " ")))
        positive = definition.partition(" — ")[0]
        found += [Example(name, part.strip()) for clause in positive.split(";") for part in clause.split(",")]
        found.append(Example(name, positive))
    # Some authors describe a route by what its users say.
    return found + [each for each in read_examples(library) if len(each.text) <= _SHORT and not each.context]


def read_configurations(library: Path = LIBRARY) -> list[Configuration]:
    """Every configuration."""
    routes: dict[str, tuple[Route, ...]] = {}
    prompts: dict[str, list[tuple[str, str, str | None]]] = {}
    for line in _lines(library / "configurations"):
        name = str(line["config"])
        described = line.get("routes")
        if isinstance(described, list):
            routes[name] = tuple(Route(each["name"], " ".join(each["description"].split())) for each in described)
            prompts.setdefault(name, [])
        else:
            route = line["route"]
            prompts.setdefault(name, []).append((*_as_read(line), None if route is None else str(route)))
    return [Configuration(name, of_it, tuple(prompts[name])) for name, of_it in routes.items()]


def taxonomy(library: Path = LIBRARY) -> dict[str, NDArray[np.generic]]:
    """Names of the intents, their groups, and how near they are to each other."""
    groups = yaml.safe_load((library / "intents.yaml").read_text("utf-8"))
    kin = yaml.safe_load((library / "kin.yaml").read_text("utf-8"))
    names = [name for group in groups.values() for name in group]
    index = {name: number for number, name in enumerate(names)}
    near = np.zeros((len(names), len(names)), np.float32)
    for name, relatives in kin.items():
        for rank, relative in enumerate(relatives):
            near[index[name], index[relative]] = 0.8 * 0.8**rank
    numbers = [number for number, group in enumerate(groups.values()) for _ in group]
    return {"intents": np.array(names), "groups": np.array(numbers, np.int8), "kin": near}


def _as_read(line: dict[str, object]) -> tuple[str, str]:
    reading = read_request("/chat/completions", line) if "messages" in line else read_text(str(line["text"]))
    return reading.text, reading.context


def _lines(folder: Path) -> Iterator[dict[str, object]]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            if line.strip():
                yield json.loads(line)
    for path in sorted(folder.glob("*.txt")):
        yield from _sections(path.read_text("utf-8"))


def _sections(text: str) -> Iterable[dict[str, object]]:
    intent, lang = "", ""
    for line in text.splitlines():
        if line.startswith("## "):
            intent, lang = line.removeprefix("## ").split()
        elif line.strip():
            whole = line.replace("\\n", "\n").replace("\\\\", "\\")
            yield {"intent": intent, "lang": lang, "text": whole, "phrase": whole}
