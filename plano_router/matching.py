"""From canonical intents to the routes of a configuration: which intents does each route's description cover? Pure.

A description is read phrase by phrase ("fixing bugs", "code review"): each says which intents it means. An intent
belongs to the routes that claim it, in the proportion of their claims; what nobody claims belongs to none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plano_router.answer import Answer, Route
from plano_router.classifier import Classifier, Vector
from plano_router.features import features

_SEPARATORS = re.compile(r"[,;.,、;。\n/|·•()()::]+|\s+(?:and|or|und|oder|et|ou|y|o)\s+|以及|或者|或|和|与")
_FILLERS = re.compile(
    r"\b(?:e\.?g\.?|i\.?e\.?|etc|such as|for example|including|anything|everything|all kinds of|other|things?|stuff"
    r"|requests?|questions? about|tasks?|related to|about|when the user (?:asks|wants)(?: to)?"
    r"|the user (?:asks|wants)(?: to)?|help(?:ing)? with)\b",
    re.IGNORECASE,
)
#: Of a phrase, what it means most, and what it means nearly as much: the rest is noise.
_LEAST_OF_BEST = 0.25
#: A phrase alone claims so much; several that mean the same claim more.
_PHRASE_WEIGHT = 0.7
#: How much of a claim hangs on the rest of the route being about the same kind of work.
_COHERENCE = 0.6
#: From here on an intent counts as claimed, and its kin have no say.
_CLAIMED = 0.35
#: A claim grows with its certainty: the square keeps weak ones from adding up.
_SHARPNESS = 1.6
#: What an unclaimed intent is worth against claims: below it, an intent belongs to none.
_UNCLAIMED = 0.06


@dataclass(frozen=True)
class Matcher:
    """The routes of one configuration, ready for questions."""

    classifier: Classifier
    routes: Sequence[Route]
    shares: Vector
    """Intents × (routes, none): whose an intent is."""
    prior: Vector
    """How much more or less often an intent is asked for here than in the library."""
    exemplars: Sequence[tuple[int, dict[int, float]]]
    """Routes' own examples as features."""

    @classmethod
    def build(cls, classifier: Classifier, routes: Sequence[Route]) -> "Matcher":
        """Read the routes; takes some milliseconds."""
        own = np.zeros((len(routes), len(classifier.intents)), np.float32)
        for number, route in enumerate(routes):
            own[number] = claim(classifier, route)
        claims = _with_kin(classifier, own)
        powers = claims**_SHARPNESS
        none = np.full(claims.shape[1], _UNCLAIMED**_SHARPNESS, np.float32)
        everything = np.vstack([powers, none]) if len(routes) else none[None, :]
        shares = (everything / everything.sum(axis=0)).T.astype(np.float32)
        exemplars = [(number, _sparse(text)) for number, route in enumerate(routes) for text in route.examples]
        return cls(classifier, tuple(routes), shares, _prior(shares), exemplars)

    def ask(self, text: str, context: str = "") -> Answer:
        """How well each route suits."""
        intents = self.classifier.prompts.probabilities(text, context) * self.prior
        found = np.asarray(intents @ self.shares, np.float32)
        if self.exemplars:
            found = self._with_exemplars(found, text, context)
        found /= found.sum()
        names = [route.name for route in self.routes]
        return Answer(
            {name: float(p) for name, p in zip(names, found[:-1], strict=True)}, float(found[-1]), backend="builtin"
        )

    def _with_exemplars(self, found: Vector, text: str, context: str) -> Vector:
        """Examples that are like the prompt count for their routes, the more the liker."""
        buckets, values = features(text, context)
        question = dict(zip(buckets.tolist(), values.tolist(), strict=True))
        nearest = np.zeros(len(self.routes) + 1, np.float32)
        for route, example in self.exemplars:
            likeness = sum(value * question.get(bucket, 0.0) for bucket, value in example.items())
            nearest[route] = max(nearest[route], likeness)
        return np.asarray(found * np.exp(_EXEMPLAR_WEIGHT * nearest), np.float32)


_EXEMPLAR_WEIGHT = 6.0
#: The share of requests that fit no route, as long as nothing is known of a request.
_UNFIT = 0.25


def phrases_of(route: Route) -> list[str]:
    """The description in pieces that each mean something, and the name."""
    pieces = [_FILLERS.sub(" ", piece).strip() for piece in _SEPARATORS.split(route.description)]
    pieces = [piece for piece in pieces if len(piece) > 1]
    name = re.sub(r"[_\-]+", " ", route.name).strip()
    return [*pieces, name]


def claim(classifier: Classifier, route: Route) -> Vector:
    """How firmly a route claims each intent, 0 to 1: the more of its phrases mean the intent, the firmer."""
    unclaimed = np.ones(len(classifier.intents), np.float32)
    for phrase in phrases_of(route):
        found = classifier.phrases.probabilities(phrase)
        found = np.where(found >= _LEAST_OF_BEST * found.max(), found, 0)
        unclaimed = unclaimed * (1 - _PHRASE_WEIGHT * found)
    claims = 1 - unclaimed
    # A route that is about one kind of work means that kind, too, where its words are ambiguous.
    groups = np.bincount(classifier.groups, weights=claims, minlength=int(classifier.groups.max()) + 1)
    share = (groups / max(float(groups.sum()), 1e-6))[classifier.groups]
    return np.asarray(claims * (1 - _COHERENCE + _COHERENCE * share), np.float32)


def _prior(shares: Vector) -> Vector:
    """Who writes routes has them for most of what is asked; to the library all intents are alike."""
    claimed = 1 - shares[:, -1]
    covered = float(claimed.sum())
    rest = len(claimed) - covered
    if not covered or not rest:
        return np.ones(len(claimed), np.float32)
    weight = min(1.0, _UNFIT / (1 - _UNFIT) * covered / rest)
    return np.asarray(claimed + (1 - claimed) * weight, np.float32)


def _with_kin(classifier: Classifier, claims: Vector) -> Vector:
    """Intents that nobody claims go to those who claim their kin."""
    if not len(claims):
        return claims
    inherited = np.array([(classifier.kin * claim).max(axis=1) for claim in claims], np.float32)
    orphaned = 1 - np.minimum(claims.max(axis=0) / _CLAIMED, 1)
    return np.asarray(np.maximum(claims, inherited * orphaned), np.float32)


def _sparse(text: str) -> dict[int, float]:
    buckets, values = features(text)
    return dict(zip(buckets.tolist(), values.tolist(), strict=True))
