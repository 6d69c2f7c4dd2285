"""Learns what each piece of evidence for a route counts, from the configurations of the library.

A convex problem: the chosen route of each prompt is to be the likeliest, with weights no larger than that takes. Needs
SciPy, which only building does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from plano_router.classifier import Classifier
from plano_router.evidence import Described
from plano_router.library import Configuration
from plano_router.words import Vector

#: Strength of the regularisation, by cross-validation over configurations.
PENALTY_WEIGHTS, PENALTY_AFFINITY = 1e-3, 2e-4
_ITERATIONS = 80
_FOLDS = 2
_FAR = -1e9


@dataclass(frozen=True)
class Observations:
    """Prompts with the evidence for each route of their configurations; filled up to the same number of routes."""

    evidence: NDArray[np.float64]
    """Prompts × routes × kinds."""
    none: NDArray[np.float64]
    """Prompts × kinds."""
    prompts: Vector
    """Profiles."""
    routes: Vector
    """Prompts × routes × profiles."""
    there: NDArray[np.bool_]
    """Prompts × (routes, none): which of them there are."""
    right: NDArray[np.int64]
    """Of each prompt, the right one; the last for none."""
    configurations: NDArray[np.int64]
    """Of each prompt, the number of its configuration."""

    @classmethod
    def gather(cls, classifier: Classifier, configurations: Sequence[Configuration]) -> "Observations":
        """Everything that the configurations tell."""
        found = [list(_rows(classifier, each)) for each in configurations if each.prompts]
        rows = [row for of_one in found for row in of_one]
        most = max(len(row[0]) for row in rows)

        def filled(of_routes: Sequence[Vector]) -> NDArray[np.float64]:
            whole = np.zeros((len(rows), most, of_routes[0].shape[1]))
            for number, values in enumerate(of_routes):
                whole[number, : len(values)] = values
            return whole

        there = np.ones((len(rows), most + 1), bool)
        right = np.empty(len(rows), np.int64)
        for number, (evidence, *_, position) in enumerate(rows):
            there[number, len(evidence) : most] = False
            right[number] = most if position is None else position
        return cls(
            evidence=filled([row[0] for row in rows]),
            none=np.array([row[1] for row in rows], np.float64),
            prompts=np.array([row[2] for row in rows], np.float32),
            routes=filled([row[3] for row in rows]).astype(np.float32),
            there=there,
            right=right,
            configurations=np.repeat(np.arange(len(found)), [len(of_one) for of_one in found]),
        )

    def part(self, chosen: NDArray[np.bool_]) -> "Observations":
        """Some of the prompts."""
        return Observations(*(getattr(self, each.name)[chosen] for each in fields(self)))


_Row = tuple[Vector, Vector, Vector, Vector, int | None]


def _rows(classifier: Classifier, configuration: Configuration) -> Iterator[_Row]:
    described = Described.read(classifier, configuration.routes)
    profiles = described.profiles
    positions = {route.name: number for number, route in enumerate(configuration.routes)}
    for text, context, name in configuration.prompts:
        found = described.about(classifier.encode(text, context))
        yield found.route, found.none, found.profile, profiles, None if name is None else positions[name]


def learn(seen: Observations) -> dict[str, NDArray[np.generic]]:
    """The weights, as arrays of the file."""
    route, none, affinity = _fit(seen)
    sharpness = _fit_sharpness(seen, _held_out(seen)) if seen.configurations.max() else 1.0
    return {
        "matching.route": (sharpness * route).astype(np.float32),
        "matching.none": (sharpness * none).astype(np.float32),
        "matching.affinity": (sharpness * affinity).astype(np.float16),
    }


def _held_out(seen: Observations) -> NDArray[np.float64]:
    """The logits of each prompt by weights that were not learned from its configuration: they show how sure it is."""
    logits = np.empty(seen.there.shape)
    for fold in range(_FOLDS):
        held_out = seen.configurations % _FOLDS == fold
        logits[held_out] = _logits(seen.part(held_out), *_fit(seen.part(~held_out)))
    return logits


_Weights = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _fit(seen: Observations) -> _Weights:
    kinds, kinds_of_none, size = seen.evidence.shape[2], seen.none.shape[1], seen.prompts.shape[1]
    ends = np.cumsum([kinds, kinds_of_none, size * size])

    def parts(flat: NDArray[np.float64]) -> _Weights:
        return flat[: ends[0]], flat[ends[0] : ends[1]], flat[ends[1] :].reshape(size, size)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        route, none, affinity = parts(flat)
        value, errors = _cross_entropy(seen, _logits(seen, route, none, affinity))
        of_routes = errors[:, :-1]
        gradient = [
            np.einsum("nr,nrk->k", of_routes, seen.evidence) + 2 * PENALTY_WEIGHTS * route,
            errors[:, -1] @ seen.none + 2 * PENALTY_WEIGHTS * none,
            (seen.prompts.T @ np.einsum("nr,nrd->nd", of_routes.astype(np.float32), seen.routes)).ravel()
            + 2 * PENALTY_AFFINITY * affinity.ravel(),
        ]
        value += PENALTY_WEIGHTS * float((route**2).sum() + (none**2).sum())
        value += PENALTY_AFFINITY * float((affinity**2).sum())
        return value, np.concatenate(gradient)

    found = minimize(loss, np.zeros(ends[-1]), jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS})
    return parts(found.x)


def _fit_sharpness(seen: Observations, logits: NDArray[np.float64]) -> float:
    """By what logits are to be multiplied to tell the truth."""

    def loss(sharpness: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, errors = _cross_entropy(seen, sharpness[0] * logits)
        return value, np.array([(errors * np.where(seen.there, logits, 0)).sum()])

    return float(minimize(loss, np.ones(1), jac=True, method="L-BFGS-B").x[0])


def _logits(
    seen: Observations, route: NDArray[np.float64], none: NDArray[np.float64], affinity: NDArray[np.float64]
) -> NDArray[np.float64]:
    of_routes = seen.evidence @ route
    of_routes += np.einsum("nd,nrd->nr", seen.prompts @ affinity.astype(np.float32), seen.routes)
    return np.column_stack([of_routes, seen.none @ none])


def _cross_entropy(seen: Observations, logits: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """The mean over the prompts, and its derivative by the logits."""
    logits = np.where(seen.there, logits, _FAR)
    logits = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    errors = exponentials / exponentials.sum(axis=1, keepdims=True)
    everyone = np.arange(len(errors))
    value = -float(np.log(errors[everyone, seen.right] + 1e-12).mean())
    errors[everyone, seen.right] -= 1
    return value, errors / len(errors)
