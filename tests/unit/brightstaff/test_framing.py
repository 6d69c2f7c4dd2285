"""brightstaff.framing: how a stream that ended is told from one that broke."""

import json

import pytest

from brightstaff.commands import Command, ForwardBody, ForwardHeaders, ForwardTrailers, Reply
from brightstaff.framing import IF_CUT, EndMark, if_cut

WATCHED = ForwardHeaders([("x-plano-model", "one/m"), (IF_CUT, "data: {}")], [])


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ([ForwardBody(b"a", False), ForwardBody(b"b", True)], [ForwardBody(b"a", False), ForwardBody(b"b\0", True)]),
        ([ForwardBody(b"", True)], [ForwardBody(b"\0", True)]),
        (
            [ForwardBody(b"a\0", False), ForwardTrailers()],
            [ForwardBody(b"a\0", False), ForwardBody(b"\0", False), ForwardTrailers()],
        ),
    ],
)
def test_a_good_end_is_marked(commands: list[Command], expected: list[Command]) -> None:
    """One byte more at the last piece, or before the trailers; in one go or message by message."""
    assert [WATCHED, *expected] == EndMark().frame([WATCHED, *commands])
    mark = EndMark()
    framed = [each for command in (WATCHED, *commands) for each in mark.frame([command])]
    assert [WATCHED, *expected] == framed


def test_other_answers_are_left_alone() -> None:
    """JSON, errors and retries keep their own framing."""
    commands: list[Command] = [
        ForwardHeaders([("x-plano-model", "one/m")], []),
        ForwardBody(b"{}", True),
        ForwardTrailers(),
        Reply(503, [], b"", "x"),
    ]
    assert commands == EndMark().frame(commands)


@pytest.mark.parametrize("suffix", ["/chat/completions", "/messages", "/responses", "/completions"])
def test_the_event_travels_in_a_header(suffix: str) -> None:
    """Printable ASCII in one line; what comes out is the event of the client's protocol."""
    name, value = if_cut(suffix, "id-1")
    assert (IF_CUT, True) == (name, all(character == "\t" or " " <= character <= "~" for character in value))
    *names, data = value.split("\t")
    assert (
        ["event: error"] if suffix == "/messages" else ["event: response.failed"] * (suffix == "/responses")
    ) == names
    assert "planoai explain id-1" in json.dumps(json.loads(data.removeprefix("data: ")))
