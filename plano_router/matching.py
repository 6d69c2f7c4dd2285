"""From a question to a probability for each route: the evidence, weighed. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plano_router.answer import Answer, Route
from plano_router.classifier import Classifier, softmax
from plano_router.encoding import Encoded
from plano_router.evidence import Described, Evidence, Postings
from plano_router.words import Vector

#: What it counts when a prompt is the same as an example of a route; half as like, a quarter of it. Not learned: in the
#: library prompts of a route are as different from each other as their authors could make them.
_EXAMPLE_WEIGHT = 6.0


@dataclass(frozen=True)
class Exemplars:
    """Routes' own examples."""

    owners: NDArray[np.int64]
    """The route of each."""
    words: Postings

    @classmethod
    def read(cls, classifier: Classifier, routes: Sequence[Route]) -> "Exemplars | None":
        """Those of these routes; None where there are none."""
        owners = [number for number, route in enumerate(routes) for _ in route.examples]
        texts = [classifier.encode(example) for route in routes for example in route.examples]
        return cls(np.array(owners), Postings.of(texts)) if owners else None

    def support(self, prompt: Encoded, routes: int) -> Vector:
        """What the example that is most like the prompt says for each route."""
        likeness = np.zeros(routes, np.float32)
        np.maximum.at(likeness, self.owners, self.words.cosines(prompt))
        return np.asarray(_EXAMPLE_WEIGHT * likeness**2, np.float32)


@dataclass(frozen=True)
class Matcher:
    """The routes of one configuration, ready for questions."""

    classifier: Classifier
    routes: Sequence[Route]
    described: Described | None
    """None where there are no routes."""
    affinities: Vector
    """What speaks for each route in the profile of a prompt."""
    exemplars: Exemplars | None

    @classmethod
    def build(cls, classifier: Classifier, routes: Sequence[Route]) -> "Matcher":
        """Read the routes; takes some milliseconds."""
        described = Described.read(classifier, routes) if routes else None
        affinity = classifier.matching.affinity
        affinities = np.zeros((0, len(affinity)), np.float32) if described is None else described.profiles @ affinity.T
        return cls(classifier, tuple(routes), described, affinities, Exemplars.read(classifier, routes))

    def ask(self, text: str, context: str = "") -> Answer:
        """How well each route suits."""
        if self.described is None:
            return Answer({}, 1.0, backend="builtin")
        prompt = self.classifier.encode(text, context)
        logits = self._logits(self.described.about(prompt), prompt)
        found = softmax(logits)
        names = [route.name for route in self.routes]
        return Answer(
            {name: float(p) for name, p in zip(names, found[:-1], strict=True)}, float(found[-1]), backend="builtin"
        )

    def _logits(self, evidence: Evidence, prompt: Encoded) -> Vector:
        weights = self.classifier.matching
        routes = evidence.route @ weights.route + self.affinities @ evidence.profile
        if self.exemplars is not None:
            routes = routes + self.exemplars.support(prompt, len(self.routes))
        return np.append(routes, evidence.none @ weights.none)
