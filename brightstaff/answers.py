"""Answers that need no channel: lists of models, health, errors of the surface. Pure."""

import re
from collections.abc import Mapping
from typing import assert_never

import msgspec

from brightstaff.catalog import Catalog
from brightstaff.commands import Reply
from brightstaff.errors import APIError
from brightstaff.gateway import Gateway
from brightstaff.origins import preflight_headers
from brightstaff.routing import Routed
from brightstaff.surface import (
    GetModel,
    ListModels,
    MethodNotAllowed,
    ModelCall,
    NotFound,
    Preflight,
    Readiness,
    Root,
    known_paths,
)

#: So many names fit into an error message before it stops being one.
_LISTED_NAMES = 50


def json_reply(status: int, value: object, details: str = "plano") -> Reply:
    """A JSON answer."""
    return Reply(status, [("content-type", "application/json")], msgspec.json.encode(value), details)


def error_reply(error: APIError, request_id: str, suffix: str = "") -> Reply:
    """An error for a client of the endpoint `suffix`, with the id under which the log speaks of it."""
    headers = [("content-type", "application/json"), *error.headers]
    if request_id:
        headers.append(("x-plano-request-id", request_id))
    return Reply(error.status, headers, error.body(suffix), error.code)


def unknown_model(asked: str | None, catalog: Catalog) -> APIError:
    """404 with the models that there are."""
    names = catalog.names()
    listed = ", ".join(names[:_LISTED_NAMES]) + (
        f" and {len(names) - _LISTED_NAMES} more" if len(names) > _LISTED_NAMES else ""
    )
    what = "The request names no model" if asked is None else f"The model `{asked[:200]}` is not configured"
    return APIError(
        404,
        "model_not_found",
        f"{what}, and no channel is marked `default: true`. Configured models: {listed}.",
        "model",
    )


def foreign_origin(origin: str) -> APIError:
    """403 for a page of another site."""
    return APIError(
        403,
        "origin_not_allowed",
        f"Pages of {origin[:200]} may not use this gateway. To allow them, add the origin to overrides.allowed_origins "
        "in config.yaml.",
    )


def answer_locally(
    endpoint: ListModels | GetModel | Readiness | Root | NotFound | MethodNotAllowed | Preflight, gateway: Gateway
) -> Reply:
    """The answer to everything that is not a model call."""
    catalog = gateway.catalog
    match endpoint:
        case ListModels():
            return json_reply(200, {"object": "list", "data": [_model(name, catalog) for name in catalog.names()]})
        case GetModel(id_):
            if catalog.owner(id_) is None:
                return error_reply(_no_such_model(id_, catalog), "")
            return json_reply(200, _model(id_, catalog))
        case Readiness():
            return json_reply(200, {"status": "ready", "channels": len(catalog.channels)})
        case Root():
            return json_reply(
                200, {"service": "plano", "openai_base_url": "/v1", "models": "/v1/models", "health": "/healthz"}
            )
        case Preflight(allowed):
            return Reply(204, preflight_headers(allowed), b"", "preflight")
        case MethodNotAllowed(method, allowed):
            message = f"This path does not take {method}; it takes {' and '.join(allowed)}."
            return error_reply(
                APIError(405, "method_not_allowed", message, headers=(("allow", ", ".join(allowed)),)), ""
            )
        case NotFound(path):
            message = f"There is nothing at {path[:200]}. Paths: {', '.join(known_paths())} (also without /v1)."
            return error_reply(APIError(404, "unknown_path", message), "")
        case _:
            assert_never(endpoint)


#: https://www.w3.org/TR/trace-context/#traceparent-header
_TRACE_ID = re.compile(r"\A[0-9a-f]{2}-([0-9a-f]{32})-")


def decision_reply(routed: Routed | None, asked: str | None, fields: Mapping[str, str], request_id: str) -> Reply:
    """The answer of the routing service: upstream's fields, and how sure the router is."""
    trace = _TRACE_ID.match(fields.get("traceparent", ""))
    answer: dict[str, object] = {
        "models": ["none"] if routed is None or not routed.models else list(routed.models),
        "route": None if routed is None else routed.route,
        "trace_id": request_id.replace("-", "") if trace is None else trace.group(1),
        "pinned": routed is not None and routed.pinned,
        "switched": routed is not None and routed.switched,
    }
    if routed is None:
        return json_reply(200, answer | {"why": "requests like this one are not routed", "requested_model": asked})
    if routed.session:
        answer["session_id"] = routed.session.partition(":")[2]
    answer |= {"confidence": routed.confidence, "why": routed.why}
    if routed.answer is not None:
        answer |= {"probabilities": dict(routed.answer.ranked) | {"none": routed.answer.none}}
        answer |= {"backend": routed.answer.backend}
    return json_reply(200, answer)


def _no_such_model(id_: str, catalog: Catalog) -> APIError:
    listed = ", ".join(catalog.names()[:_LISTED_NAMES])
    return APIError(
        404, "model_not_found", f"The model `{id_[:200]}` is not configured. Configured models: {listed}.", "model"
    )


def _model(name: str, catalog: Catalog) -> Mapping[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": catalog.owner(name)}


__all__ = ["ModelCall", "answer_locally", "error_reply", "json_reply", "unknown_model"]
