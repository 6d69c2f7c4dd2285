"""Rotation of logs by size."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planoai.supervisor.rotation import RotationPlan, RotationPolicy, plan_rotation, rotate

POLICY = RotationPolicy(max_bytes=100, keep=3)


@pytest.mark.parametrize(
    ("size_bytes", "suffixes", "expected"),
    [
        (99, [1, 2], RotationPlan()),
        (100, [], RotationPlan(renames=((0, 1),))),
        (100, [1], RotationPlan(renames=((1, 2), (0, 1)))),
        (100, [1, 2, 3], RotationPlan(deletes=(3,), renames=((2, 3), (1, 2), (0, 1)))),
        (100, [2, 9, 4], RotationPlan(deletes=(9, 4), renames=((2, 3), (0, 1)))),
    ],
)
def test_what_is_renamed(size_bytes: int, suffixes: list[int], expected: RotationPlan) -> None:
    """Below the limit nothing; above it each old file moves up by one and the oldest goes."""
    assert expected == plan_rotation(POLICY, size_bytes, suffixes)


def test_keep_none() -> None:
    """With no old files kept, the log itself goes."""
    assert RotationPlan(deletes=(1, 0)) == plan_rotation(RotationPolicy(max_bytes=1, keep=0), 5, [1])


@given(suffixes=st.sets(st.integers(1, 12)), keep=st.integers(1, 8))
def test_no_file_is_overwritten(suffixes: set[int], keep: int) -> None:
    """Carried out in order, no rename meets a file that is still there, and at most `keep` old files stay."""
    plan = plan_rotation(RotationPolicy(max_bytes=1, keep=keep), 1, suffixes)
    there = {0, *suffixes} - set(plan.deletes)
    for source, target in plan.renames:
        assert source in there
        assert target not in there
        there = there - {source} | {target}

    assert 0 not in there
    assert len(there) <= keep


def test_files_are_moved(tmp_path: Path) -> None:
    """The content goes where the plan says; other files stay."""
    log = tmp_path / "envoy.log"
    log.write_text("new" * 50)
    log.with_name("envoy.log.1").write_text("old")
    log.with_name("envoy.log.3").write_text("oldest")
    log.with_name("envoy.log.bak").write_text("mine")

    assert rotate(POLICY, log)
    assert {"envoy.log.1": "new" * 50, "envoy.log.2": "old", "envoy.log.bak": "mine"} == {
        path.name: path.read_text() for path in tmp_path.iterdir()
    }


def test_a_missing_log_is_no_error(tmp_path: Path) -> None:
    """A process that has written nothing yet has no log."""
    assert not rotate(POLICY, tmp_path / "none.log")


def test_the_mode_stays(tmp_path: Path) -> None:
    """A rotated log is as private as before."""
    log = tmp_path / "access_llm.log"
    log.write_text("x" * 100)
    log.chmod(0o600)
    rotate(POLICY, log)

    assert 0o600 == log.with_name("access_llm.log.1").stat().st_mode & 0o777
