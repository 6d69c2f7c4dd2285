"""brightstaff.logs: the log files of our processes."""

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from brightstaff.logs import configure_logging


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger; what is added to it is taken away again."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    for handler in set(logger.handlers) - set(handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)


def test_lines_and_mode(root_logger: logging.Logger, tmp_path: Path) -> None:
    """`[time][level] message`, in a file for its owner only."""
    path = tmp_path / "x.log"
    configure_logging(str(path), "info")
    root_logger.info("hello")
    root_logger.debug("unheard")
    text = path.read_text()
    assert text.endswith("[info] hello\n")
    assert 1 == text.count("\n")
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_rotated_file_is_opened_anew(root_logger: logging.Logger, tmp_path: Path) -> None:
    """After a rename from outside, lines go to a new file, which is private, too."""
    path = tmp_path / "x.log"
    configure_logging(str(path), "info")
    root_logger.info("one")
    path.rename(tmp_path / "x.log.1")
    root_logger.info("two")
    assert path.read_text().endswith("two\n")
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
