"""brightstaff.routing: what becomes of a request by intent."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from brightstaff.request_body import BadRequestError, read_request_body
from brightstaff.routing import (
    Pin,
    Routed,
    Undecided,
    decide,
    housekeeping,
    plan,
    stay,
    without_answer,
)
from brightstaff.settings import RouteSettings, RoutingSettings
from brightstaff.surface import ModelCall
from plano_router.answer import Answer
from plano_router.reading import Kind, read_text

CODE = RouteSettings("code", "writing code", ("a/strong", "b/other"))
CHAT = RouteSettings("chat", "small talk", ("a/weak",))
DOCS = RouteSettings("docs", "documentation", ("a/middle",))
SETTINGS = RoutingSettings(
    routes=(CODE, CHAT, DOCS),
    socket="/s",
    strengths={"a/strong": 3.0, "b/other": 3.0, "a/weak": 1.0, "a/middle": 2.0},
)
CHAT_CALL = ModelCall("/chat/completions", "")


def planned(
    settings: RoutingSettings | None = SETTINGS, call: ModelCall = CHAT_CALL, model: str = "x/y", **more: Any
) -> Undecided | Routed | None:
    """What is planned for a chat that says `hello there`."""
    fields = {name.replace("_", "-"): more.pop(name) for name in list(more) if name.startswith(("x_", "session"))}
    body = {"model": model, "messages": [{"role": "user", "content": "hello there"}], **more}
    return plan(settings, call, read_request_body(call, json.dumps(body).encode(), "application/json"), fields)


def question(**more: Any) -> Undecided:
    """A question about `hello there`."""
    return Undecided(read_text("hello there"), SETTINGS.routes, "x/y", "k:1", **more)


def answer(none: float = 0.0, **probabilities: float) -> Answer:
    """What a router says; routes that are not named get nothing."""
    return Answer({each.name: probabilities.get(each.name, 0.0) for each in SETTINGS.routes}, none, "builtin")


def decided(said: Answer, pin: Pin | None = None, **settings: Any) -> Routed:
    """The decision about `hello there`."""
    return decide(msgspec.structs.replace(SETTINGS, **settings), question(), said, pin, 1.5)


def test_whatever_model_is_named_the_router_is_asked() -> None:
    """With routes, every conversation is for the router."""
    found = planned()
    assert isinstance(found, Undecided)
    assert ("hello there", "x/y", SETTINGS.routes) == (found.reading.text, found.asked, found.routes)


@pytest.mark.parametrize(
    "arguments",
    [
        {"settings": None},
        {"settings": msgspec.structs.replace(SETTINGS, socket="")},
        {"settings": msgspec.structs.replace(SETTINGS, apply_to="auto")},
        {"call": ModelCall("/embeddings", "")},
        {"call": ModelCall("/messages/count_tokens", "")},
        {"x_plano_route": "off"},
    ],
)
def test_what_is_not_routed(arguments: dict[str, Any]) -> None:
    """No routes, no router, only `auto`, no conversation, or the caller does not want it."""
    assert planned(**arguments) is None


@pytest.mark.parametrize("model", ["auto", "plano/auto"])
def test_apply_to_auto_routes_the_model_auto(model: str) -> None:
    """Both spellings."""
    assert isinstance(planned(msgspec.structs.replace(SETTINGS, apply_to="auto"), model=model), Undecided)


def test_the_caller_names_the_route() -> None:
    """Whatever the case; nobody is asked."""
    assert Routed("docs", ("a/middle",), 1.0, "the caller named the route") == planned(x_plano_route="Docs")


def test_an_unknown_route_is_the_callers_mistake() -> None:
    """The message lists the routes that there are."""
    with pytest.raises(BadRequestError, match="code, chat, docs"):
        planned(x_plano_route="poems")


def test_routes_in_the_body_replace_the_configured_ones() -> None:
    """Also where requests are routed only for `auto`."""
    routes = [{"name": "poems", "description": "poems", "models": ["a/weak"]}]
    found = planned(msgspec.structs.replace(SETTINGS, apply_to="auto"), routing_preferences=routes)
    assert isinstance(found, Undecided)
    assert (True, ["poems"]) == (found.own_routes, [each.name for each in found.routes])


@pytest.mark.parametrize(
    "routes", ["x", [], [{"name": "a"}], [{"name": "", "models": ["m"]}], [{"name": "a", "models": []}], [1]]
)
def test_bad_routes_in_the_body(routes: object) -> None:
    """Each is refused with the field's name."""
    with pytest.raises(BadRequestError, match="routing_preferences"):
        planned(routing_preferences=routes)


@pytest.mark.parametrize(
    ("headers", "session"),
    [
        ({"x_model_affinity": "m", "session_id": "s"}, "x-model-affinity:m"),
        ({"x_claude_code_session_id": "c"}, "x-claude-code-session-id:c"),
        ({"session_id": "s"}, "session-id:s"),
    ],
)
def test_the_key_of_a_conversation(headers: dict[str, str], session: str) -> None:
    """Headers of agents, the affinity before the others."""
    found = planned(**headers)
    assert isinstance(found, Undecided)
    assert session == found.session


def test_tenants_share_no_conversation() -> None:
    """Where a header tells them apart, it is a part of the key; who sends none is a tenant, too."""
    settings = msgspec.structs.replace(SETTINGS, tenant_header="x-tenant")
    found = [
        planned(settings, session_id="s", x_tenant="one"),
        planned(settings, session_id="s", x_tenant="two"),
        planned(settings, session_id="s"),
        planned(settings, x_tenant="one"),
        planned(settings),
    ]
    keys = [each.session for each in found if isinstance(each, Undecided)]
    assert 5 == len(set(keys))
    assert "session-id:s" == keys[2]


def test_without_headers_the_beginning_tells_the_conversation() -> None:
    """The same beginning, the same key."""
    first, second = planned(), planned(model="other")
    assert isinstance(first, Undecided)
    assert isinstance(second, Undecided)
    assert first.session == second.session
    assert first.session.startswith("implicit:")


def test_nothing_to_read() -> None:
    """No user said anything: no route, and nobody is asked."""
    found = planned(messages=[])
    assert isinstance(found, Routed)
    assert found.route is None


def test_speed_of_routes_in_the_body() -> None:
    """As upstream spells it; null does no harm."""
    for prefer, fastest in (("fastest", True), ("none", False), (None, False)):
        routes = [{"name": "p", "models": ["a/weak"], "selection_policy": {"prefer": prefer}}]
        found = planned(routing_preferences=routes)
        assert isinstance(found, Undecided)
        assert fastest == found.routes[0].fastest
    named = planned(routing_preferences=[{**routes[0], "selection_policy": {"prefer": "fastest"}}], x_plano_route="p")
    assert isinstance(named, Routed)
    assert named.fastest


# -------------------------------------------------------------------- decisions


def test_the_best_route_wins() -> None:
    """Its models in their order, and how sure the router is."""
    found = decided(answer(code=0.7, docs=0.2, none=0.1))
    assert ("code", ("a/strong", "b/other"), 0.7, False) == (found.route, found.models, found.confidence, found.pinned)


@pytest.mark.parametrize("said", [answer(none=0.6, code=0.4), answer(none=0.1, code=0.15, docs=0.15)])
def test_nothing_fits(said: Answer) -> None:
    """None is more probable than any route, or nothing is sure enough."""
    found = decided(said)
    assert (None, ()) == (found.route, found.models)
    assert "no route fits" in found.why


def test_a_weaker_model_needs_more_certainty() -> None:
    """Small talk at 0.5 with code at 0.45 is not sure enough for the weak model; the other way round it is."""
    assert "code" == decided(answer(chat=0.5, code=0.45)).route
    assert "chat" == decided(answer(chat=0.7, code=0.25)).route
    assert "code" == decided(answer(code=0.5, chat=0.45)).route


def test_a_conversation_stays_unless_another_route_is_clearly_surer() -> None:
    """The margin; half of it towards a stronger model."""
    on_code, on_chat = Pin("code", "a/strong"), Pin("chat", "a/weak")
    stays, goes = decided(answer(docs=0.5, code=0.4), on_code), decided(answer(docs=0.8, code=0.1), on_code)
    assert [("code", False), ("docs", True)] == [(each.route, each.switched) for each in (stays, goes)]
    assert "code" == decided(answer(code=0.5, chat=0.35), on_chat).route
    assert "chat" == decided(answer(code=0.45, chat=0.4), on_chat).route
    assert "docs" == decided(answer(docs=0.5, code=0.25), on_code, switch_margin=0.0).route


def test_speed_counts_where_no_conversation_is_held() -> None:
    """A conversation that has a model of the route keeps it."""
    quick = msgspec.structs.replace(CODE, fastest=True)
    asked = replace(question(), routes=(quick, CHAT, DOCS))
    said = answer(code=0.9)
    pins = (None, Pin("code", "b/other"), Pin("code", "gone/model"), Pin("chat", "a/weak"))
    found = [decide(SETTINGS, asked, said, pin, 1.0) for pin in pins]
    assert [True, False, True, True] == [each.fastest for each in found]
    assert not decided(said).fastest
    assert housekeeping(SETTINGS, replace(asked, routes=(quick,))).fastest


def test_a_conversation_without_a_route_can_get_one() -> None:
    """And one whose route is gone gets another at once."""
    assert "code" == decided(answer(code=0.9, none=0.1), Pin(None, "a/middle")).route
    assert "docs" == decided(answer(docs=0.5, chat=0.45), Pin("gone", "a/strong")).route


def test_the_channel_that_answered_last_comes_first() -> None:
    """Failover has moved the conversation, and its prompt cache, there."""
    found = decided(answer(code=0.9), Pin("code", "b/other"))
    assert ("b/other", "a/strong") == found.models


def test_housekeeping_goes_to_the_cheapest_route() -> None:
    """By price, where there is one; else by strength. The conversation is not moved."""
    found = housekeeping(SETTINGS, question())
    assert ("chat", "") == (found.route, found.session)
    priced = msgspec.structs.replace(SETTINGS, costs={"a/strong": 3.0, "a/weak": 5.0, "a/middle": 0.5})
    assert "docs" == housekeeping(priced, question()).route


def test_a_tool_loop_goes_on_where_it_began() -> None:
    """Also after failover, and where no route fitted."""
    assert ("b/other", "a/strong") == stay(question(), Pin("code", "b/other")).models
    without_route = stay(question(), Pin(None, "a/weak"))
    assert (None, ()) == (without_route.route, without_route.models)


def test_without_an_answer() -> None:
    """A conversation stays where it is; a new one gets no route."""
    kept = without_answer(question(), Pin("code", "a/strong"), "because", 3.0)
    new = without_answer(question(), None, "because", 3.0)
    assert [("code", "because", True), (None, "because", False)] == [(r.route, r.why, r.pinned) for r in (kept, new)]


def test_kinds_are_told_apart() -> None:
    """What the caller of `plan` decides by."""
    found = planned(messages=[{"role": "user", "content": "x"}, {"role": "tool", "content": "y", "tool_call_id": "1"}])
    assert isinstance(found, Undecided)
    assert Kind.TOOL_LOOP is found.reading.kind
