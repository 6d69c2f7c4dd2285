"""planoai.models.store: the models that are on this machine."""

from pathlib import Path

import pytest

from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.models.store import (
    Note,
    model_file,
    models_folder,
    part_file,
    part_tag_file,
    read_note,
    remove_model,
    stored_models,
    write_note,
)

NOTE = Note("https://a.example/m.gguf", "0" * 64, 4, "Apache-2.0")


@pytest.fixture
def home(tmp_path: Path) -> PlanoHome:
    """A home with the folder for models."""
    home = PlanoHome(tmp_path)
    models_folder(home).mkdir()
    return home


def test_what_is_there(home: PlanoHome, tmp_path: Path) -> None:
    """By name; with a note or without; what is being downloaded is not there yet."""
    assert [] == stored_models(PlanoHome(tmp_path / "nowhere"))
    for name in ("b", "a"):
        model_file(home, name).write_bytes(b"GGUF")
    write_note(model_file(home, "b"), NOTE)
    part_file(model_file(home, "c")).write_bytes(b"GG")
    (models_folder(home) / "folder.gguf").mkdir()
    assert [("a", 4, None), ("b", 4, NOTE)] == [(each.name, each.size, each.note) for each in stored_models(home)]


def test_a_note_that_cannot_be_read(home: PlanoHome) -> None:
    """Is none."""
    path = model_file(home, "a")
    path.with_suffix(".json").write_text("{")
    assert read_note(path) is None


def test_removing(home: PlanoHome) -> None:
    """Everything of the model goes, and nothing else."""
    path = model_file(home, "a")
    for each in (path, part_file(path), part_tag_file(path)):
        each.write_bytes(b"1234")
    write_note(path, NOTE)
    model_file(home, "a.b").write_bytes(b"GGUF")
    size = path.with_suffix(".json").stat().st_size
    assert 12 + size == remove_model(home, "a")
    assert [model_file(home, "a.b")] == list(models_folder(home).iterdir())


@pytest.mark.parametrize("name", ["absent", "../config", "/etc/hosts"])
def test_removing_what_is_not_there(home: PlanoHome, name: str) -> None:
    """An error that says what there is; nothing outside the folder is touched."""
    (home.root / "config.gguf").write_bytes(b"mine")
    with pytest.raises(PlanoError, match="no model") as caught:
        remove_model(home, name)
    assert "none at all" in str(caught.value.remedy)
    model_file(home, "here").write_bytes(b"GGUF")
    with pytest.raises(PlanoError) as caught:
        remove_model(home, name)
    assert "There are: here." == caught.value.remedy
    assert b"mine" == (home.root / "config.gguf").read_bytes()
