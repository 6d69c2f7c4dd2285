"""The `model` field of a multipart/form-data request (audio and image endpoints), found and replaced in place.

The form is that of RFC 7578; only the field's own bytes change.
"""

import re
from email.message import Message


class BadMultipartError(ValueError):
    """The body is not the form that its Content-Type announces. The message says why."""


_NAME = re.compile(rb'^content-disposition:[^\r\n]*;\s*name="?model"?\s*(?:;|$)', re.IGNORECASE | re.MULTILINE)


def _boundary(content_type: str) -> bytes:
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_maintype() != "multipart" or not isinstance(boundary, str) or not boundary:
        raise BadMultipartError("this endpoint takes multipart/form-data with a boundary in Content-Type")
    return boundary.encode("latin-1", "replace")


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
        if head_end >= 0 and _NAME.search(body[position:head_end].replace(b"\r\n", b"\n")):
            return head_end + 4, following
        position = following + 2
