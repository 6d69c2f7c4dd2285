"""How a stream ends between brightstaff and `ingress`, so that a break can be told from an end. Pure.

When a provider resets a stream, or brightstaff dies, Envoy's router ends what it has begun without asking anybody. In
`egress` a stream therefore has no framing of its own: it ends with the connection inside Envoy, whatever the reason. A
good end is marked by one last byte of zero, which `ingress` takes off; where it is missing, `ingress` adds the event
that brightstaff has sent beforehand, in the client's protocol, in a header. See the Lua filters in envoy_templates/.
"""

from brightstaff.commands import Command, ForwardBody, ForwardHeaders, ForwardTrailers
from brightstaff.errors import APIError
from brightstaff.headers import Header

#: Carries the event; no client sees it.
IF_CUT = "x-plano-if-cut"

_MARK = b"\0"


def if_cut(suffix: str, request_id: str) -> Header:
    """The header for a stream of this endpoint. Its words blame nobody: who broke it off is not known beforehand."""
    message = f"The answer broke off in the middle. Try again; planoai explain {request_id} tells what happened."
    event = APIError(502, "answer_cut_short", message).event(suffix)
    # A header holds no line ends, and JSON no tabs.
    return IF_CUT, event.decode("ascii").strip().replace("\n", "\t")


class EndMark:
    """Marks the end of the answer of one attempt, if it is one that `ingress` watches over."""

    def __init__(self) -> None:
        self._watched = False

    def frame(self, commands: list[Command]) -> list[Command]:
        """The commands with the mark, where it is due."""
        framed: list[Command] = []
        for command in commands:
            match command:
                case ForwardHeaders(set_headers):
                    self._watched = any(name == IF_CUT for name, _ in set_headers)
                    framed.append(command)
                case ForwardBody(data, True) if self._watched:
                    framed.append(ForwardBody(data + _MARK, True))
                case ForwardTrailers() if self._watched:
                    framed += [ForwardBody(_MARK, False), command]
                case _:
                    framed.append(command)
        return framed
