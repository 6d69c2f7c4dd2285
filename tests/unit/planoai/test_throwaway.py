"""planoai.throwaway: a gateway that leaves nothing behind. With a real one it is tried end to end (demo, chaos)."""

from pathlib import Path

import pytest

from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.supervisor.bring_up import Reporter
from planoai.supervisor.spec import GatewayLike
from planoai.throwaway import run_throwaway

SILENT = Reporter(waiting=lambda _: None, replaced=lambda _: None, progress=lambda _: None)


def test_what_cannot_be_prepared_leaves_nothing() -> None:
    """The directory is private while it is there, and gone afterwards."""
    seen: list[tuple[Path, int]] = []

    def prepare(home: PlanoHome, root: Path) -> GatewayLike:
        seen.append((root, root.stat().st_mode & 0o777))
        assert home.root.parent == root
        raise PlanoError("this cannot be done")

    with pytest.raises(PlanoError, match="this cannot be done"):
        run_throwaway("test", prepare, lambda *_: False, SILENT)
    ((root, mode),) = seen
    assert ("plano-test-", 0o700, False) == (root.name[:11], mode, root.exists())
