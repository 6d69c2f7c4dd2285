"""brightstaff.answers: what needs no channel."""

import json
from collections.abc import Callable

import pytest

from brightstaff.answers import answer_locally, error_reply, foreign_origin, json_reply, unknown_model
from brightstaff.commands import Reply
from brightstaff.errors import APIError
from brightstaff.gateway import Gateway
from brightstaff.settings import Channel
from brightstaff.surface import GetModel, ListModels, MethodNotAllowed, NotFound, Preflight, Readiness, Root


@pytest.fixture
def gateway(new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]) -> Gateway:
    """Two channels and an alias."""
    return new_gateway(new_channel("one/m"), new_channel("two/*"), aliases={"best": "one/m"})


def content(reply: Reply) -> dict[str, object]:
    """The JSON of a reply."""
    assert ("content-type", "application/json") in reply.headers
    decoded = json.loads(reply.body)
    assert isinstance(decoded, dict)
    return decoded


def test_models_are_listed_in_openais_form(gateway: Gateway) -> None:
    """Channels in their order, then aliases, each with its owner."""
    reply = answer_locally(ListModels(), gateway)
    data = [
        {"id": "one/m", "object": "model", "created": 0, "owned_by": "one"},
        {"id": "two/*", "object": "model", "created": 0, "owned_by": "two"},
        {"id": "best", "object": "model", "created": 0, "owned_by": "one"},
    ]
    assert (200, {"object": "list", "data": data}) == (reply.status, content(reply))


@pytest.mark.parametrize(("id_", "owner"), [("one/m", "one"), ("best", "one"), ("m", "one"), ("two/any", "two")])
def test_a_model_by_its_name(gateway: Gateway, id_: str, owner: str) -> None:
    """Every name under which a request would be served can be looked up."""
    reply = answer_locally(GetModel(id_), gateway)
    expected = {"id": id_, "object": "model", "created": 0, "owned_by": owner}
    assert (200, expected) == (reply.status, content(reply))


def test_a_model_that_is_not_configured(gateway: Gateway) -> None:
    """404 with the names that there are; a name of any length is cut."""
    reply = answer_locally(GetModel("x" * 500), gateway)
    error = json.loads(reply.body)["error"]
    assert (404, "model_not_found", "model") == (reply.status, error["code"], error["param"])
    assert f"The model `{'x' * 200}` is not configured. Configured models: one/m, two/*, best." == error["message"]


def test_readiness(gateway: Gateway) -> None:
    """That brightstaff answers at all is the message; with it comes the number of channels."""
    reply = answer_locally(Readiness(), gateway)
    assert (200, {"status": "ready", "channels": 2}) == (reply.status, content(reply))


def test_root_tells_where_things_are(gateway: Gateway) -> None:
    """An agent that asks for `/` gets JSON and 200."""
    reply = answer_locally(Root(), gateway)
    assert 200 == reply.status
    assert "/v1/models" == content(reply)["models"]


def test_preflight(gateway: Gateway) -> None:
    """A browser is told the methods."""
    reply = answer_locally(Preflight(("GET", "HEAD")), gateway)
    headers = dict(reply.headers)
    assert (204, b"") == (reply.status, reply.body)
    assert ("GET, HEAD, OPTIONS", "GET, HEAD, OPTIONS") == (headers["allow"], headers["access-control-allow-methods"])


def test_wrong_method(gateway: Gateway) -> None:
    """405 with the methods that are allowed, in the header (RFC 9110, 15.5.6) and in words."""
    reply = answer_locally(MethodNotAllowed("PUT", ("GET", "HEAD")), gateway)
    assert (405, "GET, HEAD") == (reply.status, dict(reply.headers)["allow"])
    assert "does not take PUT; it takes GET and HEAD." in json.loads(reply.body)["error"]["message"]


def test_a_page_of_another_site() -> None:
    """403 with the setting that would allow it; an origin of any length is cut."""
    error = foreign_origin("https://" + "x" * 500)
    assert (403, "origin_not_allowed", "permission_error") == (error.status, error.code, error.type)
    assert f"Pages of https://{'x' * 192} may not use this gateway." in error.message
    assert "overrides.allowed_origins" in error.message


def test_unknown_path(gateway: Gateway) -> None:
    """404 with the paths that there are; the unknown one is cut."""
    reply = answer_locally(NotFound("/" + "x" * 500), gateway)
    error = json.loads(reply.body)["error"]
    assert (404, "unknown_path") == (reply.status, error["code"])
    assert "/v1/chat/completions" in error["message"]
    assert "x" * 200 not in error["message"]


def test_an_error_carries_the_request_id() -> None:
    """The id under which the log speaks of the request, next to the headers of the error itself."""
    error = APIError(405, "method_not_allowed", "No.", headers=(("allow", "GET"),))
    expected = [("content-type", "application/json"), ("allow", "GET"), ("x-plano-request-id", "id-1")]
    assert (expected, "method_not_allowed") == (error_reply(error, "id-1").headers, error_reply(error, "id-1").details)
    assert expected[:2] == error_reply(error, "").headers


def test_json_reply() -> None:
    """Status, JSON and the word for Envoy's log."""
    assert Reply(200, [("content-type", "application/json")], b'{"a":1}', "word") == json_reply(200, {"a": 1}, "word")


@pytest.mark.parametrize(
    ("asked", "beginning"),
    [(None, "The request names no model, and"), ("x/y", "The model `x/y` is not configured, and")],
)
def test_unknown_model_lists_what_there_is(gateway: Gateway, asked: str | None, beginning: str) -> None:
    """What was asked for, why there is no other, and what would work."""
    error = unknown_model(asked, gateway.catalog)
    assert (404, "model_not_found", "model") == (error.status, error.code, error.param)
    assert error.message.startswith(beginning)
    assert error.message.endswith("Configured models: one/m, two/*, best.")


def test_a_long_list_is_cut(new_gateway: Callable[..., Gateway], new_channel: Callable[..., Channel]) -> None:
    """An error message stays one: fifty names, and how many more there are."""
    gateway = new_gateway(*(new_channel(f"one/m{number}") for number in range(53)))
    message = unknown_model(None, gateway.catalog).message
    assert "one/m49 and 3 more." in message
    assert "one/m50" not in message
