"""Parts of brightstaff's hot path alone, each against the obvious other way of doing it: no processes, no sockets.

- Messages from and to Envoy, against the classes of envoy-data-plane.
- Replacing the model's name in a body, against parsing the body and writing it again.
"""

import json
import timeit
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.table import Table

from brightstaff.codec import encode, headers_of
from brightstaff.commands import Command, ForwardBody, ForwardHeaders, ForwardRequest
from brightstaff.json_body import JSONBody
from brightstaff.pb import ext_proc_pb2 as ours

from .scenarios import SCENARIOS, request, request_body
from .stats import Spread, ratios, spread

with warnings.catch_warnings():
    # Its classes are generated for an older pydantic, which says so while they are imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    from envoy_data_plane.envoy.config.core.v3 import (
        HeaderMap,
        HeaderValue,
        HeaderValueOption,
        HeaderValueOptionHeaderAppendAction,
    )
    from envoy_data_plane.envoy.service.ext_proc.v3 import (
        BodyMutation,
        BodyResponse,
        CommonResponse,
        HeaderMutation,
        HeadersResponse,
        HttpBody,
        HttpHeaders,
        ProcessingRequest,
        ProcessingResponse,
        StreamedBodyResponse,
    )

_ROUNDS = 7
_ROUND_S = 0.05

_CHUNK = b'data: {"id":"chatcmpl-bench","choices":[{"index":0,"delta":{"content":"tok000 "}}]}\n\n'
_SET = [("x-plano-channel", "bench/model"), (":authority", "127.0.0.1"), ("authorization", "Bearer " + "k" * 40)]
_REMOVED = ["x-forwarded-for", "x-envoy-attempt-count"]


@dataclass(frozen=True)
class Case:
    """One piece of work, done our way and the other way."""

    title: str
    ours: Callable[[], object]
    other: Callable[[], object]
    against: str


def show_micro(console: Console) -> None:
    """Measure and print all cases."""
    table = Table(title="Parts of brightstaff alone (microseconds; medians)", title_justify="left")
    for name in ("work", "against"):
        table.add_column(name)
    for name in ("ours", "the other", "times as fast"):
        table.add_column(name, justify="right")
    with console.status("measuring …"):
        for case in _cases():
            ours_us, other_us, faster = compare_case(case)
            times = f"{faster.median:.1f} ({faster.low:.1f}-{faster.high:.1f})"
            table.add_row(case.title, case.against, f"{ours_us.median:.1f}", f"{other_us.median:.1f}", times)
    console.print(table)


def compare_case(case: Case) -> tuple[Spread, Spread, Spread]:
    """Microseconds of both, and how many times as fast ours is, over alternating rounds."""
    ours_us: list[float] = []
    other_us: list[float] = []
    loops = {work: _loops(work) for work in (case.ours, case.other)}
    for _ in range(_ROUNDS):
        ours_us.append(_once_us(case.ours, loops[case.ours]))
        other_us.append(_once_us(case.other, loops[case.other]))
    found = spread(ours_us), spread(other_us), spread(ratios(other_us, ours_us))
    assert found[0] is not None
    assert found[1] is not None
    assert found[2] is not None
    return found[0], found[1], found[2]


def _loops(work: Callable[[], object]) -> int:
    """How often it fits into one round."""
    loops, seconds = timeit.Timer(work).autorange()
    return max(1, round(loops * _ROUND_S / seconds))


def _once_us(work: Callable[[], object], loops: int) -> float:
    return timeit.timeit(work, number=loops) / loops * 1e6


def _cases() -> Iterator[Case]:
    yield _decode("decode a request's headers", _headers_message())
    yield _decode("decode a chunk of a body", ours.ProcessingRequest(response_body=ours.HttpBody(body=_CHUNK)))
    yield _encode("encode a chunk of a body", ForwardBody(_CHUNK, False), _chunk_message)
    yield _encode("encode the answer's headers", ForwardHeaders(_SET, _REMOVED), _headers_answer)
    body = request_body(SCENARIOS[0])
    yield _encode("encode a request of 1 KB", ForwardRequest(_SET, _REMOVED, body, False), _request_answer)
    for scenario in SCENARIOS[:3]:
        raw = request_body(scenario)
        yield Case(
            f"replace the model in {len(raw) // 1000:,} KB",
            partial(_with_model, raw),
            partial(_parsed_and_written, raw),
            "json.loads + json.dumps",
        )


def _headers_message() -> ours.ProcessingRequest:
    lines = request(SCENARIOS[0], "127.0.0.1:12000").split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    pairs = [line.split(b": ", 1) for line in lines]
    pseudo = [(b":method", b"POST"), (b":path", b"/v1/chat/completions"), (b":scheme", b"http")]
    headers = [ours.HeaderValue(key=key.decode(), raw_value=value) for key, value in (*pseudo, *pairs)]
    return ours.ProcessingRequest(request_headers=ours.HttpHeaders(headers=ours.HeaderMap(headers=headers)))


def _decode(title: str, message: ours.ProcessingRequest) -> Case:
    wire = message.SerializeToString()

    def our_way() -> object:
        read = ours.ProcessingRequest.FromString(wire)
        if read.WhichOneof("request") == "request_headers":
            return headers_of(read.request_headers.headers)
        return read.response_body.body

    def other_way() -> object:
        read = ProcessingRequest.parse(wire)
        match read:
            case ProcessingRequest(request_headers=HttpHeaders(headers=HeaderMap(headers=headers))):
                return [(each.key, each.raw_value.decode("latin-1")) for each in headers]
            case ProcessingRequest(response_body=HttpBody(body=data)):
                return data
            case _:
                raise AssertionError("only these are decoded here")

    return Case(title, our_way, other_way, "envoy-data-plane")


def _encode(title: str, command: Command, other_way: Callable[[], list[ProcessingResponse]]) -> Case:
    return Case(
        title,
        lambda: [message.SerializeToString() for message in encode(command)],
        lambda: [bytes(message) for message in other_way()],
        "envoy-data-plane",
    )


def _mutation() -> HeaderMutation:
    overwrite = HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
    options = [
        HeaderValueOption(header=HeaderValue(key=name, raw_value=value.encode("latin-1")), append_action=overwrite)
        for name, value in _SET
    ]
    return HeaderMutation(set_headers=options, remove_headers=_REMOVED)


def _body(data: bytes, *, end_of_stream: bool) -> BodyResponse:
    streamed = StreamedBodyResponse(body=data, end_of_stream=end_of_stream)
    return BodyResponse(response=CommonResponse(body_mutation=BodyMutation(streamed_response=streamed)))


def _chunk_message() -> list[ProcessingResponse]:
    return [ProcessingResponse(response_body=_body(_CHUNK, end_of_stream=False))]


def _headers_answer() -> list[ProcessingResponse]:
    changed = CommonResponse(header_mutation=_mutation())
    return [ProcessingResponse(response_headers=HeadersResponse(response=changed))]


def _request_answer() -> list[ProcessingResponse]:
    changed = CommonResponse(header_mutation=_mutation(), clear_route_cache=True)
    body = request_body(SCENARIOS[0])
    return [
        ProcessingResponse(request_headers=HeadersResponse(response=changed)),
        ProcessingResponse(request_body=_body(body, end_of_stream=True)),
    ]


def _with_model(raw: bytes) -> bytes:
    body = JSONBody(raw)
    body.get("model")
    return body.with_value("model", "model")


def _parsed_and_written(raw: bytes) -> bytes:
    body = json.loads(raw)
    body["model"] = "model"
    return json.dumps(body).encode()
