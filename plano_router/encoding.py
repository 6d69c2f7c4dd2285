"""A text as the built-in router sees it: hashed features of how it is written, and the meaning of its words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plano_router.features import features
from plano_router.words import Vector, WordVectors


@dataclass(frozen=True)
class Encoded:
    """One text, with what was said before it."""

    buckets: NDArray[np.int32]
    values: Vector
    """Of the buckets; of length 1 as a vector."""
    meaning: Vector
    """Of length 1."""


def encode(words: WordVectors, text: str, context: str = "") -> Encoded:
    """Encode a text; `context` counts less."""
    buckets, values = features(text, context)
    return Encoded(buckets, values, words.meaning(text, context))
