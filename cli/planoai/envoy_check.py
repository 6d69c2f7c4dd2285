"""Rendered resources are checked before anything runs: as Envoy's typed messages, and by Envoy itself."""

import importlib
import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from planoai.errors import PlanoError
from planoai.rendering import BOOTSTRAP, CLUSTERS, LISTENERS

_TYPE_URL = "type.googleapis.com/"
_VALIDATION_TIMEOUT_S = 60

Resource = dict[str, Any]


def check_types(rendered: Mapping[str, str]) -> None:
    """Parse every resource into envoy-data-plane's message of its type: unknown fields and wrong types show.

    Raises PlanoError.
    """
    with warnings.catch_warnings():
        # pydantic's about code of envoy-data-plane, and that package's about fields that still have their effect.
        warnings.simplefilter("ignore", DeprecationWarning)
        for name, text in rendered.items():
            document = yaml.safe_load(text)
            for url in {node["@type"] for node in _typed_nodes(document)}:
                importlib.import_module("envoy_data_plane." + url.removeprefix(_TYPE_URL).rpartition(".")[0])
            resources = [document] if name == BOOTSTRAP else document["resources"] or []
            for resource in resources:
                _parse(name, dict(resource))


def _parse(name: str, resource: Resource) -> None:
    url = resource.pop("@type", f"{_TYPE_URL}envoy.config.bootstrap.v3.Bootstrap")
    module, _, message = url.removeprefix(_TYPE_URL).rpartition(".")
    type_ = getattr(importlib.import_module(f"envoy_data_plane.{module}"), message)
    try:
        type_.from_dict(resource)
    except (KeyError, TypeError, ValueError) as error:
        label = resource.get("name", message)
        # The text of a KeyError stands in quotes otherwise.
        reason = error.args[0] if isinstance(error, KeyError) else error
        raise PlanoError(
            f"the rendered {name} is not valid: {label}: {reason}",
            "This is a fault of Plano's templates; please report it.",
        ) from error


def _typed_nodes(node: object) -> Iterator[Resource]:
    """Every object within `node` that names its type."""
    if isinstance(node, dict):
        if "@type" in node:
            yield node
        for value in node.values():
            yield from _typed_nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _typed_nodes(value)


def merged_bootstrap(rendered: Mapping[str, str]) -> str:
    """One bootstrap with everything in it: Envoy does not follow to other files when it validates.

    Access logs go nowhere: Envoy opens them even to validate, and their folder may not be there yet.
    """
    bootstrap: Resource = yaml.safe_load(rendered[BOOTSTRAP])
    bootstrap.pop("dynamic_resources")
    for name, key in ((LISTENERS, "listeners"), (CLUSTERS, "clusters")):
        for resource in yaml.safe_load(rendered[name])["resources"] or []:
            resource.pop("@type")
            for node in _typed_nodes(resource):
                if node["@type"].endswith(".FileAccessLog"):
                    node["path"] = os.devnull
            bootstrap["static_resources"][key].append(resource)
    return yaml.safe_dump(bootstrap)


def check_with_envoy(
    rendered: Mapping[str, str], envoy: Path, environ: Mapping[str, str], *, timeout_s: float = _VALIDATION_TIMEOUT_S
) -> None:
    """`envoy --mode validate` on the resources. Raises PlanoError with what Envoy said."""
    descriptor, name = tempfile.mkstemp(prefix="plano-check-", suffix=".yaml")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(merged_bootstrap(rendered))
        result = subprocess.run(  # noqa: S603 - the binary that is about to be run anyway
            [str(envoy), "--mode", "validate", "--disable-hot-restart", "--log-level", "warning", "-c", name],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=dict(environ),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PlanoError(
            f"Envoy did not finish checking its configuration within {timeout_s:g} s",
            "Try again on a less busy machine.",
        ) from None
    finally:
        Path(name).unlink(missing_ok=True)
    if result.returncode != 0:
        said = [line for line in (result.stderr + result.stdout).splitlines() if line.strip()]
        reason = next((line for line in said if "error" in line.lower()), said[-1] if said else "no reason given")
        raise PlanoError(
            f"Envoy refuses its configuration: {reason}",
            "See the message above; if config.yaml is right, please report it.",
        )
