"""The model file of the `llama` router: which one is meant, and whether it can be used."""

import importlib.util
from pathlib import Path

from plano_router.answer import RouterError
from plano_router.llama_model import check_file
from plano_router.settings import LlamaSettings
from planoai.config import PlanoConfig
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.models.store import model_file, models_folder, stored_models

_SUFFIX = ".gguf"


def find_router_model(
    config: PlanoConfig, home: PlanoHome, folder: Path, *, installed: bool | None = None
) -> LlamaSettings | None:
    """What the router process is told of its model: the one that `routing.model` names, else the only one there is.

    `folder` is that of config.yaml. None where none is wanted or there. With `routing.backend: llama` whatever is
    missing raises PlanoError; with `auto` the builtin router takes the place of a model that cannot be used.
    """
    routing = config.routing
    if not config.routing_preferences or routing.backend not in ("auto", "llama"):
        return None
    required = routing.backend == "llama"
    path = _only_one(home, required=required) if routing.model is None else model_path(routing.model, home, folder)
    if path is None:
        return None
    if required:
        _check(path, importlib.util.find_spec("llama_cpp") is not None if installed is None else installed)
    return LlamaSettings(str(path), None if routing.gpu_layers == "auto" else routing.gpu_layers)


def model_path(named: str, home: PlanoHome, folder: Path) -> Path:
    """The file that `routing.model` names: a path, relative to `folder`, or the name of a model that was downloaded."""
    if "/" in named or named.lower().endswith(_SUFFIX):
        return folder / Path(named).expanduser()
    return model_file(home, named)


def _only_one(home: PlanoHome, *, required: bool) -> Path | None:
    found = stored_models(home)
    if len(found) == 1:
        return found[0].path
    if not required:
        return None
    if found:
        raise PlanoError(
            f"routing.backend: llama needs to know which model: there are {', '.join(each.name for each in found)}",
            f"Name one: `routing: {{model: {found[0].name}}}`.",
        )
    raise PlanoError(
        f"routing.backend: llama needs a model: there is none in {models_folder(home)}",
        "Download one (`planoai models pull NAME`), or set routing.model to the path of a GGUF file.",
    )


def _check(path: Path, installed: bool) -> None:
    try:
        check_file(path)
    except RouterError as error:
        problem, _, remedy = str(error).partition(". ")
        raise PlanoError(f"routing.backend: llama needs a model: {problem}", f"{remedy}.") from None
    if not installed:
        raise PlanoError(
            "routing.backend: llama needs llama-cpp-python, which is not installed",
            "Install it: `pip install 'planoai[llama]'`, or choose another backend.",
        )
