"""Sends the requests: each channel of a running gateway through each kind of failure, as JSON and as a stream."""

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from brightstaff.ledger import forget_conditions
from planoai.chaos.disguise import asked_model, channel_path
from planoai.chaos.kinds import ALL_DOWN, KINDS, Kind
from planoai.chaos.verdicts import Seen, Verdict, judge
from planoai.config import ModelProvider
from planoai.home import PlanoHome
from planoai.simulator import Match, Rule, ThreadedSimulator

#: Longer than any time-out of the disguised configuration with all its attempts.
_PATIENCE_S = 20.0


class GatewayStoppedError(Exception):
    """The gateway was told to stop: what clients see from then on says nothing about channels."""


@dataclass(frozen=True)
class Case:
    """One channel that fails in one way."""

    channel: int
    """Its place in the configuration."""
    provider: ModelProvider
    kind: Kind


@dataclass(frozen=True)
class Result:
    """What clients saw."""

    case: Case
    json: Verdict | None
    """None where the kind makes sense for streams only."""
    stream: Verdict
    json_seen: Seen | None
    stream_seen: Seen


def cases(providers: Sequence[ModelProvider], channels: Sequence[str], kinds: Sequence[Kind]) -> list[Case]:
    """What is to be tried, channel by channel; `channels` and `kinds` limit it, empty ones do not."""
    return [
        Case(number, provider, kind)
        for number, provider in enumerate(providers)
        if not channels or provider.model in channels or provider.name in channels
        for kind in (kinds or (*KINDS, ALL_DOWN))
        if not (kind.needs_first_token and provider.timeouts.first_token is None)
    ]


def run_cases(
    wanted: Sequence[Case],
    provider: ThreadedSimulator,
    port: int,
    home: PlanoHome,
    progress: Callable[[int, Case], None],
    is_stopping: Callable[[], bool],
) -> Iterator[Result]:
    """Try them one after the other. What the gateway remembers of one case never reaches the next.

    Raises GatewayStoppedError once `is_stopping`.
    """
    for number, case in enumerate(wanted):
        progress(number, case)
        match = Match() if case.kind is ALL_DOWN else Match(path=f"*{channel_path(case.channel)}/*")
        seen: dict[bool, Seen] = {}
        for stream in (False, True):
            if case.kind.stream_only and not stream:
                continue
            provider.set_rules([Rule(match, [case.kind.behaviour])])
            forget_conditions(home.ledger, None)
            seen[stream] = _ask(port, asked_model(case.provider), stream=stream)
            if is_stopping():
                raise GatewayStoppedError
        provider.set_rules([])
        json_seen = seen.get(False)
        yield Result(
            case,
            None if json_seen is None else judge(json_seen, case.kind, stream=False),
            judge(seen[True], case.kind, stream=True),
            json_seen,
            seen[True],
        )


def _ask(port: int, model: str, *, stream: bool) -> Seen:
    """One chat completion, and everything that a client learns of it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": "Are you there?"}]}
    if stream:
        body["stream"] = True
    # To the channel that is named, whatever the routes say.
    headers = {"Content-Type": "application/json", "Authorization": "Bearer chaos", "x-plano-route": "off"}
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return Seen(0, timed_out=isinstance(error, TimeoutError))
    received = bytearray()
    cut = timed_out = False
    try:
        while part := answer.read1(65536):
            received += part
    except TimeoutError:
        timed_out = True
    except (OSError, http.client.HTTPException):
        cut = True
    finally:
        connection.close()
    return Seen(
        answer.status,
        received.decode("utf-8", "replace"),
        answer.headers.get("x-plano-model", ""),
        answer.headers.get("x-plano-attempts", ""),
        answer.headers.get("retry-after"),
        cut,
        timed_out,
    )
