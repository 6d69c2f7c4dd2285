"""The configuration that the documentation recommends, as a file of this package."""

from importlib.resources import files


def recommended_config_text() -> str:
    """The recommended config.yaml: seven channels, four keys, seven routes, one failover chain."""
    return files("planoai.config").joinpath("recommended-config.yaml").read_text(encoding="utf-8")
