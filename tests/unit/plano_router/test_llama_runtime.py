"""plano_router.llama_runtime: llama-cpp-python, if it is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plano_router.llama_runtime import OLDEST, complaints, load_library, thread_number, version_of


def run(code: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter, with these folders before all others."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    environ.pop("OMP_WAIT_POLICY", None)
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_library_is_there_and_quiet() -> None:
    """As the extra asks for; its threads wait without using the processor; nothing is printed."""
    done = run(
        "import os\nfrom plano_router.llama_runtime import load_library\nlibrary = load_library()\n"
        "assert 'passive' == os.environ['OMP_WAIT_POLICY']\n"
        "assert not library.llama_model_load_from_file(b'/nowhere', library.llama_model_default_params())\n"
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    assert OLDEST <= version_of(load_library().__version__) < (0, 4)


def test_the_router_is_imported_without_it() -> None:
    """The base installation works without the extra, and does not pay for it."""
    code = "import sys, plano_router.main, planoai.routing\nassert 'llama_cpp' not in sys.modules"
    assert (0, "") == ((done := run(code)).returncode, done.stderr)


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("raise ModuleNotFoundError('no module')", "a local model needs llama-cpp-python"),
        ("raise RuntimeError('libcuda.so.1 is missing')", "llama-cpp-python cannot be loaded: libcuda.so.1 is missing"),
        ("__version__ = '0.2.90'", "llama-cpp-python 0.2.90 is older than 0.3.19"),
    ],
)
def test_what_is_missing_is_told(tmp_path: Path, module: str, told: str) -> None:
    """With what to do about it."""
    (tmp_path / "llama_cpp.py").write_text(module)
    done = run("from plano_router.llama_runtime import load_library\nload_library()", tmp_path)
    assert f"RouterError: {told}" in done.stderr
    assert "pip install 'planoai[llama]'" in done.stderr


def test_what_it_complains_about() -> None:
    """Its warnings and errors are there to be told, and nothing of what was before."""
    library = load_library()
    with complaints() as said:
        library.llama_model_load_from_file(b"/nowhere", library.llama_model_default_params())
        assert any("/nowhere" in line for line in said)
    with complaints() as said:
        assert not said


def test_a_core_is_left_to_the_others() -> None:
    """And one thread there is in any case."""
    assert 1 <= thread_number() <= max(1, (os.cpu_count() or 1) - 1)
