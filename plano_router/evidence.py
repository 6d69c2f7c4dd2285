"""What speaks for each route of a configuration, and for none of them: numbers, whose weight is learned. No I/O.

Three kinds of evidence, each strong where others are weak: the canonical intents that a prompt may have and that a
route's description claims (right for routes that differ by activity); the meaning of words (right for routes that
differ by subject); the very words that prompt and description share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plano_router.answer import Route
from plano_router.claims import claim, prior_of, shares_of
from plano_router.classifier import Classifier
from plano_router.encoding import Encoded
from plano_router.phrases import phrases_of
from plano_router.words import Vector

#: Keeps logarithms of what is nearly impossible apart from those of what is impossible.
_FLOOR = 1e-3
_MIDDLE = 0.5


@dataclass(frozen=True)
class Postings:
    """Texts by their features: how like each is to a question, at the cost of their common features."""

    buckets: NDArray[np.int32]
    owners: NDArray[np.int64]
    values: Vector
    number: int

    @classmethod
    def of(cls, texts: Sequence[Encoded]) -> "Postings":
        """Those of these texts."""
        sizes = [len(each.buckets) for each in texts]
        return cls(
            np.concatenate([each.buckets for each in texts] or [np.empty(0, np.int32)]),
            np.repeat(np.arange(len(texts)), sizes),
            np.concatenate([each.values for each in texts] or [np.empty(0, np.float32)]),
            len(texts),
        )

    def cosines(self, question: Encoded) -> Vector:
        """Of each text with the question."""
        if not len(question.buckets):
            return np.zeros(self.number, np.float32)
        order = np.argsort(question.buckets)
        buckets = question.buckets[order]
        places = np.minimum(np.searchsorted(buckets, self.buckets), len(buckets) - 1)
        common = buckets[places] == self.buckets
        products = self.values[common] * question.values[order][places[common]]
        return np.bincount(self.owners[common], weights=products, minlength=self.number).astype(np.float32)


@dataclass(frozen=True)
class Evidence:
    """About one prompt."""

    route: Vector
    """Routes × kinds of evidence."""
    none: Vector
    profile: Vector
    """Of the prompt: its meaning and its intents."""


@dataclass(frozen=True)
class Described:
    """The routes of a configuration, at least one, as far as they say something by themselves."""

    classifier: Classifier
    phrase_meanings: Vector
    """Routes × phrases × dimensions; where a route has fewer phrases, zeros."""
    phrase_numbers: NDArray[np.int64]
    """Of each route."""
    phrase_words: Postings
    whole_meanings: Vector
    whole_words: Postings
    claims: Vector
    """Routes × intents."""
    shares: Vector
    """Intents × (routes, none): whose an intent is."""
    prior: Vector
    intents: Vector
    """Routes × intents: the square roots of what the phrases mean."""
    distinctness: float
    """How little the routes have intents in common, 0 to 1."""
    clarity: float
    """How surely the phrases mean one intent, 0 to 1."""

    @classmethod
    def read(cls, classifier: Classifier, routes: Sequence[Route]) -> "Described":
        """Read the descriptions; takes some milliseconds."""
        phrases = [[classifier.encode(phrase) for phrase in phrases_of(route)] for route in routes]
        wholes = [classifier.encode(f"{route.name} {route.description}") for route in routes]
        meant = [[classifier.phrases.probabilities(phrase) for phrase in of_route] for of_route in phrases]
        numbers = np.array([len(of_route) for of_route in phrases])
        padded = np.zeros((len(routes), int(numbers.max()), classifier.words.dimensions), np.float32)
        for number, of_route in enumerate(phrases):
            padded[number, : len(of_route)] = [phrase.meaning for phrase in of_route]
        claims = np.array([claim(classifier, of_route) for of_route in meant], np.float32)
        shares = shares_of(classifier, claims)
        intents = np.sqrt(np.array([np.mean(of_route, axis=0) for of_route in meant], np.float32))
        alike = intents @ intents.T / np.outer(*[np.linalg.norm(intents, axis=1)] * 2)
        np.fill_diagonal(alike, 0)
        return cls(
            classifier=classifier,
            phrase_meanings=padded,
            phrase_numbers=numbers,
            phrase_words=Postings.of([phrase for of_route in phrases for phrase in of_route]),
            whole_meanings=np.array([whole.meaning for whole in wholes], np.float32),
            whole_words=Postings.of(wholes),
            claims=claims,
            shares=shares,
            prior=prior_of(shares),
            intents=intents,
            distinctness=1 - float(alike.max(axis=1).mean()),
            clarity=float(np.mean([phrase.max() for of_route in meant for phrase in of_route])),
        )

    @property
    def profiles(self) -> Vector:
        """Of each route: its meaning and its intents."""
        counts = self.phrase_numbers[:, None]
        meanings = self.phrase_meanings.sum(axis=1) / counts + self.whole_meanings
        norms = np.linalg.norm(meanings, axis=1, keepdims=True)
        return np.asarray(np.hstack([meanings / np.maximum(norms, 1e-9), self.intents]), np.float32)

    def about(self, prompt: Encoded) -> Evidence:
        """What speaks for each route."""
        intents = self.classifier.prompts.probabilities(prompt)
        shares = (intents * self.prior) @ self.shares
        shares = shares / shares.sum()
        roots = np.sqrt(intents)
        near = self._nearest(prompt.meaning)
        words = self._by_route(self.phrase_words.cosines(prompt))
        columns = [
            np.log(shares[:-1] + _FLOOR),
            near[:, 0],
            near[:, 1],
            self.whole_meanings @ prompt.meaning,
            near[:, 2],
            words,
            self.whole_words.cosines(prompt),
            self.intents @ roots,
            np.log(self.claims @ intents + _FLOOR),
        ]
        route = np.column_stack(columns).astype(np.float32)
        best = route.max(axis=0)
        none = np.array(
            [
                1.0,
                np.log(shares[-1] + _FLOOR),
                best[1],
                best[3],
                best[7],
                best[0],
                best[8],
                np.log(float(intents.max())),
            ],
            np.float32,
        )
        return Evidence(self._by_kind(route), self._by_kind(none), np.concatenate([prompt.meaning, roots]))

    def _by_kind(self, evidence: Vector) -> Vector:
        """The same evidence counts differently where routes differ by activity than where they differ by subject."""
        distinct, clear = np.float32(self.distinctness - _MIDDLE), np.float32(self.clarity - _MIDDLE)
        return np.concatenate([evidence, evidence * distinct, evidence * clear], axis=-1)

    def _nearest(self, meaning: Vector) -> Vector:
        """Cosines of each route's phrases: the nearest, the mean of the nearest two, the mean of all."""
        cosines = self.phrase_meanings @ meaning
        absent = np.arange(cosines.shape[1]) >= self.phrase_numbers[:, None]
        means = cosines.sum(axis=1) / self.phrase_numbers
        ordered = np.sort(np.where(absent, -np.inf, cosines), axis=1)
        first = ordered[:, -1]
        second = np.where(self.phrase_numbers > 1, ordered[:, -2] if ordered.shape[1] > 1 else first, first)
        return np.column_stack([first, (first + second) / 2, means])

    def _by_route(self, of_phrases: Vector) -> Vector:
        """The largest of each route's."""
        starts = np.concatenate([[0], np.cumsum(self.phrase_numbers)[:-1]])
        return np.asarray(np.maximum.reduceat(of_phrases, starts), np.float32)
