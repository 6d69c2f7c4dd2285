"""What Envoy says when it could not get an answer from a provider, in plain words. Pure.

`egress` puts response flags, response code details and the transport's reason into the header x-plano-local of its
own answers; the flags and details are those of Envoy's documentation (access log, response code details).
"""

from dataclasses import dataclass

from brightstaff.catalog import Target


@dataclass(frozen=True)
class LocalFailure:
    """A provider was not reached, or went away before it answered."""

    word: str
    """For the trail: `refused`, `dns`, `tls`, `timeout`, `reset`, `unreachable`."""
    status: int
    """What the client gets when nothing else is left to try."""
    sentence: str
    """Goes on after "<channel> (<host>) "."""
    remedy: str


_REFUSED = LocalFailure(
    "refused", 502, "refused the connection", "Check that the provider runs and that base_url names its port."
)
_DNS = LocalFailure(
    "dns", 502, "has no address: its name could not be resolved", "Check base_url and this machine's DNS."
)
_TLS = LocalFailure(
    "tls",
    502,
    "failed the TLS handshake",
    "Check base_url (https or http?), its certificate, and overrides.upstream_tls_ca_path.",
)
_CONNECT_TIMEOUT = LocalFailure(
    "timeout",
    504,
    "did not accept the connection in time",
    "Check base_url, a firewall or proxy between, or raise timeouts.connect.",
)
_RESET = LocalFailure(
    "reset", 502, "closed the connection before it answered", "Try again; if it stays so, ask the provider."
)
_UNREACHABLE = LocalFailure("unreachable", 502, "could not be reached", "Check base_url and the network.")

#: After content had reached the client.
STALLED = LocalFailure(
    "stalled", 504, "fell silent in the middle of its answer", "Try again, or raise this channel's timeouts.idle."
)
CUT_SHORT = LocalFailure(
    "cut_short", 502, "broke off in the middle of its answer", "Try again; if it stays so, ask the provider."
)

#: A deadline of ours passed.
TIMEOUT = LocalFailure("timeout", 504, "did not answer in time", "Try again, or raise this channel's timeouts.")
RESET = _RESET


def read_local_failure(description: str) -> LocalFailure:
    """The failure that `egress` describes in its header."""
    text = description.lower()
    if "refused" in text:
        return _REFUSED
    if "tls" in text or "ssl" in text or "certificate" in text:
        return _TLS
    if "no_healthy_upstream" in text or "dns" in text:
        return _DNS
    if "connection_timeout" in text or "connect_timeout" in text or "timed_out" in text:
        return _CONNECT_TIMEOUT
    if "response_timeout" in text:
        return TIMEOUT
    if "connection_termination" in text or "remote_reset" in text or "protocol_error" in text:
        return _RESET
    return _UNREACHABLE


def sentence(failure: LocalFailure, target: Target) -> str:
    """The whole message for the client."""
    channel = target.channel
    way = f", through the proxy {channel.proxy}" if channel.proxy else ""
    return f"{target.name} ({channel.authority}{way}) {failure.sentence}. {failure.remedy}"
