"""From a text to the hashed features of the built-in classifier. Pure, and the same when training and when deciding.

Words and pairs of words, character n-grams within words (typos, compounds, inflexion), n-grams of CJK characters,
the words of the beginning and of the end once more under names of their own (requests stand there, pasted things
between), and marks for what the text is made of: code, traces, diffs, links, questions.
"""

import functools
import itertools
import re
import unicodedata
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

#: Number of buckets.
BUCKETS = 1 << 18

_TOKEN = re.compile(r"[a-z][a-z0-9+#]*(?:['’][a-z]+)?|[0-9]+|[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_]+|[?!?!]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_CJK_RUN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_MARKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("fence", re.compile(r"```")),
    ("url", re.compile(r"https?://|www\.\w|\b[\w-]+\.(?:com|org|io|dev|net|cn|de|gov|edu)\b")),
    (
        "path",
        re.compile(
            r"\b[\w./-]+\.(?:py|ts|tsx|js|jsx|go|rs|java|kt|rb|php|c|cc|cpp|h|cs|swift|vue|sql|sh|yml|yaml|toml|json|md|html|css)\b"
        ),
    ),
    ("document", re.compile(r"\b(?:README|CHANGELOG|[\w-]+\.(?:md|rst|adoc|docx?))\b", re.IGNORECASE)),
    (
        "trace",
        re.compile(r"Traceback \(most|^\s+at [\w.$<>]+\(|panicked at|Exception in thread|goroutine \d+", re.MULTILINE),
    ),
    ("error", re.compile(r"\b\w*(?:Error|Exception|ERR_\w+|E\d{4})\b|错误|报错|异常|fatal:|error:", re.IGNORECASE)),
    ("signal", re.compile(r"SIG[A-Z]{3,4}|segfault|segmentation fault|core dumped|OOM|段错误|崩溃", re.IGNORECASE)),
    ("diff", re.compile(r"^(?:diff --git|@@ |\+\+\+ |--- )", re.MULTILINE)),
    ("log", re.compile(r"^\S*\d{2}:\d{2}:\d{2}|\b(?:WARN|INFO|ERROR)\b", re.MULTILINE)),
    ("json", re.compile(r"\{\s*\"[\w-]+\"\s*:")),
    (
        "code",
        re.compile(r"\b(?:def|class|func|fn|function|const|let|var|import|public|return|SELECT|#include)\b.*[({;:=]"),
    ),
    ("table", re.compile(r"^\|.*\|", re.MULTILINE)),
    ("mail", re.compile(r"[\w.]+@[\w.]+\.\w+|^(?:Dear|Hi|Hello|Subject:)", re.MULTILINE)),
    ("money", re.compile(r"[$€£¥]\s?\d|\d\s?(?:元|万|美元|EUR|USD)")),
    ("math", re.compile(r"\d\s*[-+*/^=×÷]\s*\d|\bx\^|√|∫|∑|\\frac")),
    ("status", re.compile(r"\b[45]\d\d\b")),
)
_SECTIONS = 8
_WORD_WEIGHT, _PAIR_WEIGHT, _GRAM_WEIGHT, _EDGE_WEIGHT, _MARK_WEIGHT = 1.0, 0.9, 0.45, 0.7, 0.8
_CODE_WEIGHT, _PIECE_WEIGHTS = 0.25, (0.9, 0.6)

Features = tuple[NDArray[np.int32], NDArray[np.float32]]


def features(text: str, context: str = "", context_weight: float = 0.5) -> Features:
    """Buckets and values, of length 1 as a vector. `context` is what was said before, of less weight."""
    weights: dict[int, float] = {}
    _add(weights, text, 1.0)
    if context:
        _add(weights, context, context_weight)
    buckets = np.fromiter(weights.keys(), np.int32, len(weights))
    values = np.sqrt(np.fromiter(weights.values(), np.float32, len(weights))).astype(np.float32)
    norm = float(np.linalg.norm(values))
    return buckets, (values / np.float32(norm)).astype(np.float32) if norm else values


def _add(weights: dict[int, float], text: str, factor: float) -> None:
    prose = _CODE.sub(" ", text)
    bare = unicodedata.normalize("NFKC", prose).lower()
    tokens = _TOKEN.findall(bare)
    for name, weight in itertools.chain(_marks(text, prose, tokens), _words(tokens), _pieces(bare)):
        bucket = _bucket(name)
        weights[bucket] = weights.get(bucket, 0.0) + weight * factor
    for token in tokens:
        if len(token) >= 3 and token.isascii():
            buckets, weight = _grams(token)
            for bucket in buckets:
                weights[bucket] = weights.get(bucket, 0.0) + weight * factor


def _bucket(name: str) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) & (BUCKETS - 1)


@functools.lru_cache(maxsize=16384)
def _grams(token: str) -> tuple[tuple[int, ...], float]:
    """The n-grams of a word as buckets, and the weight of each. Words come again."""
    padded = f"<{token}>"
    buckets = tuple(
        _bucket(f"g:{padded[start : start + size]}") for size in (3, 4, 5) for start in range(len(padded) - size + 1)
    )
    return buckets, _GRAM_WEIGHT * 3 / len(padded)


def _marks(text: str, prose: str, tokens: list[str]) -> Iterator[tuple[str, float]]:
    """What the text is made of, and the words of its code."""
    for mark, pattern in _MARKS:
        if pattern.search(text):
            yield f"m:{mark}", _MARK_WEIGHT
    yield f"m:length{min(len(tokens), 400).bit_length()}", _MARK_WEIGHT
    if len(prose) < len(text):
        inside = unicodedata.normalize("NFKC", text).lower()
        # Each once, in an order that is the same in every process.
        for token in dict.fromkeys(_TOKEN.findall(inside)):
            yield f"c:{token}", _CODE_WEIGHT


def _pieces(bare: str) -> Iterator[tuple[str, float]]:
    """Pairs and triples of characters, where words have no spaces between them."""
    for run in _CJK_RUN.findall(bare):
        for size in (2, 3):
            for start in range(len(run) - size + 1):
                yield f"z:{run[start : start + size]}", _PIECE_WEIGHTS[size - 2]


def _words(tokens: list[str]) -> Iterator[tuple[str, float]]:
    tokens = ["0" if token.isdigit() else token for token in tokens]
    for token in tokens:
        yield f"w:{token}", _WORD_WEIGHT
    for first, second in itertools.pairwise(tokens):
        if not (_CJK.match(first) and _CJK.match(second)):
            yield f"p:{first} {second}", _PAIR_WEIGHT
    for token in tokens[:_SECTIONS]:
        yield f"b:{token}", _EDGE_WEIGHT
    if tokens:
        yield f"b0:{tokens[0]}", _EDGE_WEIGHT
        yield f"b1:{' '.join(tokens[:2])}", _EDGE_WEIGHT
    if len(tokens) > 2 * _SECTIONS:
        for token in tokens[-_SECTIONS:]:
            yield f"e:{token}", _EDGE_WEIGHT
