"""planoai.channel_report: how each channel fares, from what the ledger says."""

from typing import Any

import pytest

from brightstaff.conditions import TRIAL_LEASE_S, Condition
from brightstaff.ledger import NOTHING, LastError, Reading
from brightstaff.traffic import Summary
from planoai.channel_report import (
    Row,
    State,
    as_json,
    channel_rows,
    error_words,
    expansions,
    percent,
    reason_words,
    state_words,
    subjects_of,
    traffic_words,
)
from planoai.supervisor.spec import Channel

NOW_S = 1000.0

COOLS = Condition(failures_in_a_row=1, since_s=990.0, until_s=1027.5, cause="429", status=429)
HINTED = Condition(failures_in_a_row=1, since_s=990.0, until_s=1027.5, cause="429", status=429, hinted=True)
OVER = Condition(failures_in_a_row=1, since_s=900.0, until_s=999.0, cause="503", status=503)
ON_TRIAL = Condition(
    failures_in_a_row=1,
    since_s=900.0,
    until_s=999.0,
    cause="503",
    status=503,
    trial_of="r",
    trial_until_s=NOW_S + TRIAL_LEASE_S - 1,
)
SLOW = Condition(slow_since_s=950.0, slow_until_s=1120.0)
NO_QUOTA = Condition(failures_in_a_row=1, since_s=990.0, until_s=1020.0, cause="quota", status=403)


def channel(name: str, key_subject: str | None = "key $X") -> Channel:
    """A channel with this name."""
    return Channel(name, "https://x.example", "openai", False, "$X", name.endswith("/*"), key_subject)


def row(conditions: dict[str, Condition], name: str = "custom/m") -> Row:
    """The row of one channel, with this held against it."""
    (found,) = channel_rows(Reading(conditions, {}, {}), [channel(name)], NOW_S)
    return found


@pytest.mark.parametrize(
    ("conditions", "state", "reason"),
    [
        ({}, "well", ""),
        ({"channel custom/m": COOLS}, "cools down, 28 s left", "after 429"),
        ({"channel custom/m": HINTED}, "cools down, 28 s left", "after 429 (says the provider)"),
        ({"key $X": NO_QUOTA}, "cools down, 20 s left", "key $X: quota"),
        ({"prefix custom": HINTED}, "cools down, 28 s left", "prefix custom: 429 (says the provider)"),
        ({"channel custom/m": SLOW}, "left out, 120 s left", "too slow"),
        ({"channel custom/m": ON_TRIAL}, "on trial", "after 503"),
        (
            {"channel custom/m": OVER},
            "to be tried again",
            "cool-down over, next request is its trial",
        ),
        ({"key $X": OVER}, "to be tried again", "cool-down over (key $X: 503), next request is its trial"),
        ({"channel custom/m": Condition(slow_at_s=(999.0,))}, "well", ""),
        ({"channel other/m": COOLS, "key $Y": NO_QUOTA, "prefix other": COOLS}, "well", ""),
    ],
)
def test_the_state_in_words(conditions: dict[str, Condition], state: str, reason: str) -> None:
    """Whether the channel is asked, for how long not, and why: because of itself, its key or its prefix."""
    found = row(conditions)

    assert (state, reason) == (state_words(found), reason_words(found))


def test_what_lasts_longest_counts() -> None:
    """As in the decision itself; everything that is held stays in the row."""
    found = row({"channel custom/m": OVER, "key $X": NO_QUOTA, "prefix custom": HINTED})

    assert ["prefix custom", "key $X", "channel custom/m"] == [each.subject for each in found.held]
    assert (State.COOLS_DOWN, "cools down, 28 s left") == (found.state, state_words(found))


def test_a_trial_that_runs_comes_before_one_that_is_due() -> None:
    """Both leave nothing to wait for, but the one keeps requests away."""
    assert State.ON_TRIAL is row({"channel custom/m": OVER, "key $X": ON_TRIAL}).state


def test_a_channel_without_a_key() -> None:
    """Nothing can be held against its key."""
    assert ("channel a/m", "prefix a") == subjects_of(channel("a/m", None), "a/m")
    assert ("channel a/m", "key $X", "prefix a") == subjects_of(channel("a/*"), "a/m")


def test_models_of_a_wildcard_channel_stand_under_it() -> None:
    """All that the ledger knows below the prefix, but those that are channels of their own; the key counts for all."""
    reading = Reading(
        {"channel w/cools": COOLS, "key $X": NO_QUOTA, "prefix w": OVER},
        {"w/failed": LastError("w/failed", 990.0, "reset", "r"), "w/own": LastError("w/own", 990.0, "503", "r")},
        {"w/used": Summary(2, 2, 800.0), "wild/other": Summary(1, 1, 1.0)},
    )
    wildcard, own = channel_rows(reading, [channel("w/*"), channel("w/own", None)], NOW_S)

    assert ["w/cools", "w/failed", "w/used"] == [each.name for each in wildcard.expansions]
    assert ["cools down, 28 s left", "cools down, 20 s left", "cools down, 20 s left"] == [
        state_words(each) for each in wildcard.expansions
    ]
    assert ("w/own", "503", ()) == (own.name, own.last_error and own.last_error.cause, own.expansions)
    assert ["w/cools", "w/failed", "w/own", "w/used"] == expansions(reading, "w")


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        (None, "no requests"),
        (Summary(0, 0, None), "no requests"),
        (Summary(12, 11, 840.0), "12 attempts, 92 % ok, 0.8 s"),
        (Summary(1, 0, None), "1 attempt, 0 % ok"),
    ],
)
def test_the_last_minutes_in_words(traffic: Summary | None, expected: str) -> None:
    """Attempts, the share that was answered, the median time; little where nothing happened."""
    assert expected == traffic_words(Row("a/m", traffic=traffic))


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(0, 3, "0 %"), (1, 1000, "1 %"), (999, 1000, "99 %"), (3, 3, "100 %")]
)
def test_percent(part: int, whole: int, expected: str) -> None:
    """One failure among thousands is not rounded away."""
    assert expected == percent(part, whole)


def test_the_last_error_in_words() -> None:
    """Its word, and how long ago."""
    assert "quota, 12 s ago" == error_words(Row("a/m", last_error=LastError("a/m", 988.0, "quota", "r")), NOW_S)
    assert "" == error_words(Row("a/m"), NOW_S)


def test_for_scripts() -> None:
    """All of it, with units in the names."""
    reading = Reading(
        {"channel custom/m": HINTED},
        {"custom/m": LastError("custom/m", 990.0, "429", "id-1")},
        {"custom/m": Summary(3, 1, 840.04)},
    )
    (found,) = channel_rows(reading, [channel("custom/m")], NOW_S)
    expected: dict[str, Any] = {
        "state": "cools_down",
        "state_words": "cools down, 28 s left, after 429 (says the provider)",
        "left_s": 27.5,
        "held_against": [
            {
                "subject": "channel custom/m",
                "state": "cools_down",
                "left_s": 27.5,
                "cause": "429",
                "provider_said": True,
            }
        ],
        "last_error": {"cause": "429", "at_s": 990.0, "ago_s": 10.0, "request_id": "id-1"},
        "traffic": {"minutes": 5, "attempts": 3, "answered": 1, "success_rate": 0.3333, "median_ms": 840.0},
        "expansions": [],
    }

    assert expected == as_json(found, NOW_S)


def test_for_scripts_when_nothing_is_known() -> None:
    """The same fields; a wildcard's models have their names."""
    (found,) = channel_rows(NOTHING, [channel("w/*")], NOW_S)
    report = as_json(found, NOW_S)

    assert ("well", 0.0, [], None) == tuple(report[key] for key in ("state", "left_s", "held_against", "last_error"))
    assert {"minutes": 5, "attempts": 0, "answered": 0, "success_rate": None, "median_ms": None} == report["traffic"]
    under = as_json(Row("w/*", expansions=(Row("w/m"),)), NOW_S)["expansions"]
    assert [("w/m", "well")] == [(each["name"], each["state"]) for each in under]
