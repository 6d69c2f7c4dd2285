"""plano_router.encoding: a text as the built-in router sees it."""

from plano_router.encoding import encode
from plano_router.features import features
from small_library import some_words


def test_both_sides() -> None:
    """How it is written, and what its words mean; what was said before is in both."""
    words = some_words()
    encoded = encode(words, "bake a cake", "fly to rome")
    buckets, values = features("bake a cake", "fly to rome")
    assert (buckets.tolist(), values.tolist()) == (encoded.buckets.tolist(), encoded.values.tolist())
    assert words.meaning("bake a cake", "fly to rome").tolist() == encoded.meaning.tolist()
