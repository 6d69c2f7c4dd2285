"""The models that are on this machine: one file each in `models` of Plano's home, with a note beside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from planoai.errors import EXIT_USAGE, PlanoError
from planoai.home import PlanoHome

_SUFFIX = ".gguf"


class Note(msgspec.Struct, frozen=True):
    """Where a file came from, kept as NAME.json."""

    url: str
    sha256: str
    size: int
    """Bytes."""
    licence: str = ""


@dataclass(frozen=True)
class Stored:
    """A model that is here."""

    name: str
    path: Path
    size: int
    note: Note | None
    """None for a file that somebody put there."""


def models_folder(home: PlanoHome) -> Path:
    """Where downloaded models are."""
    return home.root / "models"


def model_file(home: PlanoHome, name: str) -> Path:
    """Where the model of this name is, or would be."""
    return models_folder(home) / f"{name}{_SUFFIX}"


def stored_models(home: PlanoHome) -> list[Stored]:
    """What is there, by name."""
    return [
        Stored(path.stem, path, path.stat().st_size, read_note(path))
        for path in sorted(models_folder(home).glob(f"*{_SUFFIX}"))
        if path.is_file()
    ]


def read_note(path: Path) -> Note | None:
    """The note beside a model's file; None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Note)
    except (OSError, msgspec.MsgspecError):
        return None


def write_note(path: Path, note: Note) -> None:
    """Keep where a file came from."""
    path.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(note), indent=2) + b"\n")


def remove_model(home: PlanoHome, name: str) -> int:
    """Remove a model and what belongs to it, begun downloads too; returns the bytes that it took. Raises PlanoError."""
    parts = [path for path in _parts(model_file(home, name)) if path.is_file()] if Path(name).name == name else []
    if not parts:
        there = ", ".join(each.name for each in stored_models(home))
        raise PlanoError(
            f"There is no model {name!r} in {models_folder(home)}",
            f"There are: {there}." if there else "There is none at all.",
            exit_code=EXIT_USAGE,
        )
    size = sum(path.stat().st_size for path in parts)
    for path in parts:
        path.unlink()
    return size


def part_file(path: Path) -> Path:
    """Where a download is until it is complete."""
    return path.with_name(f"{path.name}.part")


def part_tag_file(path: Path) -> Path:
    """What the server calls the version of the file that is being downloaded."""
    return path.with_name(f"{path.name}.part.etag")


def _parts(path: Path) -> Iterable[Path]:
    return (path, path.with_suffix(".json"), part_file(path), part_tag_file(path))
