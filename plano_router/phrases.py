"""A route's description in pieces that each mean something. Pure."""

import re

from plano_router.answer import Route

_SEPARATORS = re.compile(r"[,;.,、;。\n/|·•()()::]+|\s+(?:and|or|und|oder|et|ou|y|o)\s+|以及|或者|或|和|与")
_FILLERS = re.compile(
    r"\b(?:e\.?g\.?|i\.?e\.?|etc|such as|for example|including|anything|everything|all kinds of|other|things?|stuff"
    r"|requests?|questions? about|tasks?|related to|about|when the user (?:asks|wants)(?: to)?"
    r"|the user (?:asks|wants)(?: to)?|help(?:ing)? with)\b",
    re.IGNORECASE,
)


def phrases_of(route: Route) -> list[str]:
    """The phrases of the description, and the name."""
    pieces = [_FILLERS.sub(" ", piece).strip() for piece in _SEPARATORS.split(route.description)]
    pieces = [piece for piece in pieces if len(piece) > 1]
    name = re.sub(r"[_\-]+", " ", route.name).strip()
    return [*pieces, name]
