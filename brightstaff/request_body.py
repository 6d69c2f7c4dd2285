"""The client's request body: which model it names, and the same body for another model name. Pure."""

from dataclasses import dataclass

import msgspec

from brightstaff.errors import APIError
from brightstaff.json_body import BadJSONError, JSONBody
from brightstaff.multipart import BadMultipartError, model_span
from brightstaff.surface import BodyFormat, ModelCall


class BadRequestError(Exception):
    """The caller's mistake; `error` is what it gets to read."""

    def __init__(self, error: APIError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True)
class RequestBody:
    """A body that was understood as far as needed."""

    raw: bytes
    model: str | None
    """As the client wrote it; None when it names none."""
    json: JSONBody | None = None
    streams: bool = False
    """Whether a streamed answer was asked for."""
    routing_preferences: object = None
    """Routes that the client sent along; they are not in `raw`."""
    span: tuple[int, int] | None = None
    """Of the model's name in a multipart body."""

    def for_model(self, model: str) -> bytes:
        """The body with this model name; every other byte stays."""
        if model == self.model and self.span is not None:
            return self.raw
        if self.json is not None:
            return self.json.with_value("model", model)
        if self.span is None:
            return self.raw
        return self.raw[: self.span[0]] + model.encode() + self.raw[self.span[1] :]


def read_request_body(call: ModelCall, raw: bytes, content_type: str) -> RequestBody:
    """Understand a body. Raises BadRequestError."""
    if not raw.strip():
        raise BadRequestError(
            APIError(400, "missing_body", "The request has no body. Send a JSON object with `model` and the input.")
        )
    if call.format is BodyFormat.MULTIPART and "json" not in content_type.lower():
        return _read_multipart(raw, content_type)
    return _read_json(raw)


def _read_json(raw: bytes) -> RequestBody:
    try:
        body = JSONBody(raw)
        model = body.get("model")
    except BadJSONError as error:
        raise BadRequestError(APIError(400, "invalid_json", f"The request could not be read: {error}.")) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequestError(
            APIError(400, "invalid_json", f"The value of `model` could not be read: {error}.", "model")
        ) from None
    if model is not None and not isinstance(model, str):
        kind = {bool: "a boolean", int: "a number", float: "a number", list: "an array", dict: "an object"}.get(
            type(model), "something else"
        )
        message = f'`model` must be a string such as "prefix/model", not {kind}.'
        raise BadRequestError(APIError(400, "invalid_type", message, "model"))
    routes: object = None
    if "routing_preferences" in body:
        routes = _routes(body)
        body = JSONBody(body.without("routing_preferences"))
    return RequestBody(
        body.raw, (model or "").strip() or None, json=body, streams=_streams(body), routing_preferences=routes
    )


def _routes(body: JSONBody) -> object:
    try:
        return body.get("routing_preferences")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"The value of `routing_preferences` could not be read: {error}."
        raise BadRequestError(APIError(400, "invalid_json", message, "routing_preferences")) from None


def _streams(body: JSONBody) -> bool:
    try:
        return body.get("stream") is True
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False  # the provider will say what is wrong with it


def _read_multipart(raw: bytes, content_type: str) -> RequestBody:
    try:
        span = model_span(raw, content_type)
    except BadMultipartError as error:
        raise BadRequestError(APIError(400, "invalid_form", f"The request could not be read: {error}.")) from None
    if span is None:
        return RequestBody(raw, None)
    model = raw[span[0] : span[1]].decode("utf-8", "replace").strip()
    return RequestBody(raw, model or None, span=span)
