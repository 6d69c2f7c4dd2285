"""A GGUF file as llama.cpp has loaded it: weights, vocabulary and what the file says of itself."""

import ctypes
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plano_router.answer import RouterError
from plano_router.llama_runtime import complaints, log

#: With what every GGUF file begins (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
MAGIC = b"GGUF"
#: More layers than any model has: all of them.
_ALL_LAYERS = 9999
_NAMES = ("general.name", "general.basename", "general.finetune")


class LlamaModel:
    """One model. Belongs to the thread that uses it; `close` gives the memory back."""

    def __init__(
        self, library: Any, path: Path, gpu_layers: int | None, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        """Load it. Raises RouterError, also when `stopped` says that nobody waits any more.

        `gpu_layers`: so many go to the graphics processor; None: all, where this build can.
        """
        check_file(path)
        self.library = library
        self.path = path
        self.on_gpu = bool(library.llama_supports_gpu_offload()) and gpu_layers != 0
        wanted = _ALL_LAYERS if gpu_layers is None else gpu_layers
        self.pointer = self._load(wanted if self.on_gpu else 0, stopped)
        if not self.pointer and self.on_gpu and gpu_layers is None and not stopped():
            log.warning("%s does not fit on the graphics processor; the processor takes it", path.name)
            self.on_gpu = False
            self.pointer = self._load(0, stopped)
        if not self.pointer:
            raise RouterError(self._why)
        try:
            self._refuse_what_cannot_route()
        except RouterError:
            self.close()
            raise
        self._vocabulary = library.llama_model_get_vocab(self.pointer)
        self.vocabulary_size = int(library.llama_vocab_n_tokens(self._vocabulary))
        self._control = self._control_texts()

    def close(self) -> None:
        """Give the memory back."""
        if self.pointer:
            self.library.llama_model_free(self.pointer)
        self.pointer = None

    def tokens(self, text: str, *, whole_prompt: bool = False) -> list[int]:
        """The text as tokens. In a whole prompt marks of the chat template count, and it gets its beginning."""
        raw = text.encode("utf-8", "replace")
        add_special = whole_prompt and not (self.bos and text.startswith(self.bos))
        room = len(raw) + 8
        found = (ctypes.c_int32 * room)()
        number = self.library.llama_tokenize(self._vocabulary, raw, len(raw), found, room, add_special, whole_prompt)
        if number < 0:
            raise RouterError(f"{self.path.name} cannot read a text of {len(raw)} bytes")
        return list(found[:number])

    def count(self, text: str) -> int:
        """How many tokens the text has."""
        return len(self.tokens(text))

    def neutral(self, text: str) -> str:
        """The text without marks of the chat template, with which it could pose as something else than a text."""
        return text if self._control is None else self._control.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text)

    @property
    def names(self) -> list[str]:
        """What the model is called, by its file and by the file's name."""
        return [*filter(None, (self._metadata(key) for key in _NAMES)), self.path.stem]

    @property
    def template(self) -> str | None:
        """The chat template (jinja) in the file."""
        found = self.library.llama_model_chat_template(self.pointer, None)
        return None if found is None else found.decode("utf-8", "replace")

    @property
    def bos(self) -> str:
        """The text of the token with which texts begin; empty where the file names none: llama.cpp makes one up."""
        named = self._metadata("tokenizer.ggml.bos_token_id")
        return self._text(self.library.llama_vocab_bos(self._vocabulary)) if named else ""

    @property
    def eos(self) -> str:
        """The text of the token with which texts end."""
        return self._text(self.library.llama_vocab_eos(self._vocabulary))

    @property
    def trained_context(self) -> int:
        """The longest text it was trained on, in tokens."""
        return int(self.library.llama_model_n_ctx_train(self.pointer))

    def _load(self, gpu_layers: int, stopped: Callable[[], bool]) -> Any:
        library = self.library
        parameters = library.llama_model_default_params()
        parameters.n_gpu_layers = gpu_layers
        goes_on = library.llama_progress_callback(lambda _progress, _data: not stopped())
        parameters.progress_callback = goes_on
        with complaints() as said:
            pointer = library.llama_model_load_from_file(os.fsencode(self.path), parameters)
            self._why = "stopped" if stopped() else why_not(self.path, list(said), library.__version__)
        return pointer

    def _refuse_what_cannot_route(self) -> None:
        library = self.library
        for name in ("llama_model_is_recurrent", "llama_model_is_hybrid", "llama_model_has_encoder"):
            asked = getattr(library, name, None)
            if asked is not None and asked(self.pointer):
                raise RouterError(
                    f"{self.path}: models of this architecture cannot be used as a router: they cannot go back to the "
                    "end of a prompt's constant part. Take a plain transformer, e.g. Qwen2.5-1.5B-Instruct"
                )
        if not library.llama_model_has_decoder(self.pointer):
            raise RouterError(f"{self.path}: this model does not generate text. Take an instruct model")

    def _metadata(self, key: str) -> str:
        found = ctypes.create_string_buffer(512)
        length = self.library.llama_model_meta_val_str(self.pointer, key.encode(), found, len(found))
        return found.value.decode("utf-8", "replace") if length > 0 else ""

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        text = self.library.llama_vocab_get_text(self._vocabulary, token)
        return "" if text is None else str(text.decode("utf-8", "replace"))

    def _control_texts(self) -> re.Pattern[str] | None:
        library, vocabulary = self.library, self._vocabulary
        control = library.LLAMA_TOKEN_ATTR_CONTROL
        marks = [
            self._text(token)
            for token in range(self.vocabulary_size)
            if library.llama_vocab_get_attr(vocabulary, token) & control
        ]
        # The longest first: one may begin like another.
        marks = sorted((mark for mark in marks if len(mark) > 1), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, marks))) if marks else None


def check_file(path: Path) -> None:
    """What can be said of a model file without loading it. Raises RouterError."""
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise RouterError(f"{path}: {error.strerror}. Download one: planoai models pull NAME") from None
    if start != MAGIC:
        raise RouterError(f"{path} is no GGUF file. Download it anew: planoai models pull NAME")


def why_not(path: Path, said: list[str], version: str) -> str:
    """Why a file could not be loaded, by what llama.cpp said."""
    text = "\n".join(said)
    unknown = re.search(r"unknown (?:model architecture|pre-tokenizer type): '([^']*)'", text)
    if unknown:
        return (
            f"{path}: llama-cpp-python {version} does not know the kind `{unknown[1]}`, it is too new or not for text. "
            "Upgrade: `pip install -U llama-cpp-python`, or take another model"
        )
    if re.search(r"only supports up to version|unsupported (?:GGUF )?version", text, re.IGNORECASE):
        return f"{path}: this GGUF version is not for llama-cpp-python {version}. Upgrade it, or take another file"
    detail = next((_detail(line) for line in said if "error" in line.lower()), _detail(said[-1]) if said else "")
    if "alloc" in text or "out of memory" in text:
        return f"{path}: there is not enough memory for it ({detail}). Take a smaller model"
    return (
        f"{path} cannot be loaded, it is damaged or incomplete ({detail}). Download it anew: planoai models pull NAME"
    )


def _detail(line: str) -> str:
    """A line of llama.cpp without the names of its functions."""
    return line.rpartition("error loading model: ")[2].removeprefix("llama_model_load: ").strip()[:200]
