"""bench.scenarios: what is sent, what is answered, and how a bad answer shows."""

import json

import pytest

from bench.http_messages import Message, MessageReader
from bench.scenarios import (
    CHUNKS_IN_A_STREAM,
    MODEL,
    SCENARIOS,
    Scenario,
    cells,
    fault_in,
    json_answer,
    request,
    request_body,
    scenario_named,
    stream_answer,
    wanted,
)

JSON, STREAM = scenario_named("json-1k"), scenario_named("stream")
WHOLE_STREAM = b"".join(stream_answer())


def answer(data: bytes) -> Message:
    """The one answer in these bytes."""
    (message,) = MessageReader().feed(data)
    return message


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_a_request_is_what_its_scenario_says(scenario: Scenario) -> None:
    """JSON of the right size for the right model, streamed or not, and the upstream finds the answer it wants."""
    body = request_body(scenario)
    document = json.loads(body)
    assert (scenario.request_bytes, MODEL) == (len(body), document["model"])
    assert scenario.is_stream == document.get("stream", False)
    assert scenario.kind == wanted(body)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_a_gateway_may_write_the_request_anew(scenario: Scenario) -> None:
    """The wanted answer is found after the body was parsed and serialised with other spaces and escapes."""
    assert scenario.kind == wanted(json.dumps(json.loads(request_body(scenario)), indent=1).encode())


def test_a_request_is_complete() -> None:
    """The announced length is the body's."""
    message = answer(request(JSON, "127.0.0.1:1"))
    assert request_body(JSON) == message.body


def test_a_probe_gets_the_short_answer() -> None:
    """What asks for nothing in particular gets JSON."""
    assert "json" == wanted(b"")


def test_good_answers_have_no_fault() -> None:
    """What the upstream sends is what the clients expect; a gateway may space its JSON differently."""
    assert ["", "", ""] == [
        fault_in(answer(json_answer()), JSON),
        fault_in(answer(WHOLE_STREAM), STREAM),
        fault_in(Message(b"http/1.1 200 ok", answer(WHOLE_STREAM).body.replace(b'"content":', b'"content": ')), STREAM),
    ]


def test_no_two_chunks_are_the_same() -> None:
    """Some gateways take repeated chunks for a model that has gone astray, and end the stream."""
    assert CHUNKS_IN_A_STREAM + 1 == len(set(stream_answer()))


@pytest.mark.parametrize(
    ("message", "scenario", "fault"),
    [
        (Message(b"http/1.1 503 x", b"down"), JSON, "status 503"),
        (Message(b"http/1.1 200 ok", b"{}"), JSON, "not a chat completion"),
        (Message(b"http/1.1 200 ok", answer(json_answer()).body[:-1]), JSON, "not a chat completion"),
        (Message(b"http/1.1 200 ok", answer(WHOLE_STREAM).body.replace(b"tok050", b"")), STREAM, "99 chunks"),
        (Message(b"http/1.1 200 ok", answer(WHOLE_STREAM).body[:-8]), STREAM, "without its end"),
    ],
    ids=["status", "other JSON", "cut JSON", "a chunk less", "cut stream"],
)
def test_every_fault_is_found(message: Message, scenario: Scenario, fault: str) -> None:
    """An answer that is not whole and good is never counted as one."""
    assert fault in fault_in(message, scenario)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (("json-1k@16",), ["json-1k@16"]),
        (("stream",), ["stream@1", "stream@16", "stream@64"]),
        (("json-1m@1", "json-1k@64"), ["json-1k@64", "json-1m@1"]),
        (("@1",), [f"{each.name}@1" for each in SCENARIOS]),
    ],
)
def test_only(only: tuple[str, ...], expected: list[str]) -> None:
    """Cells are chosen by scenario, by connections or by both, and always run in the same order."""
    assert expected == [each.name for each in cells(only)]


def test_without_only_everything_is_measured() -> None:
    """All scenarios at all numbers of connections."""
    assert len(SCENARIOS) * 3 == len(cells())


def test_a_mistyped_scenario() -> None:
    """The message names what there is."""
    with pytest.raises(ValueError, match="no scenario 'jsn'; there are json-1k, "):
        cells(("jsn",))
