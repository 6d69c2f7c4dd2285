"""What was decided for a request, in plain words: from a record of brightstaff's log to the lines of `planoai explain`.

Pure. Names that a client chose (its model, and so the names of models of wildcard channels) are made harmless here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import islice

from brightstaff.decisions import PassedOver, Record, Tried
from brightstaff.verdict import Fault, judge_status
from planoai.wording import left, one_line, span

#: So many characters of an id are shown where a line has many things to say; enough to ask for the request by it.
_SHORT_ID = 8
#: So many routes are shown with their probabilities.
_SHOWN_ROUTES = 4

#: Outcomes that are no status: no answer came. They say themselves whose fault that is.
_NO_ANSWER = {
    "refused": "refused the connection after {span}",
    "dns": "was not found after {span}: its name has no address",
    "tls": "failed the TLS handshake after {span}",
    "timeout": "did not answer within {span}",
    "reset": "closed the connection after {span}, before it answered",
    "unreachable": "could not be reached after {span}",
    "unfinished": "had not answered when the client left",
    # Where nothing of the answer had left yet; otherwise see _AFTER_CONTENT.
    "cut_short": "broke off its answer after {span}, before any of it was passed on",
    "stalled": "fell silent after {span}, before any of its answer was passed on",
}

#: Outcomes that are no status: a 200 that was no answer.
_NO_GOOD_ANSWER = {
    "empty": "answered 200 after {span}, with nothing in it",
    "html": "answered 200 after {span}, with a page of HTML",
    "broken_json": "answered 200 after {span}, with JSON that cannot be read",
    "error_in_200": "answered 200 after {span}, with an error in it",
    "quota": "answered 200 after {span}, saying that a quota is used up",
    "key_disabled": "answered 200 after {span}, saying that the key is disabled",
    "key_invalid": "answered 200 after {span}, saying that the key is not valid",
    "rate_limited": "answered 200 after {span}, saying that the rate limit is reached",
    "overloaded": "answered 200 after {span}, saying that it is overloaded",
    "model_unavailable": "answered 200 after {span}, saying that it does not have the model",
    "region_blocked": "answered 200 after {span}, saying that it does not serve this region",
    "forbidden": "answered 200 after {span}, saying that this is forbidden",
    "upstream_error": "answered 200 after {span}, saying that its own provider failed",
}

_AFTER_CONTENT = {
    "stalled": "fell silent in the middle",
    "cut_short": "broke off in the middle",
    "error_in_stream": "sent an error in the middle",
}

#: What the words of an answer say that has another status, as 403.
_CAUSES = {
    "quota": "its account is out of credit or quota",
    "key_disabled": "its key is disabled",
    "key_invalid": "its key is not valid",
    "rate_limited": "rate limit",
    "overloaded": "it is overloaded",
    "model_unavailable": "it does not have this model",
    "region_blocked": "it does not serve this region",
    "forbidden": "it does not allow this",
    "upstream_error": "its own provider failed",
}

#: Whose fault it was, where the outcome does not say it.
_FAULTS = {
    "caller": "the request is at fault, not the channel",
    "channel": "the channel's fault",
    "key": "the key is refused or used up",
    "rate": "rate limit",
    "timeout": "something behind it timed out",
}


def went_well(entry: Record) -> bool:
    """Whether there is nothing to look into: neither failed nor broken, and the first channel asked answered."""
    return entry.ending in ("answered", "left") and len(entry.tried) <= 1 and not _broke_in_the_middle(entry)


def _broke_in_the_middle(entry: Record) -> bool:
    # The provider's own error event is passed on as it is, so the answer counts as one.
    return any(each.after_content for each in entry.tried)


# ---------------------------------------------------------------- one request


def tell(entry: Record, now_s: float, zone: tzinfo | None = None) -> list[str]:
    """The whole story, line by line. `now_s`: seconds since the epoch; `zone`: None for that of this machine."""
    started_s = entry.at_s - entry.ms / 1000
    lines = [
        f"Request {entry.id} at {_moment(started_s, now_s, zone)}, {_endpoint(entry)}, {span(entry.ms / 1000)}",
        _asked(entry),
        *_routed(entry),
    ]
    for number, each in enumerate(entry.tried, start=1):
        lines += [_passed_over(found) for found in each.passed_over]
        lines.append(f"{number}. {_attempt(each)}")
    return [*lines, *_ending(entry)]


def _asked(entry: Record) -> str:
    if entry.asked is None:
        return f"Named no model; the default channel is {one_line(entry.channel)}."
    if entry.asked == entry.channel:
        return f"Asked for {one_line(entry.asked)}."
    return f"Asked for {one_line(entry.asked)}, which went to {one_line(entry.channel)}."


def _routed(entry: Record) -> list[str]:
    """How the request was routed by intent, if it was."""
    choice = entry.route
    if choice is None:
        return []
    where = "no route" if choice.route is None else one_line(choice.route)
    told = f"Routed by intent: {where} ({one_line(choice.why)})."
    if choice.backend:
        told += f" The {choice.backend} router took {choice.ms} ms."
    ranked = sorted(choice.probabilities.items(), key=lambda item: -item[1])[:_SHOWN_ROUTES]
    if not ranked:
        return [told]
    shown = ", ".join(f"{one_line(name)} {p:.2f}" for name, p in ranked)
    return [told, f"  Probabilities: {shown}, none {choice.none or 0:.2f}."]


def _passed_over(found: PassedOver) -> str:
    wait = f", {left(found.left_s)} left" if found.left_s > 0 else ""
    return f"{one_line(found.channel)} was passed over: it {found.why}{wait}."


def _attempt(each: Tried) -> str:
    """One attempt: what came of it, whose fault that was, and what follows from it."""
    name, after = one_line(each.channel), f"after {span(each.ms / 1000)}"
    if each.waited_ms:
        name = f"After a wait of {span(each.waited_ms / 1000)}, {name}"
    if each.after_content:
        what = _AFTER_CONTENT.get(each.outcome, f"failed in the middle ({each.outcome})")
        sentence = f"{name} began to answer {after}, then {what}"
    elif each.outcome in _NO_ANSWER:
        sentence = f"{name} {_NO_ANSWER[each.outcome].format(span=span(each.ms / 1000))}"
    elif each.outcome.isdecimal():
        sentence = f"{name} answered {each.outcome} {after}"
    else:
        words = _NO_GOOD_ANSWER.get(each.outcome, f"failed ({each.outcome}) after {{span}}")
        sentence = f"{name} {words.format(span=span(each.ms / 1000))}"
    remarks = [remark for remark in (_fault(each), _come_back(each)) if remark]
    if remarks:
        sentence += f" ({'; '.join(remarks)})"
    return f"{sentence}.{_left_alone(each)}"


def _fault(each: Tried) -> str:
    """Whose fault it was; empty where the outcome says it, and where there was none."""
    if each.outcome in _NO_ANSWER:
        return "the caller's own time was up" if (each.outcome, each.fault) == ("timeout", "caller") else ""
    fault = each.fault
    if not fault and each.outcome.isdecimal():
        # Without a policy nobody reads the answer. Its status alone speaks against a channel, but never for it.
        verdict = judge_status(int(each.outcome))
        fault = "" if verdict is None or verdict.fault is Fault.CALLER else verdict.fault.name.lower()
    return "" if each.after_content else _CAUSES.get(each.cause, _FAULTS.get(fault, ""))


def _come_back(each: Tried) -> str:
    return "" if each.retry_after_s is None else f"come back in {left(each.retry_after_s)}"


def _left_alone(each: Tried) -> str:
    if each.held_against_s <= 0:
        return ""
    who = "Its key, with every channel that has it," if each.fault == "key" else "It"
    return f" {who} is left alone for {left(each.held_against_s)}."


def _ending(entry: Record) -> list[str]:
    last = one_line(entry.tried[-1].channel) if entry.tried else one_line(entry.channel)
    match entry.ending:
        case "failed":
            reason = _why_no_more(entry)
            why = f": {reason}" if reason else ""
            return [f"Failed with status {entry.status}. No further attempt was made{why}."]
        case "left":
            when = "before there was an answer" if entry.status == 0 else f"in the middle of the answer of {last}"
            return [f"The client left {when}."]
        case "broken":
            return [
                f"The answer of {last} broke off after content had reached the client: no other channel can go on "
                "from there."
            ]
        case _:
            lines = [f"Answered by {last}."]
            if entry.tried and entry.tried[-1].other_model:
                lines = [f"Answered by {last}: by another model than was asked for."]
            if _broke_in_the_middle(entry):
                lines.append("Its error reached the client as it came: content had left before.")
            return lines


def _why_no_more(entry: Record) -> str:
    if entry.why_no_more:
        return entry.why_no_more
    # Without a policy nothing is decided, and nothing is noted.
    return "the channel has no retry_policy" if len(entry.chain) == 1 else ""


# ---------------------------------------------------------------- many requests


def summary_row(entry: Record, now_s: float, zone: tzinfo | None = None) -> tuple[str, ...]:
    """A request in one line, as cells: when, id, endpoint, how it ended, how long it took, every attempt."""
    attempts = ", ".join(f"{one_line(each.channel)} {each.outcome}" for each in entry.tried)
    return (
        _moment(entry.at_s - entry.ms / 1000, now_s, zone),
        entry.id[:_SHORT_ID],
        _endpoint(entry),
        _short_ending(entry),
        span(entry.ms / 1000),
        attempts,
    )


def _short_ending(entry: Record) -> str:
    match entry.ending:
        case "failed":
            return f"failed {entry.status}"
        case "left":
            return "client left"
        case "broken":
            return "broke off"
        case _:
            return "error in answer" if _broke_in_the_middle(entry) else "answered"


def _endpoint(entry: Record) -> str:
    return entry.endpoint.removeprefix("/")


def _moment(at_s: float, now_s: float, zone: tzinfo | None) -> str:
    """The time of day, with the date if it is not today's."""
    moment, now = datetime.fromtimestamp(at_s, zone), datetime.fromtimestamp(now_s, zone)
    return moment.strftime("%H:%M:%S" if moment.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def when(at_s: float, zone: tzinfo | None = None) -> str:
    """A moment with its date."""
    return datetime.fromtimestamp(at_s, zone).strftime("%Y-%m-%d %H:%M:%S")


# ---------------------------------------------------------------- finding them


@dataclass(frozen=True)
class Search:
    """What a search for an id came to."""

    found: tuple[Record, ...]
    """One record for each id that fits."""
    read: int
    """How many records were looked at."""
    oldest_at_s: float | None
    """When the oldest of those ended; None without any."""


def search(records: Iterable[Record], beginning: str) -> Search:
    """The requests whose id begins like this. `records`: the newest first. A complete id ends the search."""
    found: dict[str, Record] = {}
    read, oldest_at_s = 0, None
    for entry in records:
        read += 1
        oldest_at_s = entry.at_s
        if entry.id == beginning:
            return Search((entry,), read, oldest_at_s)
        if entry.id.startswith(beginning):
            found.setdefault(entry.id, entry)
    return Search(tuple(found.values()), read, oldest_at_s)


def latest(records: Iterable[Record], number: int, *, only_failed: bool) -> list[Record]:
    """The last so many (of those that did not go well), the newest first. `records`: the newest first."""
    return list(islice((each for each in records if not (only_failed and went_well(each))), number))
