"""The reason of a death, found in a log."""

import pytest

from planoai.supervisor.diagnose import exit_words, reason_lines

ENVOY = """\
[2026-01-01 10:00:00.000][info] initializing epoch 0
[2026-01-01 10:00:00.100][critical] error initializing configuration '/x.yaml': no such cluster
[2026-01-01 10:00:00.200][info] exiting
"""

TRACEBACK = """\
[2026-01-01 10:00:00.000][info] starting
Traceback (most recent call last):
  File "main.py", line 1, in <module>
    run()
ValueError: port must be a number
"""

GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "main.py", line 1, in <module>
  |     run()
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "main.py", line 2, in run
    |     bind()
    | OSError: the socket is in use
    +------------------------------------
"""


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (ENVOY, ("[2026-01-01 10:00:00.100][critical] error initializing configuration '/x.yaml': no such cluster",)),
        (TRACEBACK, ("ValueError: port must be a number",)),
        (GROUP, ("OSError: the socket is in use",)),
        ("one\ntwo\n\nthree\n", ("one", "two", "three")),
        ("", ()),
        ("\x1b[31m[error] red\x1b[0m\n", ("[error] red",)),
        ("[error] same\n" * 9, ("[error] same",)),
        (
            "Segmentation fault, suspect faulting address 0x0\n#0 frame\n",
            ("Segmentation fault, suspect faulting address 0x0",),
        ),
        ("Traceback (most recent call last):\n", ("Traceback (most recent call last):",)),
    ],
)
def test_the_lines_that_matter(log: str, expected: tuple[str, ...]) -> None:
    """Severe lines and the exception, without the noise around them."""
    assert expected == reason_lines(log)


def test_both_the_exception_and_the_lines_before_it() -> None:
    """A logged error and the exception that followed it."""
    assert ("[error] cannot listen", "ValueError: port must be a number") == reason_lines(
        "[error] cannot listen\n" + TRACEBACK
    )


def test_warnings_only_when_asked_for() -> None:
    """A listener that cannot bind is a warning for Envoy, and the reason why it does not get ready."""
    log = "[warning] listener 'a' failed to bind\n[info] all clusters initialized\n"

    assert ("[warning] listener 'a' failed to bind",) == reason_lines(log, warnings_too=True)
    assert 2 == len(reason_lines(log))


def test_long_logs_are_cut() -> None:
    """A screen is enough: few lines, none endless."""
    lines = reason_lines("".join(f"[error] {number} {'x' * 9000}\n" for number in range(100)))

    assert 6 == len(lines)
    assert lines[-1].startswith("[error] 99 ")
    assert max(map(len, lines)) <= 500


@pytest.mark.parametrize(
    ("returncode", "expected"),
    [
        (0, "exit status 0"),
        (3, "exit status 3"),
        (-11, "ended by SIGSEGV"),
        (-9, "ended by SIGKILL (the kernel does this when memory runs out)"),
        (-63, "ended by signal 63"),
    ],
)
def test_exit_words(returncode: int, expected: str) -> None:
    """A signal has a name."""
    assert expected == exit_words(returncode)
