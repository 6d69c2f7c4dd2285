"""Which intents the routes of a configuration claim, and whose an intent is. Pure arithmetic.

A description is read phrase by phrase ("fixing bugs", "code review"): each says which intents it means. An intent
belongs to the routes that claim it, in the proportion of their claims; what nobody claims belongs to none.
"""

from collections.abc import Sequence

import numpy as np

from plano_router.classifier import Classifier
from plano_router.words import Vector

#: Of a phrase, what it means most, and what it means nearly as much: the rest is noise.
_LEAST_OF_BEST = 0.25
#: A phrase alone claims so much; several that mean the same claim more.
_PHRASE_WEIGHT = 0.7
#: How much of a claim hangs on the rest of the route being about the same kind of work.
_COHERENCE = 0.6
#: From here on an intent counts as claimed, and its kin have no say.
_CLAIMED = 0.35
#: A claim grows with its certainty: the power keeps weak ones from adding up.
_SHARPNESS = 1.6
#: What an unclaimed intent is worth against claims: below it, an intent belongs to none.
_UNCLAIMED = 0.06
#: The share of requests that fit no route, as long as nothing is known of a request.
_UNFIT = 0.25


def claim(classifier: Classifier, phrases: Sequence[Vector]) -> Vector:
    """How firmly a route claims each intent, 0 to 1, from the intents of its phrases: the more mean it, the firmer."""
    unclaimed: Vector = np.ones(len(classifier.intents), np.float32)
    for phrase in phrases:
        found = np.where(phrase >= _LEAST_OF_BEST * phrase.max(), phrase, 0)
        unclaimed = np.asarray(unclaimed * (1 - _PHRASE_WEIGHT * found), np.float32)
    claims = 1 - unclaimed
    # A route that is about one kind of work means that kind, too, where its words are ambiguous.
    groups = np.bincount(classifier.groups, weights=claims, minlength=int(classifier.groups.max()) + 1)
    share = (groups / max(float(groups.sum()), 1e-6))[classifier.groups]
    return np.asarray(claims * (1 - _COHERENCE + _COHERENCE * share), np.float32)


def shares_of(classifier: Classifier, claims: Vector) -> Vector:
    """Intents × (routes, none): whose an intent is, from routes × intents."""
    powers = _with_kin(classifier, claims) ** _SHARPNESS
    none = np.full(len(classifier.intents), _UNCLAIMED**_SHARPNESS, np.float32)
    everything = np.vstack([powers, none])
    return np.asarray((everything / everything.sum(axis=0)).T, np.float32)


def prior_of(shares: Vector) -> Vector:
    """How much more or less often an intent is asked for here than in the library, where all intents are alike.

    Who writes routes has them for most of what is asked.
    """
    claimed = 1 - shares[:, -1]
    covered = float(claimed.sum())
    rest = len(claimed) - covered
    if not covered or not rest:
        return np.ones(len(claimed), np.float32)
    weight = min(1.0, _UNFIT / (1 - _UNFIT) * covered / rest)
    return np.asarray(claimed + (1 - claimed) * weight, np.float32)


def _with_kin(classifier: Classifier, claims: Vector) -> Vector:
    """Intents that nobody claims go to those who claim their kin."""
    inherited = np.array([(classifier.kin * claim).max(axis=1) for claim in claims], np.float32)
    orphaned = 1 - np.minimum(claims.max(axis=0) / _CLAIMED, 1)
    return np.asarray(np.maximum(claims, inherited * orphaned), np.float32)
