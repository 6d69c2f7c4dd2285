"""Between Envoy's ext_proc messages and plain data."""

from collections.abc import Iterable
from typing import assert_never

from brightstaff.commands import Command, ForwardBody, ForwardHeaders, ForwardRequest, ForwardTrailers, Reply
from brightstaff.headers import Header
from brightstaff.pb.ext_proc_pb2 import (
    BodyMutation,
    BodyResponse,
    CommonResponse,
    HeaderMap,
    HeaderMutation,
    HeadersResponse,
    HeaderValue,
    HeaderValueOption,
    HttpStatus,
    ImmediateResponse,
    ProcessingResponse,
    StreamedBodyResponse,
    TrailersResponse,
)

#: One message to Envoy carries at most this many bytes of body: small enough to flow while the next is being written.
_CHUNK_BYTES = 256 * 1024


def headers_of(message: HeaderMap) -> list[Header]:
    """The headers as text, names in lower case.

    HTTP's obsolete Latin-1 values survive the round trip (RFC 9110, 5.5).
    """
    return [(h.key, h.raw_value.decode("latin-1") if h.raw_value else h.value) for h in message.headers]


def _mutation(set_headers: Iterable[Header], remove_headers: Iterable[str]) -> HeaderMutation:
    return HeaderMutation(
        set_headers=[
            HeaderValueOption(
                header=HeaderValue(key=name, raw_value=value.encode("latin-1", "replace")),
                append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
            )
            for name, value in set_headers
        ],
        remove_headers=remove_headers,
    )


def _body(data: bytes, end_of_stream: bool) -> BodyResponse:
    streamed = StreamedBodyResponse(body=data, end_of_stream=end_of_stream)
    return BodyResponse(response=CommonResponse(body_mutation=BodyMutation(streamed_response=streamed)))


def response_chunk(data: bytes, end_of_stream: bool) -> ProcessingResponse:
    """One chunk of a response body, passed on as it is."""
    return ProcessingResponse(response_body=_body(data, end_of_stream))


def encode(command: Command) -> list[ProcessingResponse]:
    """The messages that carry out a command."""
    match command:
        case ForwardRequest(set_headers, remove_headers, body, trailers):
            changed = CommonResponse(header_mutation=_mutation(set_headers, remove_headers), clear_route_cache=True)
            messages = [ProcessingResponse(request_headers=HeadersResponse(response=changed))]
            for start in range(0, max(len(body), 1), _CHUNK_BYTES):
                last = start + _CHUNK_BYTES >= len(body)
                chunk = body if last and start == 0 else body[start : start + _CHUNK_BYTES]
                messages.append(ProcessingResponse(request_body=_body(chunk, last and not trailers)))
            if trailers:
                messages.append(ProcessingResponse(request_trailers=TrailersResponse()))
            return messages
        case ForwardHeaders(set_headers, remove_headers):
            changed = CommonResponse(header_mutation=_mutation(set_headers, remove_headers))
            return [ProcessingResponse(response_headers=HeadersResponse(response=changed))]
        case ForwardBody(data, end_of_stream):
            return [response_chunk(data, end_of_stream)]
        case ForwardTrailers():
            return [ProcessingResponse(response_trailers=TrailersResponse())]
        case Reply(status, headers, body, details):
            immediate = ImmediateResponse(
                status=HttpStatus(code=status), headers=_mutation(headers, ()), body=body, details=details
            )
            return [ProcessingResponse(immediate_response=immediate)]
        case _:
            assert_never(command)
