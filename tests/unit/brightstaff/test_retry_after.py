"""brightstaff.retry_after: when a provider says that it may be asked again."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightstaff.retry_after import retry_after_s

#: Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
THEN = 784111777.0


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b"", None),
        ({"retry-after": "30"}, b"", 30.0),
        ({"retry-after": "0.5"}, b"", 0.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, b"", 1.5),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"}, b"", 30.0),
        ({"retry-after": "Sunday, 06-Nov-94 08:50:07 GMT"}, b"", 30.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:07 GMT"}, b"", 0.0),
        ({"retry-after": "-5"}, b"", None),
        ({"retry-after": "soon"}, b"", None),
        ({"retry-after": "nan"}, b"", None),
        ({"retry-after": "inf"}, b"", None),
        (
            {},
            b'{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}',
            34.07,
        ),
        ({}, b'{"choices":[{"message":{"content":"retryDelay 5s"}}]}', None),
    ],
)
def test_hints(headers: dict[str, str], body: bytes, expected: float | None) -> None:
    """Seconds, milliseconds, dates past and to come, Gemini's words; what cannot be read is no hint."""
    assert expected == retry_after_s(headers, body, THEN)


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), st.text()), st.binary(), st.floats(0, 1e10))
def test_any_input(headers: dict[str, str], body: bytes, now_s: float) -> None:
    """Never an error, never a negative or endless wait."""
    hint = retry_after_s(headers, body, now_s)
    assert hint is None or (math.isfinite(hint) and hint >= 0)
