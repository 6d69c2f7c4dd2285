"""llama-cpp-python, if it is there: imported when a local model is wanted, and quiet.

The base installation works without it (extra `planoai[llama]`).
"""

import contextlib
import ctypes
import functools
import importlib
import logging
import os
from collections import deque
from collections.abc import Iterator
from typing import Any

import psutil

from plano_router.answer import RouterError

log = logging.getLogger("plano_router.llama")

OLDEST = (0, 3, 19)
_INSTALL = "Install it with `pip install 'planoai[llama]'`"
#: https://github.com/ggml-org/llama.cpp, ggml_log_level.
_WARNING, _ERROR = 3, 4
_complaints: deque[str] = deque(maxlen=50)


@functools.cache
def load_library() -> Any:
    """The module `llama_cpp`, ready for use. Raises RouterError where it is missing, too old or broken.

    It is a thin layer of ctypes over llama.cpp's C interface, hence Any.
    """
    # Threads of OpenMP that wait in a loop take the processor from Envoy and brightstaff, and from each other. The
    # library reads this when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        library = importlib.import_module("llama_cpp")
    except ModuleNotFoundError as error:
        raise RouterError(f"a local model needs llama-cpp-python ({error}). {_INSTALL}") from None
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise RouterError(f"llama-cpp-python cannot be loaded: {error}. {_INSTALL} anew") from None
    if version_of(library.__version__) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise RouterError(f"llama-cpp-python {library.__version__} is older than {oldest}. {_INSTALL}")
    library.llama_log_set(_log_callback(library), ctypes.c_void_p(0))
    library.llama_backend_init()
    return library


def version_of(text: str) -> tuple[int, ...]:
    """A version's numbers."""
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


@contextlib.contextmanager
def complaints() -> Iterator[deque[str]]:
    """What llama.cpp says meanwhile that is a warning or worse."""
    _complaints.clear()
    yield _complaints


def thread_number() -> int:
    """One thread for each core but one, which is left to the rest of the gateway."""
    physical = psutil.cpu_count(logical=False) or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return max(1, min(physical, allowed) - 1)


@functools.cache
def _log_callback(library: Any) -> Any:
    """Kept as long as the library may call it, that is for ever.

    Not `verbose=False`: that sends what the whole process prints to /dev/null for a while.
    """

    def take(level: int, text: bytes, _: object) -> None:
        line = text.decode("utf-8", "replace").strip()
        if level in (_WARNING, _ERROR) and line:
            _complaints.append(line)
            log.debug("%s", line)

    return library.llama_log_callback(take)
