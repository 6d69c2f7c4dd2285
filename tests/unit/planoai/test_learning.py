"""planoai.learning: which prompts become examples, and what that changes."""

import pytest

from brightstaff.settings import RouteSettings, RoutingSettings
from plano_router.classifier import Classifier
from planoai.evaluation import Labelled, Report, Score
from planoai.learning import Learner, Outcome, Set, sort_out

#: Two routes whose descriptions say nothing that tells their prompts apart.
ROUTES = (
    RouteSettings("zebra", "questions for team zebra", ("a/opus",)),
    RouteSettings("heron", "questions for team heron", ("a/haiku",), ("is the frobnicator down again",)),
)
SETTINGS = RoutingSettings(routes=ROUTES, socket="/s", strengths={"a/opus": 3.0, "a/haiku": 1.0})
ZEBRA = [
    f"please order {n} more brackets for the warehouse in {city}" for n, city in enumerate(("Ulm", "Bonn", "Kiel"))
]
HERON = [f"the frobnicator on floor {n} blinks {colour}" for n, colour in enumerate(("red", "green", "blue"))]


def labelled(text: str, route: str | None, line: int = 1) -> Labelled:
    """A prompt with its route."""
    return Labelled({"messages": [{"role": "user", "content": text}]}, route, line=line)


PROMPTS = [
    labelled(text, route, line)
    for line, (text, route) in enumerate(
        [*((each, "zebra") for each in ZEBRA), *((each, "heron") for each in HERON)], start=1
    )
]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The one that is shipped."""
    return Classifier.load()


def learned(classifier: Classifier, prompts: list[Labelled], per_route: int = 8) -> tuple[Outcome, Set]:
    """What is learnt from prompts."""
    found = sort_out(prompts, ROUTES)
    return Learner(classifier, SETTINGS, found, per_route).learn(lambda _: 2.0), found


def test_what_may_become_an_example() -> None:
    """Neither a secret, nor a tool loop, nor what leans on the turn before, nor one again."""
    messages = [
        {"role": "user", "content": "please order brackets for the warehouse"},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "and bolts"},
    ]
    tool_loop = [*messages[:2], {"role": "tool", "content": "ok"}]
    found = sort_out(
        [
            labelled("please order some more brackets", "zebra", 1),
            labelled("Please  order some more brackets", "zebra", 2),
            labelled("please order some more brackets", "heron", 3),
            labelled("the api key is sk-abcdefghijklmnopqrstuvwxyz", "zebra", 4),
            Labelled({"messages": messages}, "zebra", line=5),
            Labelled({"messages": tool_loop}, "zebra", line=6),
            labelled("Is the frobnicator down again", "heron", 7),
            labelled("what a nice day it is today, everybody", None, 8),
        ],
        ROUTES,
    )
    assert [0] == found.usable
    assert [1, 4, 5, 6, 8] == [each.labelled.line for each in found.prompts]
    assert [[2], [3], [4], [5], [6], [7]] == sorted(found.left_out.values())
    assert [4] == found.left_out["look as if they held a secret"]


def test_examples_help_prompts_that_are_like_them(classifier: Classifier) -> None:
    """Held out, each prompt gets its route by examples from the others; without, it does not."""
    outcome, _ = learned(classifier, PROMPTS)
    assert "" == outcome.objection
    assert 6 == outcome.after.strict.right == outcome.after.strict.number
    assert set(outcome.examples["zebra"]) <= set(ZEBRA)
    assert set(outcome.examples.get("heron", ())) <= set(HERON)


def test_no_more_than_there_is_room_for(classifier: Classifier) -> None:
    """Examples that a route has count."""
    outcome, _ = learned(classifier, PROMPTS, per_route=1)
    assert 1 == len(outcome.examples["zebra"])
    assert "heron" not in outcome.examples


def test_what_is_decided_surely_is_no_example(classifier: Classifier) -> None:
    """Nor is a second one where the first was enough: with one example of three alike, the rest is sure."""
    outcome, _ = learned(
        classifier, [*PROMPTS, *(labelled(each.replace("please", "kindly"), "zebra") for each in ZEBRA)]
    )
    assert len(outcome.examples["zebra"]) < 6


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((5, 2), (5, 0), "no more prompts"),
        ((5, 2), (6, 2), ""),
        ((5, 2), (7, 3), ""),
        ((5, 2), (6, 3), "need a capable model"),
    ],
)
def test_what_speaks_against_examples(before: tuple[int, int], after: tuple[int, int], expected: str) -> None:
    """No gain in accuracy, or one that is paid for with dangerous downgrades."""
    reports = [
        Report("x", strict=Score(right, 10), downgrades=Score(downgraded, 10)) for right, downgraded in (before, after)
    ]
    found = Outcome({}, *reports).objection
    assert bool(expected) == bool(found)
    assert expected in found


def test_prompts_without_a_route_are_measured(classifier: Classifier) -> None:
    """An agent's own request and an empty one, too: whatever becomes of them, nothing breaks."""
    more = [labelled("Generate a title for this conversation:\nUser: hi", "heron"), labelled("", None)]
    outcome, found = learned(classifier, [*PROMPTS, *more])
    assert 8 == outcome.before.strict.number == len(found.prompts)
    assert (1, 1) == (outcome.after.routes["(none)"].right, outcome.after.routes["(none)"].number)


def test_many_prompts_are_held_out_in_five_parts(classifier: Classifier) -> None:
    """Of each route a share in every part; long prompts are cut."""
    long = "please order brackets " + "and more of them, " * 60
    prompts = [
        labelled(f"{text} ({n})", route) for n in range(6) for text, route in ((ZEBRA[0], "zebra"), (long, "heron"))
    ]
    prompts += [labelled(f"{HERON[1]} {n}", "heron") for n in range(20)]
    outcome, _ = learned(classifier, prompts, per_route=3)
    assert 32 == outcome.after.strict.number
    assert max(len(each) for route in outcome.examples.values() for each in route) <= 403
