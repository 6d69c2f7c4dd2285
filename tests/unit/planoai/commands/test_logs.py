"""`planoai logs`."""

from pathlib import Path

import pytest

from planoai.commands.logs import follow_logs, log_paths, show_logs
from planoai.errors import PlanoError
from planoai.home import PlanoHome


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """The three logs, of which the access log and Envoy's exist."""
    home = PlanoHome(tmp_path)
    home.logs.mkdir(parents=True)
    (home.logs / "access_llm.log").write_text("one\ntwo\nthree\n")
    (home.logs / "envoy.log").write_text("booting\n")
    return log_paths(home, debug=True)


def test_which_logs() -> None:
    """The access log alone; all three with --debug."""
    home = PlanoHome(Path("/h"))

    assert ["access_llm.log"] == [path.name for path in log_paths(home, debug=False)]
    assert ["access_llm.log", "brightstaff.log", "envoy.log"] == [path.name for path in log_paths(home, debug=True)]


def test_the_last_lines(paths: list[Path]) -> None:
    """As they are, when only one file is shown."""
    lines: list[str] = []
    show_logs(paths[:1], 2, lines.append)

    assert ["two", "three"] == lines


def test_each_line_names_its_file(paths: list[Path]) -> None:
    """With several files; one that does not exist yet is left out."""
    lines: list[str] = []
    show_logs(paths, 1, lines.append)

    assert ["[access_llm] three", "[envoy] booting"] == lines


def test_no_log_yet(tmp_path: Path) -> None:
    """Where it is expected, and what to do."""
    with pytest.raises(PlanoError, match=r"There is no log yet: .*access_llm\.log") as caught:
        show_logs(log_paths(PlanoHome(tmp_path), debug=False), 5, print)

    assert "planoai up" in caught.value.remedy


def test_following_across_a_rotation_until_ctrl_c(paths: list[Path]) -> None:
    """New lines of each file, also of the new one after a rename; Ctrl-C ends without an error."""
    lines: list[str] = []
    access_log = paths[0]
    with access_log.open("a") as old:

        def write_more() -> None:
            old.write("four\n")
            old.flush()

        def rotate() -> None:
            access_log.rename(access_log.with_name("access_llm.log.1"))
            old.write("late\n")
            old.flush()
            access_log.write_text("five\n")
            paths[1].write_text("hello\n")

        def interrupt() -> None:
            raise KeyboardInterrupt

        steps = iter((write_more, rotate, interrupt))

        def next_step() -> None:
            next(steps)()

        follow_logs(paths, 1, lines.append, next_step)

    assert [
        "[access_llm] three",
        "[envoy] booting",
        "[access_llm] four",
        "[access_llm] late",
        "[access_llm] five",
        "[brightstaff] hello",
    ] == lines
