"""What words mean, as vectors: a table that scripts/make_word_vectors.py made once (there is what it is made of).

No model runs here: the meaning of a text is the sum of its words' vectors. Words of languages without spaces are found
by the longest match.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

_RUN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]+|[\uac00-\ud7af]+|[a-z\u00c0-\u024f][a-z0-9+#\u00c0-\u024f]*|[\u0400-\u04ff]+"
)
_FIRST_WITHOUT_SPACES, _LAST_WITHOUT_SPACES = "\u3040", "\ud7af"
_LONGEST = 4
#: How much what was said before counts.
_CONTEXT = 0.5


@dataclass(frozen=True)
class WordVectors:
    """The table."""

    index: Mapping[str, int]
    """Word → row."""
    vectors: NDArray[np.int8]
    scales: Vector
    """Of each row."""

    @property
    def dimensions(self) -> int:
        """Of every vector."""
        return int(self.vectors.shape[1])

    @classmethod
    def load(cls, path: Path | None = None) -> "WordVectors":
        """The table of this package, or another one. Raises OSError, ValueError, KeyError."""
        source = files("plano_router").joinpath("words.npz") if path is None else path
        with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            words = archive["words"].tobytes().decode("utf-8").split("\n")
            vectors = unpack(archive["vectors"])
            scales = archive["scales"].astype(np.float32)
        return cls({word: row for row, word in enumerate(words)}, vectors, scales)

    def rows(self, text: str) -> list[int]:
        """The words of a text that are known, in order, as rows of the table."""
        return list(self._rows(unicodedata.normalize("NFKC", text).lower()))

    def meaning(self, text: str, context: str = "") -> Vector:
        """The sum of the words' vectors as a vector of length 1; all zero where no word is known."""
        total = self._sum(text)
        if context:
            total = total + np.float32(_CONTEXT) * self._sum(context)
        norm = float(np.linalg.norm(total))
        return (total / np.float32(norm)).astype(np.float32) if norm else total

    def _sum(self, text: str) -> Vector:
        rows = self.rows(text)
        return np.asarray(self.scales[rows] @ self.vectors[rows].astype(np.float32), np.float32)

    def _rows(self, text: str) -> Iterator[int]:
        index = self.index
        for run in _RUN.findall(text):
            if _FIRST_WITHOUT_SPACES <= run[0] <= _LAST_WITHOUT_SPACES:
                start = 0
                while start < len(run):
                    for length in range(min(_LONGEST, len(run) - start), 0, -1):
                        row = index.get(run[start : start + length])
                        if row is not None:
                            yield row
                            break
                    start += length
            else:
                row = index.get(run)
                if row is None and run.endswith("s"):
                    row = index.get(run[:-1])
                if row is not None:
                    yield row


def pack(vectors: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Values from -7 to 7, two in a byte."""
    shifted = (vectors + 8).astype(np.uint8)
    return np.asarray(shifted[:, 0::2] | shifted[:, 1::2] << 4, np.uint8)


def unpack(packed: NDArray[np.uint8]) -> NDArray[np.int8]:
    """What `pack` packed."""
    found = np.empty((packed.shape[0], packed.shape[1] * 2), np.int8)
    found[:, 0::2] = packed & 15
    found[:, 1::2] = packed >> 4
    found -= 8
    return found
