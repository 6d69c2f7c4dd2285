"""How capable a model is, as far as its name tells. Pure.

Providers name their sizes alike: haiku, flash, mini, nano and lite are the small ones, opus, pro and max the large.
"""

import re

SMALL, MIDDLE, LARGE = 1.0, 2.0, 3.0

_SMALL = re.compile(
    r"haiku|flash|(?<!ge)mini(?!max)|nano|lite|small|tiny|instant|turbo|air\b|8x7b|\b(?:[0-9]|1[0-4])(?:\.\d+)?b\b|gemma|phi-|fast|"
    r"spark|speed|highspeed"
)
_LARGE = re.compile(
    r"opus|fable|mythos|ultra|max\b|large|\bo[1-9]\b(?!-mini)|\bo[1-9]-pro|pro\b|gpt-[5-9](?!.*(?:mini|nano|chat))|grok-[4-9]|reasoner|"
    r"deepseek-(?:r\d|v[3-9])|kimi-k[2-9]|glm-[5-9]|\b(?:[2-9]\d\d|1[2-9]\d)b\b|thinking"
)


def strength(model: str) -> float:
    """1 (small) to 3 (among the strongest); 2 where the name says nothing. `model` with or without its prefix."""
    name = model.rpartition("/")[2].lower()
    if _SMALL.search(name):
        return SMALL
    if _LARGE.search(name):
        return LARGE
    return MIDDLE
