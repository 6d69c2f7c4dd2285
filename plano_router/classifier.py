"""The trained classifier: from features to probabilities of the canonical intents. Made by `train`, no I/O but loading.

The file is a NumPy archive: weights as signed bytes with a scale for each row, for the buckets that training saw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plano_router.features import BUCKETS, features

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class LinearModel:
    """A multinomial logistic regression over hashed features."""

    rows: NDArray[np.int32]
    """Bucket → row of `weights`, or -1."""
    weights: NDArray[np.int8]
    scales: Vector
    """Of each row."""
    bias: Vector
    temperature: float
    """Calibrates the probabilities."""

    def probabilities(self, text: str, context: str = "") -> Vector:
        """Of each class, in the order of the classes."""
        buckets, values = features(text, context)
        rows = self.rows[buckets]
        known = rows >= 0
        rows, values = rows[known], values[known]
        logits = self.bias + (values * self.scales[rows]) @ self.weights[rows].astype(np.float32)
        return softmax((logits / self.temperature).astype(np.float32))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> "LinearModel":
        """The model that `to_arrays` took apart."""
        rows = np.full(BUCKETS, -1, np.int32)
        buckets = arrays[f"{prefix}.buckets"]
        rows[buckets] = np.arange(len(buckets), dtype=np.int32)
        return cls(
            rows=rows,
            weights=arrays[f"{prefix}.weights"].astype(np.int8),
            scales=arrays[f"{prefix}.scales"].astype(np.float32),
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

    intents: Sequence[str]
    prompts: LinearModel
    """Recognises what is asked for."""
    phrases: LinearModel
    """Recognises how a route is described."""
    groups: NDArray[np.int8]
    """Intent → group."""
    kin: Vector
    """Intent × intent: how near the second is to the first, 0 to 1."""

    @classmethod
    def load(cls, path: Path | None = None) -> "Classifier":
        """The classifier of this package, or another one. Raises OSError, ValueError, KeyError."""
        source = files("plano_router").joinpath("intents.npz") if path is None else path
        with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return cls(
            intents=[str(name) for name in arrays["intents"]],
            prompts=LinearModel.from_arrays(arrays, "prompts"),
            phrases=LinearModel.from_arrays(arrays, "phrases"),
            groups=arrays["groups"].astype(np.int8),
            kin=arrays["kin"].astype(np.float32),
        )
