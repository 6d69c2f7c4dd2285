"""The trained classifier: from texts to probabilities of the canonical intents. Made by `train`, no I/O but loading.

The file is a NumPy archive: weights as signed bytes with a scale for each row, for the buckets that training saw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plano_router.encoding import Encoded, encode
from plano_router.features import BUCKETS
from plano_router.words import Vector, WordVectors


@dataclass(frozen=True)
class LinearModel:
    """A multinomial logistic regression over hashed features and the meaning of words."""

    rows: NDArray[np.int32]
    """Bucket → row of `weights`, or -1."""
    weights: NDArray[np.int8]
    scales: Vector
    """Of each row."""
    meanings: Vector
    """Weights of the meaning: dimensions × classes."""
    bias: Vector
    temperature: float
    """Calibrates the probabilities."""

    def probabilities(self, text: Encoded) -> Vector:
        """Of each class, in the order of the classes."""
        rows = self.rows[text.buckets]
        known = rows >= 0
        rows, values = rows[known], text.values[known]
        logits = self.bias + (values * self.scales[rows]) @ self.weights[rows].astype(np.float32)
        logits += text.meaning @ self.meanings
        return softmax((logits / self.temperature).astype(np.float32))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> "LinearModel":
        """The model that `train.arrays_of` took apart."""
        rows = np.full(BUCKETS, -1, np.int32)
        buckets = arrays[f"{prefix}.buckets"]
        rows[buckets] = np.arange(len(buckets), dtype=np.int32)
        return cls(
            rows=rows,
            weights=arrays[f"{prefix}.weights"].astype(np.int8),
            scales=arrays[f"{prefix}.scales"].astype(np.float32),
            meanings=arrays[f"{prefix}.meanings"].astype(np.float32),
            bias=arrays[f"{prefix}.bias"].astype(np.float32),
            temperature=float(arrays[f"{prefix}.temperature"].astype(np.float64)),
        )


def softmax(logits: Vector) -> Vector:
    """Probabilities from logits."""
    exponentials = np.exp(logits - logits.max())
    return np.asarray(exponentials / exponentials.sum(), np.float32)


@dataclass(frozen=True)
class Classifier:
    """What the router knows without being told."""

    words: WordVectors
    intents: Sequence[str]
    prompts: LinearModel
    """Recognises what is asked for."""
    phrases: LinearModel
    """Recognises how a route is described."""
    groups: NDArray[np.int8]
    """Intent → group."""
    kin: Vector
    """Intent × intent: how near the second is to the first, 0 to 1."""
    matching: "MatchingWeights"

    def encode(self, text: str, context: str = "") -> Encoded:
        """A text as the models take it."""
        return encode(self.words, text, context)

    @classmethod
    def load(cls, path: Path | None = None, words: WordVectors | None = None) -> "Classifier":
        """The classifier of this package, or another one. Raises OSError, ValueError, KeyError."""
        source = files("plano_router").joinpath("intents.npz") if path is None else path
        with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return cls.from_arrays(arrays, WordVectors.load() if words is None else words)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], words: WordVectors) -> "Classifier":
        """The classifier whose arrays these are."""
        return cls(
            words=words,
            intents=[str(name) for name in arrays["intents"]],
            prompts=LinearModel.from_arrays(arrays, "prompts"),
            phrases=LinearModel.from_arrays(arrays, "phrases"),
            groups=arrays["groups"].astype(np.int8),
            kin=arrays["kin"].astype(np.float32),
            matching=MatchingWeights.from_arrays(arrays),
        )


@dataclass(frozen=True)
class MatchingWeights:
    """What each piece of evidence for a route counts (`evidence`), learned from configurations."""

    route: Vector
    """Of the evidence for a route."""
    none: Vector
    """Of the evidence that none fits."""
    affinity: Vector
    """Profile of a prompt × profile of a route: what in the one speaks for what in the other."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "MatchingWeights":
        """Those of an archive."""
        return cls(*(arrays[f"matching.{name}"].astype(np.float32) for name in ("route", "none", "affinity")))
