"""Trains the built-in classifier from `library/`: `python -m plano_router.train [OUTPUT]`.

The same library gives the same weights: no random numbers, one thread, weights rounded to bytes. Needs SciPy, which
only building does.
"""

import io
import json
import sys
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from plano_router.features import BUCKETS, features
from plano_router.reading import read_request, read_text

LIBRARY = Path(__file__).parent / "library"
#: Strength of the regularisation, by cross-validation on the library.
PENALTY_PROMPTS, PENALTY_PHRASES = 0.003, 0.003
#: At which probabilities of held-out examples tell the truth; measured once, on a fifth of the library.
TEMPERATURE_PROMPTS, TEMPERATURE_PHRASES = 0.9, 0.8
#: Buckets that fewer examples have say more about the example than about its intent.
LEAST_EXAMPLES = 2
_EPOCHS = 80
#: Characters of a prompt that may stand for a phrase.
_SHORT = 60


@dataclass(frozen=True)
class Example:
    """A prompt, or a phrase, and its intent."""

    intent: str
    text: str
    context: str = ""
    lang: str = "en"


def read_intents(library: Path = LIBRARY) -> dict[str, str]:
    """Intent → what it covers, in the order of the file."""
    groups = yaml.safe_load((library / "intents.yaml").read_text("utf-8"))
    return {name: text for group in groups.values() for name, text in group.items()}


def read_examples(library: Path = LIBRARY) -> list[Example]:
    """Every prompt, as the router would read it."""
    found: list[Example] = []
    for line in _lines(library / "examples"):
        reading = read_request("/chat/completions", line) if "messages" in line else read_text(str(line["text"]))
        found.append(Example(str(line["intent"]), reading.text, reading.context, str(line.get("lang", "en"))))
    return found


def read_phrases(library: Path = LIBRARY) -> list[Example]:
    """Every phrase by which a route may be described; the definitions and names of the intents among them."""
    found = [Example(str(line["intent"]), str(line["phrase"])) for line in _lines(library / "phrases")]
    for name, definition in read_intents(library).items():
        found.append(Example(name, name.replace("_", " ")))
        positive = definition.partition(" — ")[0]
        found += [Example(name, part.strip()) for clause in positive.split(";") for part in clause.split(",")]
        found.append(Example(name, positive))
    # Some authors describe a route by what its users say.
    return found + [each for each in read_examples(library) if len(each.text) <= _SHORT and not each.context]


def _lines(folder: Path) -> Iterable[dict[str, object]]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            if line.strip():
                yield json.loads(line)
    for path in sorted(folder.glob("*.txt")):
        yield from _sections(path.read_text("utf-8"))


def _sections(text: str) -> Iterable[dict[str, object]]:
    r"""`## intent language`, then an example on each line; `\n` in it is a line feed."""
    intent, lang = "", ""
    for line in text.splitlines():
        if line.startswith("## "):
            intent, lang = line.removeprefix("## ").split()
        elif line.strip():
            whole = line.replace("\\n", "\n").replace("\\\\", "\\")
            yield {"intent": intent, "lang": lang, "text": whole, "phrase": whole}


def matrix(examples: Sequence[Example]) -> csr_matrix:
    """Features of the examples, a row each."""
    rows = [features(each.text, each.context) for each in examples]
    starts = np.cumsum([0, *(len(buckets) for buckets, _ in rows)])
    return csr_matrix(
        (np.concatenate([values for _, values in rows]), np.concatenate([buckets for buckets, _ in rows]), starts),
        shape=(len(rows), BUCKETS),
    )


@dataclass(frozen=True)
class Trained:
    """Weights of a logistic regression over the buckets that were seen."""

    buckets: NDArray[np.int32]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, data: csr_matrix) -> NDArray[np.float32]:
        """One row for each example."""
        return np.asarray(data[:, self.buckets] @ self.weights + self.bias)


def fit(data: csr_matrix, labels: NDArray[np.int64], classes: int, penalty: float, least: int) -> Trained:
    """A multinomial logistic regression; every class counts alike, however many examples it has."""
    seen = np.asarray((data > 0).sum(axis=0)).ravel()
    buckets = np.flatnonzero(seen >= least).astype(np.int32)
    x = csr_matrix(data[:, buckets])
    xt = csr_matrix(x.T)
    number = len(labels)
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    # Half way between "each example counts alike" and "each class counts alike".
    sample = np.sqrt(number / classes / np.maximum(counts, 1.0))[labels]
    sample /= sample.sum()
    targets = np.zeros((number, classes), np.float32)
    targets[np.arange(number), labels] = 1.0
    shape = (len(buckets) + 1, classes)
    strength = penalty / number

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        values = flat.reshape(shape)
        logits = x @ values[:-1].astype(np.float32) + values[-1]
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        sums = exponentials.sum(axis=1, keepdims=True)
        own = logits[np.arange(number), labels] - np.log(sums[:, 0])
        errors = ((exponentials / sums - targets) * sample[:, None]).astype(np.float32)
        gradient = np.empty(shape)
        gradient[:-1] = xt @ errors + strength * values[:-1]
        gradient[-1] = errors.sum(axis=0)
        return float(-(own * sample).sum() + 0.5 * strength * (values[:-1] ** 2).sum()), gradient.ravel()

    start = np.zeros(shape[0] * shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _EPOCHS, "maxcor": 5})
    values = found.x.reshape(shape).astype(np.float32)
    return Trained(buckets, values[:-1], values[-1])


def train(examples: Sequence[Example], intents: Sequence[str], penalty: float, least: int) -> Trained:
    """Train on all."""
    index = {name: number for number, name in enumerate(intents)}
    labels = np.array([index[each.intent] for each in examples])
    return fit(matrix(examples), labels, len(intents), penalty, least)


def taxonomy(library: Path = LIBRARY) -> dict[str, NDArray[np.generic]]:
    """Names of the intents, their groups, and how near they are to each other."""
    groups = yaml.safe_load((library / "intents.yaml").read_text("utf-8"))
    kin = yaml.safe_load((library / "kin.yaml").read_text("utf-8"))
    names = [name for group in groups.values() for name in group]
    index = {name: number for number, name in enumerate(names)}
    near = np.zeros((len(names), len(names)), np.float32)
    for name, relatives in kin.items():
        for rank, relative in enumerate(relatives):
            near[index[name], index[relative]] = 0.8 * 0.8**rank
    numbers = [number for number, group in enumerate(groups.values()) for _ in group]
    return {"intents": np.array(names), "groups": np.array(numbers, np.int8), "kin": near}


def arrays_of(trained: Trained, prefix: str, temperature: float) -> dict[str, NDArray[np.generic]]:
    """The arrays of the file: weights as bytes, a scale for each bucket."""
    scales = np.abs(trained.weights).max(axis=1) / 127
    kept = scales > 0
    weights = np.round(trained.weights[kept] / scales[kept][:, None]).astype(np.int8)
    return {
        f"{prefix}.buckets": trained.buckets[kept],
        f"{prefix}.weights": weights,
        f"{prefix}.scales": scales[kept].astype(np.float16),
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


def build(output: Path, library: Path = LIBRARY) -> None:
    """Train on the library and write the classifier."""
    intents = list(read_intents(library))
    prompts = train(read_examples(library), intents, PENALTY_PROMPTS, LEAST_EXAMPLES)
    phrases = train(read_phrases(library), intents, PENALTY_PHRASES, 1)
    arrays = arrays_of(prompts, "prompts", TEMPERATURE_PROMPTS) | arrays_of(phrases, "phrases", TEMPERATURE_PHRASES)
    write(output, arrays | taxonomy(library))


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else LIBRARY.parent / "intents.npz")
