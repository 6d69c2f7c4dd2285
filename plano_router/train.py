"""Trains the built-in classifier from `library/`: `python -m plano_router.train [OUTPUT]`.

The same library gives the same weights: fixed orders, weights rounded to bytes. Needs SciPy, which only building does.
"""

import io
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from plano_router.classifier import Classifier
from plano_router.descent import Recipe, Regression, regress
from plano_router.encoding import encode
from plano_router.features import BUCKETS
from plano_router.library import (
    LIBRARY,
    Example,
    read_configurations,
    read_examples,
    read_intents,
    read_phrases,
    taxonomy,
)
from plano_router.train_matching import Observations, learn
from plano_router.words import WordVectors

#: Found with a part of the library that was held out.
PROMPTS = Recipe(epochs=12, least=2, decay=5e-4, smoothing=0.1)
PHRASES = Recipe(epochs=15, least=1, decay=1e-4, smoothing=0.0)
#: With which the evidence of the intents is sharpest; how sure an answer is, is calibrated by the matching.
TEMPERATURE_PROMPTS, TEMPERATURE_PHRASES = 0.5, 0.6
#: Buckets that are kept, those with the largest weights: more make no difference.
MOST_PROMPTS, MOST_PHRASES = 60_000, 40_000


def matrix(examples: Sequence[Example], words: WordVectors) -> csr_matrix:
    """The examples, a row each: their features, then their meanings."""
    rows = [encode(words, each.text, each.context) for each in examples]
    starts = np.cumsum([0, *(len(row.buckets) for row in rows)])
    features = csr_matrix(
        (np.concatenate([row.values for row in rows]), np.concatenate([row.buckets for row in rows]), starts),
        shape=(len(rows), BUCKETS),
    )
    return csr_matrix(hstack([features, csr_matrix(np.array([row.meaning for row in rows]))], format="csr"))


def train(examples: Sequence[Example], intents: Sequence[str], recipe: Recipe, words: WordVectors) -> Regression:
    """Train on all."""
    index = {name: number for number, name in enumerate(intents)}
    labels = np.array([index[each.intent] for each in examples])
    return regress(matrix(examples, words), labels, len(intents), recipe)


def arrays_of(
    trained: Regression, prefix: str, temperature: float, dimensions: int, most: int
) -> dict[str, NDArray[np.generic]]:
    """The arrays of the file: weights as bytes, a scale for each bucket."""
    of_bucket = trained.columns < BUCKETS
    weights = trained.weights[of_bucket]
    meanings = np.zeros((dimensions, trained.weights.shape[1]), np.float32)
    meanings[trained.columns[~of_bucket] - BUCKETS] = trained.weights[~of_bucket]
    scales = np.abs(weights).max(axis=1) / 127
    kept = np.sort(np.argsort(-scales, kind="stable")[: min(most, int((scales > 0).sum()))])
    return {
        f"{prefix}.buckets": trained.columns[of_bucket][kept].astype(np.int32),
        f"{prefix}.weights": np.round(weights[kept] / scales[kept][:, None]).astype(np.int8),
        f"{prefix}.scales": scales[kept].astype(np.float16),
        f"{prefix}.meanings": meanings.astype(np.float16),
        f"{prefix}.bias": trained.bias.round(3),
        f"{prefix}.temperature": np.array(temperature),
    }


def write(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """A NumPy archive whose bytes depend on the arrays only."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in sorted(arrays.items()):
            content = io.BytesIO()
            np.save(content, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue())


def arrays_without_matching(
    words: WordVectors, library: Path = LIBRARY, *, share: float = 1.0
) -> dict[str, NDArray[np.generic]]:
    """All arrays but the weights of the matching. With `share`, from so much of the prompts (for learning curves)."""
    intents = list(read_intents(library))
    examples = read_examples(library)
    order = np.random.default_rng(1).permutation(len(examples))[: round(share * len(examples))]
    prompts = train([examples[number] for number in sorted(order)], intents, PROMPTS, words)
    phrases = train(read_phrases(library), intents, PHRASES, words)
    return {
        **arrays_of(prompts, "prompts", TEMPERATURE_PROMPTS, words.dimensions, MOST_PROMPTS),
        **arrays_of(phrases, "phrases", TEMPERATURE_PHRASES, words.dimensions, MOST_PHRASES),
        **taxonomy(library),
    }


def arrays_with_matching(
    arrays: dict[str, NDArray[np.generic]], words: WordVectors, library: Path = LIBRARY
) -> dict[str, NDArray[np.generic]]:
    """The same, and the weights of the matching."""
    # The evidence is that of the rounded weights, with which questions will be answered.
    nothing = {f"matching.{name}": np.zeros(0) for name in ("route", "none", "affinity")}
    classifier = Classifier.from_arrays(arrays | nothing, words)
    return arrays | learn(Observations.gather(classifier, read_configurations(library)))


def build(output: Path, library: Path = LIBRARY, words: WordVectors | None = None) -> None:
    """Train on the library and write the classifier."""
    words = WordVectors.load() if words is None else words
    write(output, arrays_with_matching(arrays_without_matching(words, library), words, library))


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else LIBRARY.parent / "intents.npz")
