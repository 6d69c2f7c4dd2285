"""Compiles `routing.session_cache`: where several gateways remember conversations together."""

from collections.abc import Callable
from importlib.util import find_spec

from brightstaff.settings import RedisSettings
from planoai.config import SessionCache
from planoai.errors import PlanoError


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


def compile_session_cache(
    cache: SessionCache, ca_file: str, is_installed: Callable[[str], bool] = _is_installed
) -> RedisSettings | None:
    """How brightstaff gets to Redis; None: it does not. Raises PlanoError where what it takes is not installed."""
    if cache.type != "redis" or cache.url is None:
        return None
    if not is_installed("redis"):
        raise PlanoError(
            "routing.session_cache is `redis`, and the package for it is not installed",
            "Install it beside Plano: pip install 'planoai[redis]' (pipx inject planoai redis).",
        )
    return RedisSettings(
        url=cache.url.get_secret_value(),
        key_prefix=cache.key_prefix,
        timeout_s=cache.timeout_ms / 1000,
        ca_file=ca_file,
    )
