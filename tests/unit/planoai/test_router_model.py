"""planoai.router_model: which model file the `llama` router uses."""

from pathlib import Path
from typing import Any

import pytest

from plano_router.settings import LlamaSettings
from planoai.config.schema import PlanoConfig
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.models.store import models_folder
from planoai.router_model import find_router_model


@pytest.fixture
def home(tmp_path: Path) -> PlanoHome:
    """A home without models."""
    return PlanoHome(tmp_path / "home")


def config(routing: dict[str, Any], *, routes: bool = True) -> PlanoConfig:
    """A configuration with one route."""
    return PlanoConfig.model_validate(
        {
            "version": "v0.4.0",
            "listeners": [{"type": "model", "name": "m", "port": 12000}],
            "model_providers": [
                {"model": "custom/a", "base_url": "http://127.0.0.1:9", "provider_interface": "openai"}
            ],
            "routing_preferences": [{"name": "r", "description": "all", "models": ["custom/a"]}] if routes else [],
            "routing": routing,
        }
    )


def put(home: PlanoHome, *names: str) -> list[Path]:
    """Models that were downloaded."""
    folder = models_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.gguf").write_bytes(b"GGUF")
    return [folder / f"{name}.gguf" for name in names]


def find(home: PlanoHome, routing: dict[str, Any], *, installed: bool = True, routes: bool = True) -> Any:
    """What the router would be told."""
    return find_router_model(config(routing, routes=routes), home, Path("/etc/plano"), installed=installed)


@pytest.mark.parametrize("backend", ["auto", "llama"])
def test_the_only_model_is_taken(home: PlanoHome, backend: str) -> None:
    """Nobody has to name it; GPU layers are automatic, or so many."""
    (path,) = put(home, "qwen")
    assert LlamaSettings(str(path)) == find(home, {"backend": backend})
    assert LlamaSettings(str(path), 7) == find(home, {"backend": backend, "gpu_layers": 7})


def test_one_of_several_must_be_named(home: PlanoHome) -> None:
    """`llama` says which there are; `auto` goes on without."""
    first, _ = put(home, "a", "b")
    with pytest.raises(PlanoError, match="there are a, b") as caught:
        find(home, {"backend": "llama"})
    assert "model: a" in str(caught.value.remedy)
    assert find(home, {"backend": "auto"}) is None
    assert LlamaSettings(str(first)) == find(home, {"backend": "auto", "model": "a"})


def test_a_path(home: PlanoHome, tmp_path: Path) -> None:
    """From the folder of config.yaml, or absolute."""
    (path,) = put(home, "elsewhere")
    assert LlamaSettings("/etc/plano/m.gguf") == find(home, {"model": "m.gguf"})
    assert LlamaSettings(str(path)) == find(home, {"backend": "llama", "model": str(path)})


@pytest.mark.parametrize("routing", [{"backend": "builtin"}, {"backend": "off"}, {"backend": "remote"}])
def test_where_none_is_wanted(home: PlanoHome, routing: dict[str, Any]) -> None:
    """Other backends, or no routes: no model."""
    put(home, "qwen")
    assert find(home, routing) is None
    assert find(home, {}, routes=False) is None


def test_what_llama_lacks_is_told(home: PlanoHome, tmp_path: Path) -> None:
    """A model, one that can be read, one that is a model, the package."""
    with pytest.raises(PlanoError, match="there is none in") as caught:
        find(home, {"backend": "llama"})
    assert "planoai models pull" in str(caught.value.remedy)
    with pytest.raises(PlanoError, match="No such file"):
        find(home, {"backend": "llama", "model": "absent"})
    (path,) = put(home, "qwen")
    with pytest.raises(PlanoError, match="llama-cpp-python, which is not installed"):
        find(home, {"backend": "llama"}, installed=False)
    path.write_bytes(b"<html>")
    with pytest.raises(PlanoError, match="no GGUF file"):
        find(home, {"backend": "llama"})
    assert LlamaSettings(str(path)) == find(home, {"backend": "auto"}, installed=False)
