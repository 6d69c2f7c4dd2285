"""The `model` field of a multipart/form-data request (audio and image endpoints), found and replaced in place.

The form is that of RFC 7578; only the field's own bytes change.
"""

from email.message import Message
from email.parser import HeaderParser


class BadMultipartError(ValueError):
    """The body is not the form that its Content-Type announces. The message says why."""


def _parameter(value: str, name: str) -> str | None:
    """A parameter of a header value such as `form-data; name="model"`, without its quotes; None if unreadable."""
    message = Message()
    message["content-type"] = value
    try:
        parameter = message.get_param(name)
    except (TypeError, ValueError):  # the standard library trips over malformed continuations (RFC 2231)
        return None
    return parameter if isinstance(parameter, str) else None


def _boundary(content_type: str) -> bytes:
    boundary = _parameter(content_type, "boundary")
    if not boundary or not content_type.lower().lstrip().startswith("multipart/"):
        raise BadMultipartError("this endpoint takes multipart/form-data with a boundary in Content-Type")
    return boundary.encode("latin-1", "replace")


def _is_model(head: bytes) -> bool:
    """Whether the headers of a part name the field `model`."""
    part = HeaderParser().parsestr(head.decode("latin-1").lstrip(), headersonly=True)
    return _parameter(part.get("content-disposition", ""), "name") == "model"


def model_span(body: bytes, content_type: str) -> tuple[int, int] | None:
    """Where the value of the field `model` begins and ends; None when the form has no such field.

    Raises BadMultipartError.
    """
    delimiter = b"--" + _boundary(content_type)
    position = body.find(delimiter)
    if position < 0:
        raise BadMultipartError("the body does not contain the boundary that Content-Type names")
    while True:
        position += len(delimiter)
        following = body.find(b"\r\n" + delimiter, position)
        if following < 0:
            return None
        head_end = body.find(b"\r\n\r\n", position, following)
        if head_end >= 0 and _is_model(body[position:head_end]):
            return head_end + 4, following
        position = following + 2
