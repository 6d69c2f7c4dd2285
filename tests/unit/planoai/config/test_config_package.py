"""The public names of the package."""

import planoai.config


def test_all_names_exist() -> None:
    """Everything that is promised can be imported, and the list is sorted by kind."""
    assert [] == [name for name in planoai.config.__all__ if not hasattr(planoai.config, name)]
    assert len(planoai.config.__all__) == len(set(planoai.config.__all__))
