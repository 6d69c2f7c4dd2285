"""`planoai explain`."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from brightstaff.decisions import Record, Tried, encode_record
from planoai.commands.explain import explain, run_explain, run_explain_latest
from planoai.commands.output import Output
from planoai.errors import PlanoError
from planoai.home import PlanoHome

GOOD = Tried("a/m", "200", 1700)
LIMITED = Tried("a/m", "429", 200, fault="rate")


def record(id_: str, *tried: Tried) -> Record:
    """A request that was answered."""
    return Record(1769854274.0, id_, "/chat/completions", "a/m", "a/m", "answered", 200, 1900, tried)


@pytest.fixture
def logged(home: PlanoHome) -> PlanoHome:
    """A home with three requests in its log, of which the second was no plain success; one was rotated away."""
    old = home.decisions.with_name(f"{home.decisions.name}.1")
    old.write_bytes(encode_record(record("aaaaaaaa-1", GOOD)))
    home.decisions.write_bytes(
        encode_record(record("aaaaaaaa-2", LIMITED, GOOD)) + encode_record(record("bbbbbbbb-3", GOOD))
    )
    return home


def test_one_request(logged: PlanoHome, output: Output, text: io.StringIO) -> None:
    """Its story, by its id or a beginning of it in either case, also when it was rotated away."""
    run_explain(logged, output, "AAAAAAAA-1")
    first = text.getvalue()

    assert first.startswith("Request aaaaaaaa-1 at ")
    assert first.endswith("Asked for a/m.\n1. a/m answered 200 after 1.7 s.\nAnswered by a/m.\n")
    run_explain(logged, output, "bbbbbb")
    assert "\nRequest bbbbbbbb-3 at " in text.getvalue()


def test_one_request_for_scripts(logged: PlanoHome, output: Output, text: io.StringIO) -> None:
    """The record with every field."""
    run_explain(logged, output, "bbbbbb", as_json=True)
    found = json.loads(text.getvalue())

    assert ("bbbbbbbb-3", "", 1900) == (found["id"], found["why_no_more"], found["ms"])
    assert [] == found["tried"][0]["passed_over"]


def test_an_id_that_several_have(logged: PlanoHome, output: Output) -> None:
    """They are named."""
    with pytest.raises(PlanoError, match="2 requests have an id that begins with aaaaaaaa") as caught:
        run_explain(logged, output, "aaaaaaaa")

    assert ("aaaaaaaa-2", "aaaaaaaa-1") == caught.value.details


def test_an_unknown_id(logged: PlanoHome, output: Output) -> None:
    """Where was looked, how far back that goes, and why it may not be there; exit code 1."""
    with pytest.raises(PlanoError) as caught:
        run_explain(logged, output, "cccccc")

    assert f"There is no request cccccc in {logged.decisions}, which goes back to 2026-01-" in caught.value.message
    assert caught.value.message.endswith("(requests: 3).")
    assert "within half a second" in caught.value.remedy
    assert 1 == caught.value.exit_code


def test_no_log_yet(tmp_path: Path, output: Output) -> None:
    """The same kind of error, with and without an id."""
    home = PlanoHome(tmp_path)
    with pytest.raises(PlanoError, match="in which there is no request yet"):
        run_explain(home, output, "cccccc")
    with pytest.raises(PlanoError, match="There is no request in "):
        run_explain_latest(home, output)
    with pytest.raises(PlanoError, match="No request failed, broke off or took more than one attempt in "):
        run_explain_latest(home, output, only_failed=True)


def test_the_last_request(logged: PlanoHome, output: Output, text: io.StringIO) -> None:
    """In full; with --failed the last that did not go well."""
    run_explain_latest(logged, output)
    assert text.getvalue().startswith("Request bbbbbbbb-3 at ")
    run_explain_latest(logged, output, only_failed=True)
    assert "\nRequest aaaaaaaa-2 at " in text.getvalue()


def test_the_last_requests(logged: PlanoHome, output: Output, text: io.StringIO) -> None:
    """A line each, the newest last."""
    run_explain_latest(logged, output, last=2)
    first, second = text.getvalue().splitlines()

    assert first.endswith("  aaaaaaaa  chat/completions  answered  1.9 s  a/m 429, a/m 200")
    assert second.endswith("  bbbbbbbb  chat/completions  answered  1.9 s  a/m 200")


def test_the_last_requests_for_scripts(logged: PlanoHome, output: Output, text: io.StringIO) -> None:
    """A list, the newest last, also when only one fits."""
    run_explain_latest(logged, output, last=5, only_failed=True, as_json=True)

    assert ["aaaaaaaa-2"] == [each["id"] for each in json.loads(text.getvalue())]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["abcde"], "give at least 6 characters"),
        (["abcdef", "--last", "2"], "leave out --last and --failed"),
        (["abcdef", "--failed"], "leave out --last and --failed"),
        (["--last", "0"], "0 is not in the range"),
    ],
)
def test_wrong_command_lines(arguments: list[str], message: str) -> None:
    """Exit code 2, and what to write instead."""
    result = CliRunner().invoke(explain, arguments)

    assert 2 == result.exit_code
    assert message in result.output


def test_the_command(logged: PlanoHome) -> None:
    """With an id, and without."""
    runner = CliRunner(env={"PLANO_HOME": str(logged.root)})

    assert runner.invoke(explain, ["bbbbbb"]).output.startswith("Request bbbbbbbb-3 at ")
    assert runner.invoke(explain, []).output.startswith("Request bbbbbbbb-3 at ")
