"""Every module has its test file: `cli/planoai/a/b.py` has `tests/unit/planoai/a/test_b.py`."""

from pathlib import Path

import pytest

UNIT = Path(__file__).parent
ROOT = UNIT.parents[1]
PACKAGES = {
    "brightstaff": ROOT / "brightstaff",
    "plano_router": ROOT / "plano_router",
    "planoai": ROOT / "cli" / "planoai",
}

#: Modules that need no test file, and why.
EXCEPTIONS = {
    "brightstaff/commands.py": "declares data and does nothing; the tests of attempt and codec use all of it",
}


def modules() -> list[str]:
    """Every module that somebody wrote, as `package/path/module.py`."""
    return sorted(
        f"{package}/{path.relative_to(root).as_posix()}"
        for package, root in PACKAGES.items()
        for path in root.rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py") and "pb" not in path.relative_to(root).parts
    )


def mirror(module: str) -> Path:
    """Where the test file of a module stands."""
    path = UNIT / module
    return path.with_name(f"test_{path.name}")


@pytest.mark.parametrize("module", modules())
def test_every_module_has_its_test_file(module: str) -> None:
    """Who changes a module knows where its tests are; who writes one is reminded of them."""
    assert module in EXCEPTIONS or mirror(module).is_file(), f"write {mirror(module).relative_to(ROOT)}"


@pytest.mark.parametrize("module", sorted(EXCEPTIONS))
def test_exceptions_are_needed(module: str) -> None:
    """An exception is for a module that exists and has no test file."""
    assert (True, False) == (module in modules(), mirror(module).is_file())
