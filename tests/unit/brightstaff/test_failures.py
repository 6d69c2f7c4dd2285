"""brightstaff.failures: Envoy's flags and details in plain words."""

from collections.abc import Callable

import pytest

from brightstaff import failures
from brightstaff.catalog import Target
from brightstaff.settings import Channel

#: What `egress` wrote in each case: response flags, response code details, reason of the transport.
DESCRIPTIONS = [
    (
        "UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"
        " delayed_connect_error:_Connection_refused",
        "refused",
        502,
    ),
    (
        "UF upstream_reset_before_response_started{remote_connection_failure|TLS_error:|268435581:SSL_routines:"
        "OPENSSL_internal:CERTIFICATE_VERIFY_FAILED} TLS_error:|268435581:SSL_routines:CERTIFICATE_VERIFY_FAILED",
        "tls",
        502,
    ),
    ("UF upstream_reset_before_response_started{connection_failure|certificate_expired} -", "tls", 502),
    ("UH no_healthy_upstream -", "dns", 502),
    ("DF dns_resolution_failure -", "dns", 502),
    ("UF upstream_reset_before_response_started{connection_timeout} -", "timeout", 504),
    ("UF upstream_reset_before_response_started{remote_connection_failure|connect_timeout} -", "timeout", 504),
    ("UF upstream_reset_before_response_started{connection_failure|Connection_timed_out} -", "timeout", 504),
    ("UT upstream_response_timeout -", "timeout", 504),
    ("UC upstream_reset_before_response_started{connection_termination} -", "reset", 502),
    ("UR upstream_reset_before_response_started{remote_reset} -", "reset", 502),
    ("UPE upstream_reset_before_response_started{protocol_error} -", "reset", 502),
    ("UF upstream_reset_before_response_started{remote_connection_failure|No_route_to_host} -", "unreachable", 502),
    ("- - -", "unreachable", 502),
    ("", "unreachable", 502),
]


@pytest.mark.parametrize(("description", "word", "status"), DESCRIPTIONS)
def test_what_egress_says_is_understood(description: str, word: str, status: int) -> None:
    """Each kind of failure has its word for the trail and its status for the client."""
    failure = failures.read_local_failure(description)
    assert (word, status) == (failure.word, failure.status)


def test_a_slow_connection_and_a_slow_answer_have_different_remedies() -> None:
    """Both are a `timeout`, but what to do about them differs."""
    connection = failures.read_local_failure("UF {connection_timeout}")
    answer = failures.read_local_failure("UT upstream_response_timeout")
    assert "timeouts.connect" in connection.remedy
    assert failures.TIMEOUT == answer


@pytest.mark.parametrize("description", [description for description, _, _ in DESCRIPTIONS])
def test_sentence_says_what_where_and_what_to_do(description: str, new_channel: Callable[..., Channel]) -> None:
    """The message names the channel and its host, ends its sentences, and carries no key."""
    target = Target(new_channel("one/m"), "m")
    message = failures.sentence(failures.read_local_failure(description), target)
    assert message.startswith("one/m (one.example) ")
    assert message.endswith(".")
    assert ". " in message
    assert "secret" not in message
