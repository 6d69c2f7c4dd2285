"""planoai.simulator.steering: requests that say themselves what happens to them."""

from random import Random

import pytest

from planoai.simulator.behaviour import Behaviour, ScriptError
from planoai.simulator.request_facts import read_request
from planoai.simulator.steering import Steering, rules_in_headers


def seeded() -> Random:
    return Random(1)  # noqa: S311 - meant to be repeated


def steer(steering: Steering, **headers: str) -> Behaviour | None:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    choice = steering.choose(read_request("POST", "/v1/chat/completions", named, b'{"model":"m"}'), seeded())
    return None if choice is None else choice.behaviour


def test_without_headers() -> None:
    """A request that asks for nothing is left to the rules."""
    assert steer(Steering(), authorization="Bearer x") is None


def test_short_forms() -> None:
    """Each field of a behaviour has its header; values are JSON where they are JSON."""
    behaviour = steer(
        Steering(),
        x_sim_status="503",
        X_SIM_HEADERS='{"retry-after": 1}',
        x_sim_body="plain words",
        x_sim_close="true",
        x_sim_content="1",
    )
    assert Behaviour(status=503, headers={"retry-after": 1}, body="plain words", close=True, content="1") == behaviour


def test_behaviour_with_short_forms() -> None:
    """Single headers add to the JSON."""
    got = steer(Steering(), x_sim_behaviour='{"status": 429}', x_sim_close="true")
    assert Behaviour(status=429, close=True) == got


def test_list_is_used_up_by_equal_headers() -> None:
    """A request that is sent again gets the next behaviour; another id counts for itself."""
    steering = Steering()
    script = '[429, {"status": 503}, {}]'
    got = [steer(steering, x_sim_behaviour=script, x_sim_id="1") for _ in range(4)]
    assert [429, 503, 200, 200] == [each.status for each in got if each is not None]
    assert Behaviour(status=429) == steer(steering, x_sim_behaviour=script, x_sim_id="2")
    steering.forget()
    assert Behaviour(status=429) == steer(steering, x_sim_behaviour=script, x_sim_id="1")


def test_script_goes_first_and_may_match_nothing() -> None:
    """Rules in the request are asked before its own behaviour; without a match nothing is decided."""
    script = '[{"match": {"model": "m"}, "behaviours": [{"status": 418, "times": 1}]}]'
    steering = Steering()
    got = [steer(steering, x_sim_script=script, x_sim_behaviour="500") for _ in range(2)]
    assert [418, 500] == [each.status for each in got if each is not None]
    assert steer(steering, x_sim_script='[{"match": {"model": "other"}}]') is None


def test_words_beyond_ascii() -> None:
    """UTF-8 in a header, read as latin-1 by HTTP libraries, is what was written."""
    assert Behaviour(content="模型") == steer(Steering(), x_sim_content="模型".encode().decode("latin-1"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("x-sim-statu", "1", "header x-sim-statu: unknown field `statu`; did you mean `status`?"),
        ("x-sim-status", "abc", "header x-sim-status: expected int, got str"),
        ("x-sim-behaviour", "{", "header x-sim-behaviour: this is no JSON"),
        ("x-sim-behaviour", '{"x": 1}', "header x-sim-behaviour: x: unknown field `x`"),
        ("x-sim-behaviour", "[]", "header x-sim-behaviour: the list is empty"),
        ("x-sim-script", '[{"behaviours": [1]}]', "header x-sim-script: [0].behaviours[0].status: expected int >= 200"),
    ],
)
def test_mistakes_name_the_header(name: str, value: str, message: str) -> None:
    """Who steers wrongly is told which header is wrong."""
    with pytest.raises(ScriptError) as caught:
        rules_in_headers({name: value})
    assert message in str(caught.value)


def test_short_forms_need_objects_to_add_to() -> None:
    """A bare status has no room for further fields."""
    with pytest.raises(ScriptError, match="it is an object, not a number"):
        rules_in_headers({"x-sim-behaviour": "429", "x-sim-close": "true"})


def test_counts_are_bounded() -> None:
    """Of very many scripts the oldest is forgotten."""
    steering = Steering(most_scripts=3)
    for number in range(4):
        steer(steering, x_sim_behaviour="[429, {}]", x_sim_id=str(number))
    assert Behaviour(status=429) == steer(steering, x_sim_behaviour="[429, {}]", x_sim_id="0")
    assert Behaviour() == steer(steering, x_sim_behaviour="[429, {}]", x_sim_id="3")
