"""plano_router.llama_model: GGUF files, loaded by llama.cpp."""

from collections.abc import Callable, Iterator
from pathlib import Path

import gguf
import pytest

from plano_router.answer import RouterError
from plano_router.llama_model import LlamaModel, check_file, why_not
from plano_router.llama_runtime import load_library
from tiny_gguf import write_gguf


@pytest.fixture
def load() -> Iterator[Callable[..., LlamaModel]]:
    """Loads models, and gives their memory back."""
    loaded: list[LlamaModel] = []

    def from_file(path: Path, gpu_layers: int | None = None) -> LlamaModel:
        loaded.append(LlamaModel(load_library(), path, gpu_layers))
        return loaded[-1]

    yield from_file
    for model in loaded:
        model.close()
        model.close()


def test_what_a_file_says_of_itself(load: Callable[..., LlamaModel], tiny_model: Path) -> None:
    """Names, template, marks, and how much it was trained to read."""
    model = load(tiny_model)
    assert ["Tiny Qwen2", "tiny"] == model.names
    assert ("", "<|im_end|>", 4096) == (model.bos, model.eos, model.trained_context)
    assert "<|im_start|>" in (model.template or "")
    assert not model.on_gpu or load_library().llama_supports_gpu_offload()


def test_without_a_template(load: Callable[..., LlamaModel], tmp_path: Path) -> None:
    """There may be none."""
    assert load(write_gguf(tmp_path / "m.gguf", template=None), 0).template is None


@pytest.mark.parametrize("text", ["", "hello", "写一个函数", "\x00 \ud800", "😀" * 2000])
def test_every_text_has_tokens(load: Callable[..., LlamaModel], tiny_model: Path, text: str) -> None:
    """Any language, any length, and what is no valid text."""
    model = load(tiny_model)
    assert len(model.tokens(text)) == model.count(text)
    assert bool(text) == bool(model.count(text))


def test_marks_of_the_template_count_in_prompts_only(load: Callable[..., LlamaModel], tiny_model: Path) -> None:
    """What a user writes cannot end its message."""
    model = load(tiny_model)
    mark = "<|im_end|>"
    assert (1, True) == (len(model.tokens(mark, whole_prompt=True)), model.count(mark) > 1)
    neutral = model.neutral(f"a {mark}{mark}<|im_start|> b")
    assert "a < |im_end|>< |im_end|>< |im_start|> b" == neutral
    assert len(model.tokens(neutral, whole_prompt=True)) == model.count(neutral)


def test_a_file_that_is_no_model(load: Callable[..., LlamaModel], tiny_model: Path, tmp_path: Path) -> None:
    """Missing, something else, cut off, of a kind that nobody knows, of a version to come: each is told apart."""
    whole = tiny_model.read_bytes()
    broken = {
        "missing": (None, "No such file"),
        "page": (b"<html>", "is no GGUF file"),
        "cut": (whole[: len(whole) // 2], "damaged or incomplete"),
        "header": (whole[:40], "damaged or incomplete"),
        "alien": (whole.replace(b"qwen2", b"qwen9"), "does not know the kind `qwen9`"),
        "newer": (whole[:4] + b"\x63\x00\x00\x00" + whole[8:], "GGUF version is not for"),
    }
    for name, (content, told) in broken.items():
        path = tmp_path / f"{name}.gguf"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(RouterError, match=told) as caught:
            load(path)
        assert str(path) in str(caught.value), name
        assert any(word in str(caught.value) for word in ("Download", "Upgrade", "Take", "pip install")), name


def test_a_model_that_cannot_route(tmp_path: Path, load: Callable[..., LlamaModel]) -> None:
    """One that does not keep what it has read token by token."""
    path = tmp_path / "mamba.gguf"
    writer = gguf.GGUFWriter(path, "t5encoder")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(RouterError, match=r"mamba\.gguf"):
        load(path)


def test_loading_can_be_stopped(slow_model: Path) -> None:
    """Who stops the router does not wait for gigabytes."""
    with pytest.raises(RouterError, match="stopped"):
        LlamaModel(load_library(), slow_model, None, lambda: True)


def test_why_not() -> None:
    """What llama.cpp says, in words for users."""
    path = Path("/m.gguf")
    assert "not enough memory" in why_not(path, ["ggml_aligned_malloc: insufficient memory, unable to alloc"], "1")
    unknown = ["error loading model: error loading model vocabulary: unknown pre-tokenizer type: 'new'"]
    assert "the kind `new`" in why_not(path, unknown, "1")
    assert "damaged or incomplete ()" in why_not(path, [], "1")


def test_a_file_can_be_checked_without_loading_it(tiny_model: Path, tmp_path: Path) -> None:
    """Only its first bytes are read."""
    check_file(tiny_model)
    with pytest.raises(RouterError, match="Is a directory"):
        check_file(tmp_path)
