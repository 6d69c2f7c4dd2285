"""Renders envoy_templates/ into the text of Envoy's resources. Pure but for reading the templates."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

BOOTSTRAP = "bootstrap.yaml"
LISTENERS = "listeners.yaml"
CLUSTERS = "clusters.yaml"

#: In a wheel the templates lie inside the package, in a checkout beside it.
_TEMPLATES = next(
    directory
    for directory in (
        Path(__file__).parent / "_data" / "envoy_templates",
        Path(__file__).parent.parent.parent / "envoy_templates",
    )
    if directory.is_dir()
)

#: One line for each client request. Paths are logged without their query, in which some clients carry a key.
ACCESS_LOG_FORMAT = (
    '[%START_TIME%] "%REQ(:METHOD)% %PATH(NQ:ORIG_OR_PATH)% %PROTOCOL%" %RESPONSE_CODE% '
    "%RESPONSE_FLAGS% bytes_received=%BYTES_RECEIVED% bytes_sent=%BYTES_SENT% duration_ms=%DURATION% "
    'asked="%RESP(X-PLANO-REQUESTED-MODEL)%" served="%RESP(X-PLANO-MODEL)%" user_agent="%REQ(USER-AGENT)%" '
    'request_id=%REQ(X-PLANO-REQUEST-ID)% attempts="%RESP(X-PLANO-ATTEMPTS)%"\n'
)


@dataclass(frozen=True)
class ProxyView:
    """An HTTP proxy: Envoy wants its address, not its name."""

    address: str
    port: int


@dataclass(frozen=True)
class ClusterView:
    """What clusters.yaml.j2 needs of a channel."""

    cluster: str
    host: str
    port: int
    tls: bool
    is_ip_address: bool
    connect_timeout: str
    ca_file: str
    proxy: ProxyView | None = None


@dataclass(frozen=True)
class ListenerView:
    """What listeners.yaml.j2 needs of a listener."""

    name: str
    address: str
    port: int
    idle_timeout: str
    ipv4_compat: bool = False


@dataclass(frozen=True)
class WorkerView:
    """A brightstaff process, as Envoy knows it."""

    cluster: str
    egress: str
    """The internal listener whose attempts it decides about."""
    socket: Path


@dataclass(frozen=True)
class EnvoyView:
    """Everything that the templates need. No secret is among it."""

    listeners: tuple[ListenerView, ...]
    channels: tuple[ClusterView, ...]
    admin_socket: Path
    workers: tuple[WorkerView, ...]
    resource_directory: Path
    access_log: Path
    max_request_bytes: int
    num_retries: int
    local_header: str
    """In which `egress` describes failures of its own."""
    keep_content_length: bool
    """Whether this Envoy's ext_proc can leave Content-Length in place (1.38 and later)."""


def _error_body(type_: str, code: str, message: str) -> Mapping[str, object]:
    return {"error": {"message": message, "type": type_, "param": None, "code": code}}


#: Answers that `ingress` makes itself, in OpenAI's form; the first that fits counts.
_LOCAL_REPLIES = (
    (
        "EQ",
        400,
        _error_body(
            "invalid_request_error", "bad_request", "This is not a valid HTTP request (%RESPONSE_CODE_DETAILS%)."
        ),
    ),
    (
        "EQ",
        408,
        _error_body("timeout_error", "request_timeout", "The request was not completed in time; send it again."),
    ),
    (
        "EQ",
        413,
        _error_body("invalid_request_error", "request_too_large", "The request is larger than Plano accepts."),
    ),
    (
        "EQ",
        431,
        _error_body(
            "invalid_request_error", "headers_too_large", "The request's headers are larger than 96 KiB; send less."
        ),
    ),
    (
        "EQ",
        504,
        _error_body(
            "timeout_error",
            "gateway_timeout",
            "Nothing moved for longer than the listener's timeout (listeners[].timeout).",
        ),
    ),
    (
        "GE",
        400,
        _error_body(
            "api_error",
            "gateway_error",
            "Plano could not answer (%RESPONSE_CODE_DETAILS%). See `planoai status` and `planoai logs --debug`.",
        ),
    ),
)


def _yaml_scalar(value: object, **_: object) -> str:
    """JSON that is YAML as well: JSON may write an emoji as two surrogates, which are no characters to YAML."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08X}" for each in text)


def render(view: EnvoyView) -> dict[str, str]:
    """File name → text of every Envoy resource file."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML, not HTML; every value goes through tojson
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_function"] = _yaml_scalar
    context = {
        **{name: getattr(view, name) for name in view.__dataclass_fields__},
        "admin_socket": str(view.admin_socket),
        "workers": [
            {"cluster": each.cluster, "egress": each.egress, "socket": str(each.socket)} for each in view.workers
        ],
        "resource_directory": str(view.resource_directory),
        "listeners_file": str(view.resource_directory / LISTENERS),
        "clusters_file": str(view.resource_directory / CLUSTERS),
        "access_log": str(view.access_log),
        "access_log_format": ACCESS_LOG_FORMAT,
        "local_replies": [{"op": op, "status": status, "body": body} for op, status, body in _LOCAL_REPLIES],
        "healthz_body": '{"status":"ok"}',
        "brightstaff_down_body": _error_body(
            "api_error",
            "gateway_unavailable",
            "Plano's brightstaff process does not answer. It is restarted by itself; see `planoai status`.",
        ),
        "circuit_breakers": environment.get_template("circuit_breakers.yaml.j2").render().strip(),
    }
    names = (BOOTSTRAP, LISTENERS, CLUSTERS)
    return {name: environment.get_template(f"{name}.j2").render(context) for name in names}
