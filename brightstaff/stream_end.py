"""Did a stream come to its end, or did it break off? Pure.

Looks at bytes as they pass, without parsing them: what is searched for cannot occur inside a JSON string, where quotes
and line ends are escaped.
"""

import re

#: By endpoint, what tells that the provider meant the stream to end. A chat may leave out `[DONE]` after its
#: `finish_reason`. Sources: platform.openai.com/docs/api-reference/chat-streaming and …/responses-streaming,
#: docs.claude.com/en/docs/build-with-claude/streaming.
_COMPLETE = {
    "/chat/completions": re.compile(rb'data: ?\[DONE\]|"finish_reason": ?"'),
    "/completions": re.compile(rb'data: ?\[DONE\]|"finish_reason": ?"'),
    "/messages": re.compile(rb'"type": ?"message_stop"|event: ?message_stop'),
    "/responses": re.compile(rb'"type": ?"response\.(?:completed|failed|incomplete)"'),
}
#: By endpoint, what a stream of the usual form has in its first event.
_BEGUN = {
    "/chat/completions": b'"choices"',
    "/completions": b'"choices"',
    "/messages": b"message_start",
    "/responses": b"response.",
}
#: An event that reports an error, in any of the protocols.
_ERROR = re.compile(rb'(?:^|[\r\n])(?:event: ?error|data: ?\{"(?:error"|type": ?"(?:error|response\.failed)"))')

#: What is searched for is shorter, and may be cut between two chunks.
_OVERLAP_BYTES = 48


class StreamEnd:
    """Fed with what is passed on of a stream."""

    def __init__(self, suffix: str) -> None:
        self._pattern = _COMPLETE.get(suffix)
        self._opening = _BEGUN.get(suffix, b"")
        self._tail = b"\n"
        self.is_complete = self._pattern is None
        """Whether its end has been announced; of other endpoints nobody knows, so: yes."""
        self.has_error = False
        """Whether the provider itself reported an error."""
        self.has_begun = False
        """Whether it is a stream of the usual form; of others the end is not known."""

    @property
    def is_cut_short(self) -> bool:
        """Whether an end that comes now is none."""
        return self.has_begun and not (self.is_complete or self.has_error)

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        seen = self._tail + data
        if not self.has_begun and self._opening in seen:
            self.has_begun = True
        if not self.is_complete and self._pattern is not None and self._pattern.search(seen):
            self.is_complete = True
        if not self.has_error and (b"error" in seen or b"failed" in seen) and _ERROR.search(seen):
            self.has_error = True
        self._tail = seen[-_OVERLAP_BYTES:]
