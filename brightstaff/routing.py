"""By intent: whether a request is routed, and to which models, given what the router says. Pure.

plan ──► Undecided ──router──► decide ──► Routed
  ├────► Routed   (the caller named the route, or nothing is to be asked)
  └────► None     (the request goes to the model that it names)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from brightstaff.errors import APIError
from brightstaff.request_body import BadRequestError, RequestBody
from brightstaff.settings import RouteSettings, RoutingSettings
from brightstaff.surface import ModelCall
from plano_router.answer import Answer
from plano_router.reading import Kind, Reading, read_request

ROUTE = "x-plano-route"
#: Names by which a client leaves the choice of a model to the router.
AUTO_MODELS = frozenset({"auto", "plano/auto"})
#: In a body, in place of the configured routes; upstream's spelling. No provider gets to see it.
BODY_FIELD = "routing_preferences"
#: By which agents say to which conversation a request belongs, in the order in which they count.
_SESSION_HEADERS = ("x-model-affinity", "x-claude-code-session-id", "session-id", "session_id", "x-session-id")
_LONGEST_ID = 200
_ROUTED_ENDPOINTS = frozenset({"/chat/completions", "/completions", "/messages", "/responses"})
_MOST_BODY_ROUTES = 64
#: Differences of strength below this are none.
_SAME_STRENGTH = 0.5


@dataclass(frozen=True)
class Pin:
    """Where a conversation has been until now."""

    route: str | None
    model: str
    """The channel that answered last."""


@dataclass(frozen=True)
class Undecided:
    """A request for the router."""

    reading: Reading
    routes: tuple[RouteSettings, ...]
    asked: str | None
    session: str
    """Key of the conversation."""
    own_routes: bool = False
    """Whether the request brought its routes along."""


@dataclass(frozen=True)
class Routed:
    """What became of a request."""

    route: str | None
    """None: no route fits."""
    models: tuple[str, ...] = ()
    """The route's, the preferred one first; empty without a route."""
    confidence: float | None = None
    why: str = ""
    """For people."""
    answer: Answer | None = None
    took_ms: float = 0.0
    session: str = ""
    pinned: bool = False
    """Whether the conversation had a model before."""
    switched: bool = False
    """Whether it changes its model."""
    fastest: bool = False
    """Whether the models may be put into the order of their speed: the route says so, and no conversation is held."""
    top: str | None = field(default=None, compare=False)
    """What the router liked best, whatever was decided."""


def plan(
    settings: RoutingSettings | None, call: ModelCall, body: RequestBody, fields: Mapping[str, str]
) -> Undecided | Routed | None:
    """What is to be done about a request; None: nothing. Raises BadRequestError."""
    if body.json is None or call.suffix not in _ROUTED_ENDPOINTS:
        return None
    routes = _own_routes(body)
    own = routes is not None
    if routes is None:
        if settings is None:
            return None
        routes = settings.routes
    wanted = fields.get(ROUTE, "").strip()
    if wanted.lower() == "off":
        return None
    if wanted:
        chosen = next((each for each in routes if each.name.lower() == wanted.lower()), None)
        if chosen is None:
            names = ", ".join(each.name for each in routes)
            message = f"The header {ROUTE} must be `off` or the name of a route: {names}."
            raise BadRequestError(APIError(400, "invalid_header", message, ROUTE))
        return Routed(chosen.name, chosen.models, 1.0, "the caller named the route", fastest=chosen.fastest)
    asks_for_auto = body.model in AUTO_MODELS
    if settings is not None and settings.apply_to == "auto" and not asks_for_auto and not own:
        return None
    if settings is None or not settings.backend_is_on:
        return None
    try:
        content = msgspec.json.decode(body.json.raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # the provider will say what is wrong with it
    reading = read_request(call.suffix, content)
    if reading.kind is Kind.EMPTY:
        return Routed(None, why="there is nothing to read")
    return Undecided(reading, routes, body.model, _session(fields, reading, settings.tenant_header), own)


def _session(fields: Mapping[str, str], reading: Reading, tenant_header: str) -> str:
    tenant = fields.get(tenant_header, "").strip()[:_LONGEST_ID] if tenant_header else ""
    of_tenant = f"{tenant}\x1f" if tenant else ""
    for name in _SESSION_HEADERS:
        value = fields.get(name, "").strip()
        if value:
            return f"{of_tenant}{name}:{value[:_LONGEST_ID]}"
    return f"{of_tenant}implicit:{reading.fingerprint}"


class _BodyPolicy(msgspec.Struct, frozen=True):
    prefer: str | None = None


class _BodyRoute(msgspec.Struct, frozen=True):
    name: str
    models: tuple[str, ...]
    description: str = ""
    examples: tuple[str, ...] = ()
    selection_policy: _BodyPolicy | None = None

    @property
    def fastest(self) -> bool:
        return self.selection_policy is not None and self.selection_policy.prefer == "fastest"


def _own_routes(body: RequestBody) -> tuple[RouteSettings, ...] | None:
    """Routes in the body; None without any."""
    assert body.json is not None  # noqa: S101
    if body.routing_preferences is None:
        return None
    try:
        given = msgspec.convert(body.routing_preferences, tuple[_BodyRoute, ...])
    except msgspec.ValidationError as error:
        message = f"`{BODY_FIELD}` must be a list of routes, each with `name`, `description` and `models`: {error}."
        raise BadRequestError(APIError(400, "invalid_type", message, BODY_FIELD)) from None
    if not given or len(given) > _MOST_BODY_ROUTES or any(not each.models or not each.name for each in given):
        message = f"`{BODY_FIELD}` must have 1 to {_MOST_BODY_ROUTES} routes, each with a name and at least one model."
        raise BadRequestError(APIError(400, "invalid_value", message, BODY_FIELD))
    return tuple(RouteSettings(each.name, each.description, each.models, each.examples, each.fastest) for each in given)


def decide(settings: RoutingSettings, question: Undecided, answer: Answer, pin: Pin | None, took_ms: float) -> Routed:
    """The route for a request, given what the router says and where its conversation has been."""
    chosen, why = _choose(settings, question.routes, answer)
    top = answer.ranked[0][0] if answer.probabilities else None
    held = None if pin is None or pin.route == chosen else _held(settings, question.routes, answer, pin, chosen)
    if held is not None:
        chosen, why = pin.route if pin is not None else chosen, held
    route = _by_name(question.routes, chosen)
    models = () if route is None else route.models
    held_model = pin is not None and pin.route == chosen and pin.model in models
    if held_model and pin is not None:
        models = (pin.model, *(each for each in models if each != pin.model))
    return Routed(
        route=chosen,
        models=models,
        confidence=answer.none if chosen is None else answer.probabilities.get(chosen, 0.0),
        why=why,
        answer=answer,
        took_ms=took_ms,
        session=question.session,
        pinned=pin is not None,
        switched=pin is not None and pin.route != chosen,
        fastest=route is not None and route.fastest and not held_model,
        top=top,
    )


def housekeeping(settings: RoutingSettings, question: Undecided) -> Routed:
    """Titles and summaries that agents ask for go to the cheapest route; the conversation stays where it is."""
    route = min(question.routes, key=lambda each: settings.cost_of(each.models[0]))
    why = "an agent's own request, for a title or a summary: the cheapest route"
    return Routed(route.name, route.models, 1.0, why, fastest=route.fastest)


def stay(question: Undecided, pin: Pin) -> Routed:
    """A tool loop goes on where it began."""
    route = _by_name(question.routes, pin.route)
    models = () if route is None else (pin.model, *(each for each in route.models if each != pin.model))
    return Routed(pin.route, models, None, "a tool loop goes on", session=question.session, pinned=True)


def without_answer(question: Undecided, pin: Pin | None, why: str, took_ms: float) -> Routed:
    """The router said nothing in time: a conversation stays where it is, a new one goes to the default."""
    if pin is not None:
        return replace(stay(question, pin), why=why, took_ms=took_ms)
    return Routed(None, why=why, took_ms=took_ms, session=question.session)


def _choose(settings: RoutingSettings, routes: Sequence[RouteSettings], answer: Answer) -> tuple[str | None, str]:
    """The route that suits best; none where nothing is sure enough."""
    ranked = answer.ranked
    if not ranked:
        return None, "there are no routes"
    name, probability = ranked[0]
    if answer.none > probability or probability < settings.min_confidence:
        return None, f"no route fits: {name} at {probability:.2f}"
    strengths = {each.name: settings.strength_of(each.models[0]) for each in routes}
    own = strengths[name]
    stronger = [
        (other, p)
        for other, p in ranked
        if strengths[other] > own + _SAME_STRENGTH and p >= settings.min_confidence / 2
    ]
    needs_more = sum(p for other, p in ranked if strengths[other] > own + _SAME_STRENGTH)
    if stronger and needs_more > settings.downgrade_limit:
        best = stronger[0]
        return best[0], f"{name} at {probability:.2f} is not sure enough for a weaker model"
    return name, f"{name} at {probability:.2f}"


def _held(
    settings: RoutingSettings, routes: Sequence[RouteSettings], answer: Answer, pin: Pin, chosen: str | None
) -> str | None:
    """Why a conversation stays where it is; None when it does not."""
    if pin.route is not None and _by_name(routes, pin.route) is None:
        return None
    before = answer.none if pin.route is None else answer.probabilities.get(pin.route, 0.0)
    now = answer.none if chosen is None else answer.probabilities.get(chosen, 0.0)
    candidate = _by_name(routes, chosen)
    rises = candidate is not None and (
        settings.strength_of(candidate.models[0]) > settings.strength_of(pin.model) + _SAME_STRENGTH
    )
    margin = settings.switch_margin * (0.5 if rises else 1.0)
    if now - before >= margin:
        return None
    return f"the conversation stays: {chosen or 'no route'} at {now:.2f} is not clearly surer than {before:.2f}"


def _by_name(routes: Sequence[RouteSettings], name: str | None) -> RouteSettings | None:
    return next((each for each in routes if each.name == name), None)
