"""A small library and its words, on which training takes no time."""

import json
from pathlib import Path

import numpy as np

from plano_router.words import WordVectors

INTENTS = "one:\n  cook: recipes; food — not travel\n  travel: trips, hotels\ntwo:\n  code: programs\n"
PROMPTS = "## cook en\nbake a cake\\nwith sugar\nboil eggs\nbake bread\n## travel en\nbook a hotel\nfly to rome\n"
CONVERSATION = [
    {"role": "user", "content": "write a program that sorts numbers, in go"},
    {"role": "user", "content": "and in c?"},
]
CONFIGURATION = [
    {
        "config": "mine",
        "routes": [
            {"name": "kitchen", "description": "food and\n recipes"},
            {"name": "trips", "description": "hotels, flights"},
        ],
    },
    {"config": "mine", "route": "kitchen", "lang": "en", "text": "bake a pie"},
    {"config": "mine", "route": "kitchen", "lang": "en", "text": "boil rice"},
    {"config": "mine", "route": "trips", "lang": "en", "text": "fly to paris"},
    {"config": "mine", "route": "trips", "lang": "en", "messages": [{"role": "user", "content": "a hotel in rome"}]},
    {"config": "mine", "route": None, "lang": "en", "text": "fix the bug in go"},
]


def write_library(folder: Path) -> Path:
    """Write it into a folder; returns the folder."""
    for name in ("examples", "phrases", "configurations"):
        (folder / name).mkdir()
    (folder / "intents.yaml").write_text(INTENTS)
    (folder / "kin.yaml").write_text("cook: [travel]\n")
    (folder / "examples" / "a.txt").write_text(PROMPTS)
    lines = [
        {"intent": "code", "lang": "en", "messages": CONVERSATION},
        {"intent": "code", "lang": "en", "text": "fix the bug"},
    ]
    (folder / "examples" / "b.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (folder / "phrases" / "a.txt").write_text("## code en\nprogramming\n")
    (folder / "configurations" / "a.jsonl").write_text("\n".join(map(json.dumps, CONFIGURATION)))
    return folder


def some_words() -> WordVectors:
    """Words of three kinds: of the kitchen, of travels, of programs."""
    kinds = (
        "bake cake bread boil eggs pie rice recipes food",
        "hotel hotels rome fly paris trips",
        "program bug go fix",
    )
    index: dict[str, int] = {}
    vectors = []
    for kind, words in enumerate(kinds):
        for number, word in enumerate(words.split()):
            index[word] = len(index)
            vectors.append([7 if kind == column else number % 3 - 1 for column in range(4)])
    return WordVectors(index, np.array(vectors, np.int8), np.ones(len(index), np.float32))
