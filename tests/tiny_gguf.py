"""Makes small GGUF files with random weights, for tests and measurements of the `llama` router: real to llama.cpp.

A byte-level BPE is trained here in plain Python (any UTF-8 is covered), with Qwen's pre-tokenizer and its ChatML
template; the architecture is Qwen2's. The same seed makes the same file.
"""

import collections
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

#: What the BPE is trained on: enough for whole words of prompts and answers.
_CORPUS = (
    'You assign requests to routes. Read the conversation. {"route": "code generation"} {"route": "none"} '
    '{"route": ["quick tasks"]} Answer with JSON only. name description user assistant system conversation routes '
    "writing code, fixing bugs, simple questions, translations, debugging, analysis, documentation, the function "
    "why does the server crash please write a test for the parser and explain what it does in the project "
) * 4
_WORD = re.compile(r" ?[A-Za-z]+| ?[^A-Za-z\s]+|\s+")
_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


@dataclass(frozen=True)
class Shape:
    """How big a model is."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 128
    context: int = 4096
    vocabulary: int = 0
    """Filled up with tokens that nothing uses; 0: what the BPE has."""
    quantised: bool = False
    """Weights of four bits and more as in files of the kind Q4_K_M, instead of F16."""


TINY = Shape()
#: Deliberately slow: some 25 million parameters for every token.
SLOW = Shape(layers=6, width=512, heads=8, kv_heads=4, feed_forward=2048)
QWEN_05B = Shape(24, 896, 14, 2, 4864, 4096, 151_936, quantised=True)
QWEN_15B = Shape(28, 1536, 12, 2, 8960, 4096, 151_936, quantised=True)


def write_gguf(
    path: Path, shape: Shape = TINY, *, name: str = "Tiny Qwen2", template: str | None = _TEMPLATE, seed: int = 1
) -> Path:
    """Write a model. Returns the path."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name(name)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    tokens, merges = _bpe()
    types = [gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * len(_SPECIALS)
    tokens += _SPECIALS
    unused = max(0, shape.vocabulary - len(tokens))
    tokens += [f"[UNUSED{number}]" for number in range(unused)]
    types += [gguf.TokenType.UNUSED] * unused
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    if template is not None:
        writer.add_chat_template(template)
    _add_weights(writer, shape, len(tokens), np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def parameters(shape: Shape) -> int:
    """Weights that every token passes, without the embeddings."""
    kv = shape.width * shape.kv_heads // shape.heads
    return shape.layers * (2 * shape.width**2 + 2 * shape.width * kv + 3 * shape.width * shape.feed_forward)


def _add_weights(writer: gguf.GGUFWriter, shape: Shape, vocabulary: int, random: np.random.Generator) -> None:
    def weight(tensor: str, rows: int, columns: int) -> None:
        if shape.quantised:
            _add_quantised(writer, tensor, rows, columns, random)
        else:
            values = random.standard_normal((rows, columns), dtype=np.float32) / np.sqrt(columns)
            writer.add_tensor(f"{tensor}.weight", values.astype(np.float16))

    def vector(tensor: str, size: int, value: float) -> None:
        writer.add_tensor(tensor, np.full(size, value, np.float32))

    kv = shape.width * shape.kv_heads // shape.heads
    weight("token_embd", vocabulary, shape.width)
    vector("output_norm.weight", shape.width, 1.0)
    for layer in range(shape.layers):
        block = f"blk.{layer}"
        vector(f"{block}.attn_norm.weight", shape.width, 1.0)
        vector(f"{block}.ffn_norm.weight", shape.width, 1.0)
        for part, size in (("q", shape.width), ("k", kv), ("v", kv)):
            weight(f"{block}.attn_{part}", size, shape.width)
            vector(f"{block}.attn_{part}.bias", size, 0.0)
        weight(f"{block}.attn_output", shape.width, shape.width)
        weight(f"{block}.ffn_gate", shape.feed_forward, shape.width)
        weight(f"{block}.ffn_up", shape.feed_forward, shape.width)
        weight(f"{block}.ffn_down", shape.width, shape.feed_forward)


def _add_quantised(writer: gguf.GGUFWriter, tensor: str, rows: int, columns: int, random: np.random.Generator) -> None:
    """Random blocks with small scales: real work for the processor, no values that overflow."""
    kind = gguf.GGMLQuantizationType
    if columns % 256:
        chosen, fixed = (kind.Q8_0, [0]) if tensor == "token_embd" else (kind.Q5_0, [0])
    else:
        # Of the kind Q4_K_M: the embeddings (which are the output, too) and some others have six bits.
        chosen, fixed = (kind.Q6_K, [208]) if tensor == "token_embd" or "attn_v" in tensor else (kind.Q4_K, [0, 2])
    elements, size = gguf.GGML_QUANT_SIZES[chosen]
    blocks = random.integers(0, 256, (rows * columns // elements, size), dtype=np.uint8)
    scale = np.frombuffer(np.float16(0.001).tobytes(), np.uint8)
    for offset in fixed:
        blocks[:, offset : offset + 2] = scale
    writer.add_tensor(f"{tensor}.weight", blocks.reshape(rows, -1), raw_dtype=chosen)


def _bpe(most: int = 400) -> tuple[list[str], list[str]]:
    """Tokens and merges of a byte-level BPE."""
    alphabet = _byte_alphabet()
    words = collections.Counter(tuple(alphabet[byte] for byte in word.encode()) for word in _WORD.findall(_CORPUS))
    tokens, merges = sorted(alphabet.values()), []
    for _ in range(most):
        pairs: collections.Counter[tuple[str, str]] = collections.Counter()
        for word, number in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += number
        if not pairs:
            break
        (left, right), number = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        if number < 2:
            break
        tokens.append(left + right)
        merges.append(f"{left} {right}")
        words = collections.Counter({_merged(word, left, right): count for word, count in words.items()})
    return tokens, merges


def _merged(word: tuple[str, ...], left: str, right: str) -> tuple[str, ...]:
    merged: list[str] = []
    for piece in word:
        if merged and merged[-1] == left and piece == right:
            merged[-1] = left + right
        else:
            merged.append(piece)
    return tuple(merged)


def _byte_alphabet() -> dict[int, str]:
    """GPT-2's printable stand-ins for bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    stand_ins = {byte: chr(byte) for byte in printable}
    return stand_ins | {byte: chr(256 + number) for number, byte in enumerate(others)}
