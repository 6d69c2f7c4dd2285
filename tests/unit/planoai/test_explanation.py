"""planoai.explanation: the story of a request, in plain words."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import msgspec
import pytest

from brightstaff.decisions import PassedOver, Record, RouteChoice, Tried
from planoai.explanation import latest, search, summary_row, tell, went_well, when

#: 2026-01-31 10:11:14 UTC.
AT_S = 1769854274.0
A, B = "custom/claude-opus-4-6", "custom-aws/claude-opus-4-6"

LIMITED = Tried(A, "429", 200, fault="rate", retry_after_s=30.0, held_against_s=30.0)
GOOD = Tried(A, "200", 1700)


def record(*tried: Tried, **fields: Any) -> Record:
    """A request that went well, but for what is said."""
    given: dict[str, Any] = {
        "at_s": AT_S,
        "id": "3f2a0000-1111",
        "endpoint": "/chat/completions",
        "asked": A,
        "channel": A,
        "ending": "answered",
        "status": 200,
        "ms": 1900,
        "tried": tried,
        "chain": (A, B),
    }
    return Record(**given | fields)


def told(*tried: Tried, **fields: Any) -> list[str]:
    """The story without its first line, read on the same day."""
    return tell(record(*tried, **fields), AT_S + 60, UTC)[1:]


def attempt(**fields: Any) -> str:
    """The sentence about one attempt on A that took 0.2 s."""
    given: dict[str, Any] = {"channel": A, "outcome": "429", "ms": 200}
    return told(Tried(**given | fields))[1].removeprefix(f"1. {A} ")


def test_a_failover() -> None:
    """The whole story."""
    assert [
        "Request 3f2a0000-1111 at 10:11:12, chat/completions, 1.9 s",
        "Asked for custom/claude-opus-4-6.",
        "1. custom/claude-opus-4-6 answered 429 after 0.2 s (rate limit; come back in 30 s). "
        "It is left alone for 30 s.",
        "2. custom-aws/claude-opus-4-6 answered 200 after 1.7 s.",
        "Answered by custom-aws/claude-opus-4-6.",
    ] == tell(record(LIMITED, Tried(B, "200", 1700)), AT_S + 60, UTC)


def test_on_another_day() -> None:
    """The date is told, too."""
    assert "at 2026-01-31 10:11:12, " in tell(record(GOOD), AT_S + 86400, UTC)[0]
    assert "2026-01-31 10:11:14" == when(AT_S, UTC)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (A, f"Asked for {A}."),
        ("opus", f"Asked for opus, which went to {A}."),
        (None, f"Named no model; the default channel is {A}."),
        ("o\n\x1b[2J", f"Asked for o\ufffd\ufffd[2J, which went to {A}."),
    ],
)
def test_what_was_asked_for(asked: str | None, expected: str) -> None:
    """The model as the client named it, and what it was taken for; never a control character."""
    assert expected == told(GOOD, asked=asked)[0]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (PassedOver(A, "cools down after 429", 27.2), "it cools down after 429, 28 s left."),
        (PassedOver(A, "answered too slowly", 120.0), "it answered too slowly, 120 s left."),
        (PassedOver(A, "is being tried again after 503", 0.0), "it is being tried again after 503."),
    ],
)
def test_who_was_passed_over(found: PassedOver, expected: str) -> None:
    """Before the attempt that was made instead, with the reason and the seconds."""
    assert [f"{A} was passed over: {expected}", f"1. {B} answered 200 after 1.7 s."] == told(
        Tried(B, "200", 1700, passed_over=(found,))
    )[1:3]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "answered 429 after 0.2 s (rate limit)."),
        ({"outcome": "503", "fault": "channel"}, "answered 503 after 0.2 s (the channel's fault)."),
        (
            {"outcome": "403", "fault": "key", "held_against_s": 60.0},
            "answered 403 after 0.2 s (the key is refused or used up). "
            "Its key, with every channel that has it, is left alone for 60 s.",
        ),
        (
            {"outcome": "400", "fault": "caller"},
            "answered 400 after 0.2 s (the request is at fault, not the channel).",
        ),
        ({"outcome": "504", "fault": "timeout"}, "answered 504 after 0.2 s (something behind it timed out)."),
        ({"outcome": "401"}, "answered 401 after 0.2 s (the key is refused or used up)."),
        ({"outcome": "403"}, "answered 403 after 0.2 s."),
        ({"outcome": "304"}, "answered 304 after 0.2 s."),
        ({"outcome": "refused", "fault": "channel", "ms": 1}, "refused the connection after 1 ms."),
        ({"outcome": "dns", "fault": "channel"}, "was not found after 0.2 s: its name has no address."),
        ({"outcome": "tls", "fault": "channel"}, "failed the TLS handshake after 0.2 s."),
        ({"outcome": "reset", "fault": "channel"}, "closed the connection after 0.2 s, before it answered."),
        ({"outcome": "timeout", "fault": "timeout"}, "did not answer within 0.2 s."),
        ({"outcome": "timeout", "fault": "caller"}, "did not answer within 0.2 s (the caller's own time was up)."),
        ({"outcome": "unfinished"}, "had not answered when the client left."),
        (
            {"outcome": "cut_short", "fault": "channel"},
            "broke off its answer after 0.2 s, before any of it was passed on.",
        ),
        (
            {"outcome": "cut_short", "fault": "channel", "after_content": True, "held_against_s": 1.0},
            "began to answer after 0.2 s, then broke off in the middle. It is left alone for 1 s.",
        ),
        (
            {"outcome": "stalled", "fault": "timeout", "after_content": True},
            "began to answer after 0.2 s, then fell silent in the middle.",
        ),
        (
            {"outcome": "html", "fault": "channel"},
            "answered 200 after 0.2 s, with a page of HTML (the channel's fault).",
        ),
        (
            {"outcome": "quota", "fault": "key"},
            "answered 200 after 0.2 s, saying that a quota is used up (the key is refused or used up).",
        ),
        ({"outcome": "new_word", "fault": "channel"}, "failed (new_word) after 0.2 s (the channel's fault)."),
        (
            {"outcome": "new_word", "after_content": True},
            "began to answer after 0.2 s, then failed in the middle (new_word).",
        ),
        ({"retry_after_s": 2.5, "fault": "rate"}, "answered 429 after 0.2 s (rate limit; come back in 3 s)."),
    ],
)
def test_an_attempt(fields: dict[str, Any], expected: str) -> None:
    """What came of it, whose fault that was, what the provider said, and for how long it is left alone."""
    assert expected == attempt(**fields)


def test_a_wait_before_an_attempt() -> None:
    """Back-off or Retry-After on the same channel."""
    lines = told(Tried(A, "503", 100, fault="channel"), Tried(A, "200", 900, waited_ms=150))

    assert f"2. After a wait of 0.1 s, {A} answered 200 after 0.9 s." == lines[2]


@pytest.mark.parametrize(
    ("tried", "fields", "expected"),
    [
        ((GOOD,), {}, [f"Answered by {A}."]),
        (
            (Tried("custom/gpt", "200", 1, other_model=True),),
            {},
            ["Answered by custom/gpt: by another model than was asked for."],
        ),
        (
            (LIMITED,),
            {"ending": "failed", "status": 429, "why_no_more": "the policy allows 1 attempt"},
            ["Failed with status 429. No further attempt was made: the policy allows 1 attempt."],
        ),
        (
            (LIMITED,),
            {"ending": "failed", "status": 429, "chain": (A,)},
            ["Failed with status 429. No further attempt was made: the channel has no retry_policy."],
        ),
        ((LIMITED,), {"ending": "failed", "status": 429}, ["Failed with status 429. No further attempt was made."]),
        (
            (Tried(A, "unfinished", 9),),
            {"ending": "left", "status": 0},
            ["The client left before there was an answer."],
        ),
        ((), {"ending": "left", "status": 0}, ["The client left before there was an answer."]),
        ((GOOD,), {"ending": "left"}, [f"The client left in the middle of the answer of {A}."]),
        (
            (Tried(A, "cut_short", 9, after_content=True),),
            {"ending": "broken"},
            [
                f"The answer of {A} broke off after content had reached the client: no other channel can go on from "
                "there."
            ],
        ),
        (
            (Tried(A, "error_in_stream", 9, after_content=True),),
            {},
            [f"Answered by {A}.", "Its error reached the client as it came: content had left before."],
        ),
    ],
)
def test_how_it_ended(tried: Sequence[Tried], fields: dict[str, Any], expected: list[str]) -> None:
    """Who answered, or what the client got and why nobody else was asked."""
    assert expected == told(*tried, **fields)[1 + len(tried) :]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (record(GOOD), True),
        (record(GOOD, ending="left"), True),
        (record(LIMITED, GOOD), False),
        (record(LIMITED, ending="failed"), False),
        (record(GOOD, ending="broken"), False),
        (record(Tried(A, "error_in_stream", 9, after_content=True)), False),
    ],
)
def test_what_went_well(entry: Record, expected: bool) -> None:
    """One attempt, and an answer to its end or a client that left."""
    assert expected is went_well(entry)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "answered"),
        ({"ending": "failed", "status": 503}, "failed 503"),
        ({"ending": "left"}, "client left"),
        ({"ending": "broken"}, "broke off"),
    ],
)
def test_in_one_line(fields: dict[str, Any], expected: str) -> None:
    """When, the id's beginning, where, how it ended, how long it took, every attempt."""
    assert (
        "10:11:12",
        "3f2a0000",
        "chat/completions",
        expected,
        "1.9 s",
        f"{A} 429, {B} 200",
    ) == summary_row(record(LIMITED, Tried(B, "200", 9), **fields), AT_S + 60, UTC)


def test_an_error_in_an_answer_in_one_line() -> None:
    """It was passed on, so it counts as answered, but not as a good answer."""
    entry = record(Tried(A, "error_in_stream", 9, after_content=True))

    assert "error in answer" == summary_row(entry, AT_S, UTC)[3]


def test_searching_by_the_beginning_of_an_id() -> None:
    """All that fit, each id once, and how far back was looked; a complete id needs no look at the rest."""
    records = [record(id="aaaaaa1"), record(id="aaaaaa2"), record(id="aaaaaa1", ms=1), record(id="b", at_s=5.0)]
    both = search(records, "aaaaaa")

    assert (tuple(records[:2]), 4, 5.0) == (both.found, both.read, both.oldest_at_s)
    assert ((records[1],), 2) == (search(records, "aaaaaa2").found, search(records, "aaaaaa2").read)
    assert ((), 0, None) == (search([], "x").found, search([], "x").read, search([], "x").oldest_at_s)


def test_the_latest() -> None:
    """The first of a log that is read backwards; those that went well are left out when only failures are wanted."""
    records = [
        record(GOOD, id="1"),
        record(LIMITED, GOOD, id="2"),
        record(GOOD, id="3"),
        record(ending="failed", id="4"),
    ]

    assert ["1", "2"] == [each.id for each in latest(records, 2, only_failed=False)]
    assert ["2", "4"] == [each.id for each in latest(records, 5, only_failed=True)]


def test_routing_is_told() -> None:
    """Which route, why, by whom, and the probabilities; of a request that was not routed, nothing."""
    choice = RouteChoice("code", "code at 0.81", 0.81, {"chat": 0.1, "code": 0.81}, 0.09, "builtin", 2)
    entry = Record(1.0, "id", "/chat/completions", "auto", "a/b", "answered", 200, 5, route=choice)
    lines = tell(entry, 2.0)
    assert "Routed by intent: code (code at 0.81). The builtin router took 2 ms." in lines
    assert "  Probabilities: code 0.81, chat 0.10, none 0.09." in lines
    held = tell(msgspec.structs.replace(entry, route=RouteChoice(None, "nothing to read")), 2.0)
    assert "Routed by intent: no route (nothing to read)." in held
    assert not any("intent" in line for line in tell(msgspec.structs.replace(entry, route=None), 2.0))
