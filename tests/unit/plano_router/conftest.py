"""Small models for the tests of the `llama` router."""

from pathlib import Path

import pytest

from tiny_gguf import SLOW, write_gguf


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file of 220 KB with random weights."""
    return write_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="session")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of 48 MB, which reads some hundred tokens a second."""
    return write_gguf(tmp_path_factory.mktemp("models") / "slow.gguf", SLOW)
