"""The request body as JSON, read once and changed in place: only the bytes of one top-level value are replaced.

Serialising a parsed body again would change prompts' bytes (escapes, spaces, number forms, unknown or duplicate keys)
and so miss the provider's prompt cache. Here everything but the value stays byte for byte what the client sent.
"""

import re
from collections.abc import Iterator

import msgspec

_WHITESPACE = re.compile(rb"[ \t\n\r]*")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
#: What matters when a value has to be skipped without knowing its length: strings and brackets.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_SCALAR = re.compile(rb"[^,\]}\s]+")

_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string_decoder = msgspec.json.Decoder(str)
_any_decoder = msgspec.json.Decoder()


class BadJSONError(ValueError):
    """The body is not a JSON object. The message says why, in words for the caller."""


class JSONBody:
    """One JSON object: its top-level fields, and replacing the value of one."""

    __slots__ = ("_fields", "raw")

    def __init__(self, raw: bytes) -> None:
        """Parse and validate `raw`. Raises BadJSONError."""
        self.raw = raw
        try:
            self._fields: dict[str, msgspec.Raw] = _fields_decoder.decode(raw)
        except msgspec.ValidationError as error:
            raise BadJSONError(f"the body must be a JSON object ({error})") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadJSONError(f"the body is not valid JSON ({error})") from None

    def __contains__(self, key: str) -> bool:
        return key in self._fields

    def get(self, key: str) -> object:
        """The decoded value of a top-level key; the last one where a key is repeated, as parsers do; None if absent."""
        value = self._fields.get(key)
        return None if value is None else _any_decoder.decode(value)

    def with_value(self, key: str, value: str) -> bytes:
        """The body with every top-level `key` set to the string `value`; all other bytes are kept.

        A body without that key gets it as its first one.
        """
        replacement = msgspec.json.encode(value)
        spans = [(start, end) for name, start, end in self._walk() if name == key]
        if not spans:
            return self._with_first(msgspec.json.encode(key) + b":" + replacement)
        pieces: list[bytes] = []
        position = 0
        for start, end in spans:
            pieces += (self.raw[position:start], replacement)
            position = end
        pieces.append(self.raw[position:])
        return b"".join(pieces)

    def without(self, key: str) -> bytes:
        """The body without a top-level `key`; all other bytes are kept but the comma that went with it."""
        members = list(self._walk_members())
        kept = [(start, end) for name, start, end in members if name != key]
        if len(kept) == len(members):
            return self.raw
        first, last = members[0][1], members[-1][2]
        inside = b",".join(self.raw[start:end] for start, end in kept)
        return b"".join((self.raw[:first], inside, self.raw[last:]))

    def _with_first(self, member: bytes) -> bytes:
        after_brace = self.raw.index(b"{") + 1
        separator = b"," if self._fields else b""
        return b"".join((self.raw[:after_brace], member, separator, self.raw[after_brace:]))

    def _walk(self) -> Iterator[tuple[str, int, int]]:
        """Every top-level member as (key, start of value, end of value).

        The body has been validated, so the parser's own slices tell how long each value is; only where a key is
        repeated (the parser kept the last one) must a value be skipped token by token.
        """
        for key, _, start, end in self._walk_all():
            yield key, start, end

    def _walk_members(self) -> Iterator[tuple[str, int, int]]:
        """Every top-level member as (key, start of its key, end of its value)."""
        for key, begin, _, end in self._walk_all():
            yield key, begin, end

    def _walk_all(self) -> Iterator[tuple[str, int, int, int]]:
        raw = self.raw
        position = _skip_whitespace(raw, raw.index(b"{") + 1)
        while raw[position] != 0x7D:  # }
            match = _STRING.match(raw, position)
            assert match is not None, "validated JSON: a member begins with a string"  # noqa: S101
            begin = position
            key = _string_decoder.decode(match.group())
            position = _skip_whitespace(raw, match.end()) + 1  # past the colon
            start = _skip_whitespace(raw, position)
            end = self._end_of_value(key, start)
            yield key, begin, start, end
            position = _skip_whitespace(raw, end)
            if raw[position] == 0x2C:  # ,
                position = _skip_whitespace(raw, position + 1)

    def _end_of_value(self, key: str, start: int) -> int:
        known = bytes(self._fields[key])
        if self.raw.startswith(known, start):
            end = start + len(known)
            if self.raw[_skip_whitespace(self.raw, end)] in b",}":
                return end
        return _skip_value(self.raw, start)


def _skip_whitespace(raw: bytes, position: int) -> int:
    match = _WHITESPACE.match(raw, position)
    return position if match is None else match.end()


def _skip_value(raw: bytes, start: int) -> int:
    """Where the (valid) value that begins at `start` ends."""
    if raw[start] not in b'"[{':
        match = _SCALAR.match(raw, start)
        return start if match is None else match.end()
    depth = 0
    for token in _TOKEN.finditer(raw, start):
        first = raw[token.start()]
        if first in b"[{":
            depth += 1
        elif first in b"]}":
            depth -= 1
        if depth == 0:
            return token.end()
    raise AssertionError("validated JSON: every value ends")
