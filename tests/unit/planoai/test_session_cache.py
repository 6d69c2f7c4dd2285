"""planoai.session_cache: how brightstaff gets to Redis."""

import pytest

from brightstaff.settings import RedisSettings
from planoai.config import SessionCache
from planoai.errors import PlanoError
from planoai.session_cache import compile_session_cache


def cache(**values: object) -> SessionCache:
    """A section of the configuration."""
    return SessionCache.model_validate(values)


def test_memory_takes_nothing() -> None:
    """Also where a URL is given."""
    found = [compile_session_cache(each, "", lambda _: False) for each in (cache(), cache(url="redis://h"))]
    assert [None, None] == found


def test_redis() -> None:
    """URL, prefix, deadline, certificates; the package is there when the tests run."""
    given = cache(type="redis", url="rediss://:x@h", key_prefix="p:", timeout_ms=10)
    assert RedisSettings("rediss://:x@h", "p:", 0.01, "/ca") == compile_session_cache(given, "/ca")


def test_the_extra_is_not_installed() -> None:
    """Refused at the start, with what to install."""
    with pytest.raises(PlanoError, match="not installed") as error:
        compile_session_cache(cache(type="redis", url="redis://:x@h"), "", lambda package: package != "redis")
    assert "planoai[redis]" in error.value.remedy
