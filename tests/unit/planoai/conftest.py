"""What the tests of the compiler share: configurations as data, and what they compile to."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml

from planoai.config import parse_config
from planoai.config_generator import CompiledGateway, compile_gateway
from planoai.envoy_binary import find_envoy
from planoai.home import PlanoHome

# The machine that runs the tests is shared: how long one example takes says nothing.
hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")

CA_FILE = "/etc/certificates.pem"
NONCE = "0123456789abcdef"

#: Addresses of proxies.
HOSTS = {"proxy.example": "192.0.2.1", "other-proxy.example": "2001:db8::1", "2001:db8::1": "2001:db8::1"}

Compile = Callable[..., CompiledGateway]


def _compile(
    *providers: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    envoy_version: tuple[int, ...] = (1, 40, 0),
    home: PlanoHome | None = None,
    ca_file: str = CA_FILE,
    **sections: Any,
) -> CompiledGateway:
    text = yaml.safe_dump({"model_providers": list(providers), **sections}, allow_unicode=True)
    return compile_gateway(
        parse_config(text, "config.yaml", environ or {}, {}),
        home or PlanoHome(Path("/home/someone/.plano")),
        envoy_version=envoy_version,
        environ=environ or {},
        ca_file=ca_file,
        resolve=HOSTS.__getitem__,
        nonce=NONCE,
    )


@pytest.fixture(scope="session")
def compiled() -> Compile:
    """Compiles a configuration of these providers; further sections by name."""
    return _compile


@pytest.fixture(scope="session")
def envoy() -> Path:
    """The real Envoy, as `planoai up` finds it without a home."""
    return find_envoy(None, PlanoHome(Path("/none")), {}).path
