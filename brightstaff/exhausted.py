"""What the client gets when every attempt failed: the failure that tells it most. Pure."""

import math

from brightstaff import failures
from brightstaff.answers import error_reply
from brightstaff.commands import Reply
from brightstaff.errors import APIError
from brightstaff.exchange import Exchange, KeptAnswer
from brightstaff.headers import Header, removed_from_response
from brightstaff.retry import most_useful

#: Set anew by whoever sends the answer on.
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "date"})


def exhausted_reply(exchange: Exchange, now_s: float) -> Reply:
    """The most useful of the failures, with the smallest Retry-After of all. There must be at least one."""
    index = most_useful(exchange.failures)
    failure, remains = exchange.failures[index], exchange.remains[index]
    target = exchange.targets[failure.channel]
    if not isinstance(remains, KeptAnswer):
        error = APIError(remains.status, f"provider_{remains.word}", failures.sentence(remains, target))
        reply = error_reply(error, "", exchange.call.suffix)
    elif remains.problem is not None:
        message = (
            f"{target.name} ({target.channel.authority}) answered {remains.status}, but not with an answer "
            f"({remains.problem.replace('_', ' ')}). Try again, or ask the provider."
        )
        reply = error_reply(APIError(502, f"provider_{remains.problem}", message), "", exchange.call.suffix)
    else:
        removed = {*removed_from_response(remains.headers), *_FRAMING}
        kept = [(name, value) for name, value in remains.headers if name not in removed and not name.startswith(":")]
        reply = Reply(remains.status, kept, remains.body, "every_attempt_failed")
    wait = retry_after_headers(exchange, now_s)
    if wait:
        reply.headers[:] = [header for header in reply.headers if header[0] not in RETRY_AFTER_HEADERS]
        reply.headers.extend(wait)
    return reply


#: OpenAI's SDKs read the second one first.
RETRY_AFTER_HEADERS = frozenset({"retry-after", "retry-after-ms"})


def retry_after_headers(exchange: Exchange, now_s: float) -> list[Header]:
    """When it is worth coming back: in whole seconds, rounded up; nothing when no provider said so."""
    wait_s = exchange.smallest_wait_s(now_s)
    return [] if wait_s is None else [("retry-after", str(math.ceil(wait_s)))]
