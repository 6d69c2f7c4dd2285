"""The end of a log and what follows."""

from pathlib import Path

import pytest

from planoai.supervisor.tail import Follower, last_lines


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("a\nb\nc\n", 2, ["b", "c"]),
        ("a\nb", 2, ["a", "b"]),
        ("a\n", 5, ["a"]),
        ("", 5, []),
        ("a\n", 0, []),
        ("\n\n", 5, ["", ""]),
    ],
)
def test_last_lines(tmp_path: Path, text: str, count: int, expected: list[str]) -> None:
    """As `tail -n`."""
    path = tmp_path / "log"
    path.write_text(text)

    assert expected == last_lines(path, count)


def test_last_lines_of_a_large_file(tmp_path: Path) -> None:
    """Lines that cross the blocks in which the file is read."""
    path = tmp_path / "log"
    lines = [f"{number} {'é' * 50}" for number in range(5000)]
    path.write_text("\n".join(lines) + "\n")

    assert lines[-1500:] == last_lines(path, 1500)


def test_following(tmp_path: Path) -> None:
    """First the last lines, then each whole line once."""
    path = tmp_path / "log"
    path.write_text("one\ntwo\n")
    with path.open("a") as file, Follower(path, show_last=1) as follower:
        assert ["two"] == follower.poll()
        assert [] == follower.poll()
        file.write("three\nfo")
        file.flush()
        assert ["three"] == follower.poll()
        file.write("ur\n")
        file.flush()
        assert ["four"] == follower.poll()


def test_following_survives_rotation(tmp_path: Path) -> None:
    """The last lines of the renamed file and the first of the new one, each once."""
    path = tmp_path / "log"
    path.write_text("one\n")
    with path.open("a") as old, Follower(path) as follower:
        assert [] == follower.poll()
        path.rename(tmp_path / "log.1")
        old.write("two\n")
        old.flush()
        assert ["two"] == follower.poll()
        path.write_text("three\n")
        old.write("late\n")
        old.flush()
        assert ["late", "three"] == follower.poll()


def test_a_file_that_appears_later_is_shown_from_its_start(tmp_path: Path) -> None:
    """`logs -f` before the first `up`."""
    path = tmp_path / "log"
    with Follower(path, show_last=1) as follower:
        assert [] == follower.poll()
        path.write_text("one\ntwo\n")
        assert ["one", "two"] == follower.poll()


def test_a_truncated_file_is_read_from_its_start(tmp_path: Path) -> None:
    """As after `> access_llm.log`."""
    path = tmp_path / "log"
    path.write_text("a long first line\n")
    with Follower(path) as follower:
        follower.poll()
        path.write_text("new\n")
        assert ["new"] == follower.poll()
