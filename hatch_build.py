"""Trains the built-in router when a wheel is built, or an editable installation is made."""

import hashlib
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
MODEL = "plano_router/intents.npz"
#: Beside the library, what the classifier follows from.
SOURCES = (
    "boilerplate.py",
    "claims.py",
    "classifier.py",
    "descent.py",
    "encoding.py",
    "evidence.py",
    "features.py",
    "library.py",
    "matching.py",
    "phrases.py",
    "reading.py",
    "train.py",
    "train_matching.py",
    "trimming.py",
    "words.npz",
    "words.py",
)


class TrainRouter(BuildHookInterface):
    """The classifier is built from the library of prompts, and only when that, or the training, has changed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the files are collected."""
        if self.target_name != "wheel":
            return
        build_data["artifacts"].append(MODEL)
        model, stamp = ROOT / MODEL, ROOT / f"{MODEL}.sources"
        sources = digest()
        if model.exists() and stamp.exists() and stamp.read_text("utf-8") == sources:
            return
        sys.path.insert(0, str(ROOT))
        from plano_router.train import build  # noqa: PLC0415  (only now can it be found)

        self.app.display_info("training the built-in router")
        build(model)
        stamp.write_text(sources, "utf-8")


def digest() -> str:
    """Of everything that the classifier follows from."""
    package = ROOT / "plano_router"
    sums = hashlib.sha256()
    for path in [*(package / name for name in SOURCES), *sorted((package / "library").rglob("*"))]:
        if path.is_file():
            sums.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return sums.hexdigest()
