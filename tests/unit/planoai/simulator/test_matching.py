"""planoai.simulator.matching: the first rule that matches, the turn of each behaviour, chance that repeats itself."""

from random import Random

import pytest

from planoai.simulator.behaviour import Behaviour
from planoai.simulator.matching import RuleBook, conditions_hold
from planoai.simulator.request_facts import RequestFacts, read_request
from planoai.simulator.rules import Match, Rule


def seeded() -> Random:
    return Random(1)  # noqa: S311 - meant to be repeated


def request(
    key: str = "sk-a", model: str = "m", *, stream: bool = False, path: str = "/v1/chat/completions"
) -> RequestFacts:
    body = f'{{"model": "{model}", "stream": {str(stream).lower()}}}'.encode()
    return read_request("POST", path, [("Authorization", f"Bearer {key}"), ("X-Tenant", "blue")], body)


def statuses(book: RuleBook, count: int, facts: RequestFacts | None = None) -> list[int | None]:
    chance = seeded()
    choices = [book.choose(facts or request(), chance) for _ in range(count)]
    return [None if choice is None else choice.behaviour.status for choice in choices]


def failing(status: int, **fields: object) -> Behaviour:
    return Behaviour(status=status, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (Match(), True),
        (Match(key="sk-a"), True),
        (Match(key="sk-b"), False),
        (Match(key=["sk-b", "sk-*"]), True),
        (Match(key="*"), True),
        (Match(model="m"), True),
        (Match(model="m[1]*"), False),
        (Match(model="claude-*"), False),
        (Match(path="/chat/completions"), True),
        (Match(path="completions/"), True),
        (Match(path="/v1/*/completions"), True),
        (Match(path=["/embeddings", "/messages"]), False),
        (Match(headers={"x-tenant": "blue"}), True),
        (Match(headers={"X-TENANT": "b*"}), True),
        (Match(headers={"x-tenant": "red"}), False),
        (Match(headers={"x-other": "*"}), False),
        (Match(stream=False), True),
        (Match(stream=True), False),
        (Match(key="sk-a", model="other"), False),
    ],
)
def test_conditions(match: Match, holds: bool) -> None:
    """All conditions that are given must hold; `*` is the only special character."""
    assert holds == conditions_hold(match, request())


def test_without_key_no_pattern_of_a_key_matches() -> None:
    """`*` means any key, and none is no key."""
    facts = read_request("GET", "/v1/models", [], b"")
    assert not conditions_hold(Match(key="*"), facts)


def test_first_rule_wins() -> None:
    """Rules are asked in order."""
    book = RuleBook(
        [Rule(Match(key="sk-b"), [failing(500)]), Rule(Match(), [failing(501)]), Rule(Match(), [failing(502)])]
    )
    assert statuses(book, 1) == [501]


def test_nothing_matches() -> None:
    """Without a matching rule there is no choice."""
    assert statuses(RuleBook([Rule(Match(key="sk-b"))]), 1) == [None]


def test_behaviours_serve_in_turn_and_the_last_goes_on() -> None:
    """Each serves one request, the last one all others."""
    assert statuses(RuleBook([Rule(behaviours=[failing(429), failing(503), failing(200)])]), 5) == [
        429,
        503,
        200,
        200,
        200,
    ]


def test_times_and_then_the_next_rule() -> None:
    """`times` says how many requests a behaviour serves; a rule that is used up lets the next one answer."""
    book = RuleBook([Rule(behaviours=[failing(429, times=2), failing(503, times=1)]), Rule(behaviours=[failing(599)])])
    assert statuses(book, 5) == [429, 429, 503, 599, 599]


def test_other_requests_take_nobodys_turn() -> None:
    """Only requests that match are counted."""
    book = RuleBook([Rule(Match(key="sk-a"), [failing(429), failing(200)])])
    assert statuses(book, 2, request("sk-b")) == [None, None]
    assert statuses(book, 2) == [429, 200]


def test_nth_and_every() -> None:
    """The turn among the requests that match the rest."""
    assert statuses(RuleBook([Rule(Match(nth=2), [failing(500)])]), 3) == [None, 500, None]
    assert statuses(RuleBook([Rule(Match(nth=[1, 3]), [failing(500)])]), 4) == [500, None, 500, None]
    assert statuses(RuleBook([Rule(Match(every=2), [failing(500)])]), 4) == [None, 500, None, 500]


def test_probability_is_met_and_repeats_itself() -> None:
    """About the share that was asked for, and the same with the same seed."""
    rule = Rule(Match(), [failing(500)], probability=0.3)
    first = statuses(RuleBook([rule]), 2000)
    assert first == statuses(RuleBook([rule]), 2000)
    assert 500 < first.count(500) < 700


def test_probability_of_a_behaviour() -> None:
    """A behaviour that chance spares keeps its turn."""
    got = statuses(RuleBook([Rule(behaviours=[failing(500, probability=0.5, times=3)])]), 100)
    assert got.count(500) == 3
    assert got[0:6] != [500, 500, 500, None, None, None]


def test_random_choice_takes_all() -> None:
    """`choose: random` uses every behaviour, again and again, but no more often than its `times`."""
    got = statuses(
        RuleBook([Rule(behaviours=[failing(500), failing(501), failing(502, times=1)], choose="random")]), 300
    )
    assert {500, 501, 502} == set(got)
    assert got.count(502) == 1


def test_names_of_rules() -> None:
    """A choice says which rule it came from: its name, or its place."""
    chance = seeded()
    book = RuleBook([Rule(Match(key="sk-a"), name="mine"), Rule()])
    choices = [book.choose(request("sk-a"), chance), book.choose(request("sk-b"), chance)]
    assert [choice.rule for choice in choices if choice is not None] == ["mine", "rule 2"]
