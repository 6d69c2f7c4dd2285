"""brightstaff.caller: what a caller may ask for in request headers."""

import pytest

from brightstaff.caller import read_limits
from brightstaff.request_body import BadRequestError
from brightstaff.retry import Limits


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Limits(32)),
        ({"x-plano-fallback": "on"}, Limits(32)),
        ({"x-plano-fallback": " OFF "}, Limits(32, fallback=False)),
        ({"x-plano-fallback": "off", "x-plano-max-attempts": "5"}, Limits(5, fallback=False)),
        ({"x-plano-max-attempts": "2"}, Limits(2)),
        ({"x-plano-max-attempts": "99"}, Limits(32)),
        ({"x-plano-timeout-ms": "1500"}, Limits(32, deadline_s=101.5)),
    ],
)
def test_limits(fields: dict[str, str], expected: Limits) -> None:
    """This channel or an error; fewer attempts, never more than the gateway's; an answer by a certain time."""
    assert expected == read_limits(fields, 100.0, 32)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-plano-fallback", "no"),
        ("x-plano-fallback", ""),
        ("x-plano-max-attempts", "0"),
        ("x-plano-max-attempts", "-1"),
        ("x-plano-max-attempts", "two"),
        ("x-plano-max-attempts", "²"),
        ("x-plano-timeout-ms", "1.5"),
        ("x-plano-timeout-ms", "9" * 40),
    ],
)
def test_what_cannot_be_read_is_told(name: str, value: str) -> None:
    """A caller that asks for something wrong learns which header, instead of getting something else."""
    with pytest.raises(BadRequestError) as caught:
        read_limits({name: value}, 0.0, 32)
    assert (400, name) == (caught.value.error.status, caught.value.error.param)
    assert name in caught.value.error.message
