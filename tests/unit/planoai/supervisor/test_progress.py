"""The messages from the supervisor to `up`."""

import pytest

from planoai.supervisor.progress import (
    GatewayReady,
    ProcessReady,
    Progress,
    StartFailed,
    SupervisorStarted,
    decode_progress,
    encode_progress,
)


@pytest.mark.parametrize(
    "message",
    [
        SupervisorStarted(pid=1),
        ProcessReady(name="envoy", pid=2, after_s=0.5),
        GatewayReady(after_s=1.5),
        StartFailed(message="no", remedy="yes", details=("one\ntwo", "ü")),
    ],
)
def test_each_message_is_one_line(message: Progress) -> None:
    """It comes out as it went in, and a line break inside it does not end it."""
    data = encode_progress(message)

    assert 1 == data.count(b"\n")
    assert message == decode_progress(data)
