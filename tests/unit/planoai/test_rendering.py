"""The text of Envoy's resources."""

import json
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from brightstaff.settings import decode_settings, encode_settings
from planoai.config_generator import CompiledGateway
from planoai.home import PlanoHome
from planoai.rendering import ACCESS_LOG_FORMAT, BOOTSTRAP, CLUSTERS, LISTENERS, render

Compile = Callable[..., CompiledGateway]

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
PROXY = {"proxy": "http://proxy.example:3128"}


def clusters(result: CompiledGateway) -> list[Any]:
    """The rendered clusters of the channels."""
    resources = yaml.safe_load(render(result.envoy)[CLUSTERS])["resources"]
    assert isinstance(resources, list)
    return resources


def one(compiled: Compile, base_url: str, **more: Any) -> Any:
    """The cluster of one provider."""
    (found,) = clusters(compiled({"model": "a/one", "base_url": base_url, **more}))
    return found


def address(cluster: Any) -> Any:
    """Where a cluster connects to."""
    return cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]


def texts(node: object) -> Iterator[str]:
    """Every key and every text within `node`."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)
    elif isinstance(node, str):
        yield node


def test_the_files(compiled: Compile) -> None:
    """Three, and the bootstrap names the other two."""
    rendered = render(compiled({"model": "a/one", "base_url": "https://a.example"}).envoy)
    dynamic = yaml.safe_load(rendered[BOOTSTRAP])["dynamic_resources"]

    assert {BOOTSTRAP, LISTENERS, CLUSTERS} == set(rendered)
    paths = [dynamic[key]["path_config_source"]["path"] for key in ("lds_config", "cds_config")]
    assert [f"/home/someone/.plano/run/{name}" for name in (LISTENERS, CLUSTERS)] == paths


def test_two_channels_on_one_host(compiled: Compile) -> None:
    """Two clusters, each with its own name and port."""
    found = clusters(
        compiled(
            {"model": "a/one", "base_url": "https://host.example"},
            {"model": "b/one", "base_url": "https://host.example:8443"},
        )
    )

    assert [("a/one", 443), ("b/one", 8443)] == [(each["name"], address(each)["port_value"]) for each in found]
    assert ["a/one", "b/one"] == [each["load_assignment"]["cluster_name"] for each in found]


@pytest.mark.parametrize(
    ("base_url", "host"), [("https://api.example", "api.example"), ("http://localhost:8000", "localhost")]
)
def test_names_are_resolved(compiled: Compile, base_url: str, host: str) -> None:
    """A logical DNS cluster: one endpoint, with both the IPv4 and the IPv6 addresses of the name."""
    cluster = one(compiled, base_url)
    dns = cluster["cluster_type"]["typed_config"]

    assert ("envoy.clusters.dns", host) == (cluster["cluster_type"]["name"], address(cluster)["address"])
    assert (True, "ALL") == (dns["all_addresses_in_single_endpoint"], dns["dns_lookup_family"])
    assert "type" not in cluster


@pytest.mark.parametrize(
    ("base_url", "host"), [("https://192.0.2.7", "192.0.2.7"), ("http://[2001:DB8:0::7]:8000", "2001:db8::7")]
)
def test_addresses_are_not_resolved(compiled: Compile, base_url: str, host: str) -> None:
    """A static cluster."""
    cluster = one(compiled, base_url)

    assert ("STATIC", host) == (cluster["type"], address(cluster)["address"])
    assert "cluster_type" not in cluster


def test_tls(compiled: Compile) -> None:
    """SNI, the CA file, the name in the certificate, HTTP/2 where the provider offers it."""
    cluster = one(compiled, "https://api.example")
    socket = cluster["transport_socket"]
    tls = socket["typed_config"]
    context = tls["common_tls_context"]

    assert "envoy.transport_sockets.tls" == socket["name"]
    assert "api.example" == tls["sni"]
    assert ["h2", "http/1.1"] == context["alpn_protocols"]
    assert {
        "trusted_ca": {"filename": "/etc/certificates.pem"},
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "api.example"}}],
    } == context["validation_context"]
    assert "auto_config" in cluster["typed_extension_protocol_options"][HTTP_OPTIONS]


def test_tls_to_an_address(compiled: Compile) -> None:
    """No SNI (RFC 6066, section 3), and the address must be in the certificate."""
    tls = one(compiled, "https://[2001:db8::7]")["transport_socket"]["typed_config"]

    assert "sni" not in tls
    names = tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
    assert [{"san_type": "IP_ADDRESS", "matcher": {"exact": "2001:db8::7"}}] == names


def test_plain_http(compiled: Compile) -> None:
    """HTTP/1.1 without TLS; the request line has a path only."""
    cluster = one(compiled, "http://api.example")
    options = cluster["typed_extension_protocol_options"][HTTP_OPTIONS]["explicit_http_config"]

    assert "transport_socket" not in cluster
    assert {"http_protocol_options": {"send_fully_qualified_url": False}} == options


def test_https_through_a_proxy(compiled: Compile) -> None:
    """CONNECT: the proxy's address beside the provider's port, TLS inside. The name is the proxy's to resolve."""
    cluster = one(compiled, "https://api.example:8443", **PROXY)
    outer = cluster["transport_socket"]
    inner = outer["typed_config"]["transport_socket"]

    assert "STATIC" == cluster["type"]
    assert "envoy.transport_sockets.http_11_proxy" == outer["name"]
    assert 8443 == address(cluster)["port_value"]
    host = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]
    metadata = host["metadata"]["typed_filter_metadata"]["envoy.http11_proxy_transport_socket.proxy_address"]
    assert {"address": "192.0.2.1", "port_value": 3128} == metadata["socket_address"]
    assert "api.example" == host["endpoint"]["hostname"] == inner["typed_config"]["sni"]
    assert "envoy.transport_sockets.tls" == inner["name"]


def test_http_through_a_proxy(compiled: Compile) -> None:
    """The proxy is the server; the request line has the whole URL (RFC 9112, section 3.2.2)."""
    cluster = one(compiled, "http://api.example:8000", **PROXY)
    options = cluster["typed_extension_protocol_options"][HTTP_OPTIONS]["explicit_http_config"]

    assert ("STATIC", {"address": "192.0.2.1", "port_value": 3128}) == (cluster["type"], address(cluster))
    assert "transport_socket" not in cluster
    assert {"http_protocol_options": {"send_fully_qualified_url": True}} == options


def test_limits_of_a_cluster(compiled: Compile) -> None:
    """Circuit breakers out of the way, no outlier detection, keep-alive, the channel's time to connect."""
    cluster = one(compiled, "https://api.example", timeouts={"connect": "1.5s"})

    assert "1.500s" == cluster["connect_timeout"]
    assert "outlier_detection" not in cluster
    assert "tcp_keepalive" in cluster["upstream_connection_options"]
    for threshold in cluster["circuit_breakers"]["thresholds"]:
        names = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
        assert all(threshold[name] >= 100_000 for name in names)
    assert ["DEFAULT", "HIGH"] == [each["priority"] for each in cluster["circuit_breakers"]["thresholds"]]


def test_listeners(compiled: Compile) -> None:
    """Address, port and timeout of each; on `::` also IPv4."""
    result = compiled(
        {"model": "a/one", "base_url": "https://a.example"},
        listeners=[
            {"name": "all", "address": "::", "port": 12001, "timeout": "30s"},
            {"name": "here", "port": 12002},
        ],
        overrides={"max_request_bytes": 1000},
    )
    every, here = yaml.safe_load(render(result.envoy)[LISTENERS])["resources"]
    manager = every["filter_chains"][0]["filters"][0]["typed_config"]
    host = manager["route_config"]["virtual_hosts"][0]

    assert {"address": "::", "port_value": 12001, "ipv4_compat": True} == every["address"]["socket_address"]
    assert {"address": "127.0.0.1", "port_value": 12002} == here["address"]["socket_address"]
    assert ("30.000s", "30.000s") == (manager["stream_idle_timeout"], host["routes"][1]["route"]["idle_timeout"])
    assert host["request_body_buffer_limit"] > 1000
    assert "0s" == host["routes"][1]["route"]["timeout"]
    assert (
        ACCESS_LOG_FORMAT
        == manager["access_log"][0]["typed_config"]["log_format"]["text_format_source"]["inline_string"]
    )


@pytest.mark.parametrize(("version", "times"), [((1, 37, 0), 0), ((1, 38, 0), 1)])
def test_content_length_by_version(compiled: Compile, version: tuple[int, ...], times: int) -> None:
    """The field is written for the versions that know it only."""
    result = compiled({"model": "a/one", "base_url": "https://a.example"}, envoy_version=version)

    assert times == render(result.envoy)[BOOTSTRAP].count("allow_content_length_header: true")


def test_the_header_of_local_failures_has_an_unguessable_name(compiled: Compile) -> None:
    """The same in `egress`, which sets it, and in `ingress`, which reads and removes it."""
    rendered = render(compiled({"model": "a/one", "base_url": "https://a.example"}).envoy)

    assert "x-plano-local-0123456789abcdef" in rendered[BOOTSTRAP]
    assert 2 == rendered[LISTENERS].count("x-plano-local-0123456789abcdef")


# --- Secrets ---------------------------------------------------------------------------------------------------------

#: What a key may be made of; with a beginning that stands nowhere in the templates.
secrets = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=8, max_size=60).map(
    lambda text: f"sk-{text}"
)


@settings(max_examples=50)
@given(key=secrets, header=secrets, token=secrets)
def test_no_secret_is_rendered(compiled: Compile, key: str, header: str, token: str) -> None:
    """Neither keys nor values of headers, in no spelling; brightstaff has them."""
    result = compiled(
        {
            "model": "a/one",
            "base_url": "https://a.example",
            "access_key": "$KEY",
            "headers": {"X-Whole": "$HEADER", "X-Part": "Token ${TOKEN}"},
        },
        environ={"KEY": key, "HEADER": header, "TOKEN": token},
    )
    written = [*render(result.envoy).values(), repr(result)]

    for secret in (key, header, token):
        spellings = {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]}
        assert not [text for text in written if any(each in text for each in spellings)]
    (channel,) = decode_settings(encode_settings(result.brightstaff)).channels
    assert (key, {"X-Whole": header, "X-Part": f"Token {token}"}) == (channel.key, channel.headers)


def test_no_literal_secret_is_rendered(compiled: Compile) -> None:
    """A key that stands in config.yaml itself."""
    result = compiled(
        {
            "model": "a/one",
            "base_url": "https://a.example",
            "access_key": "sk-literal-secret",
            "headers": {"X-Token": "another-secret"},
        }
    )

    assert not [text for text in [*render(result.envoy).values(), repr(result)] if "secret" in text]


# --- Names that nobody expects ---------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Z"]), min_size=1, max_size=40)


@settings(max_examples=25)
@given(name=names, directory=names.filter(lambda text: "/" not in text))
def test_any_name_stays_one_text(compiled: Compile, name: str, directory: str) -> None:
    """Names and paths arrive in Envoy as they are: nothing in them is taken for YAML or for a template."""
    home = PlanoHome(Path("/") / directory)
    ca_file = f"/{directory}/ca.pem"
    result = compiled(
        {"model": "a/one", "base_url": "https://a.example"}, listeners=[{"name": name}], home=home, ca_file=ca_file
    )
    rendered = render(result.envoy)
    (listener,) = yaml.safe_load(rendered[LISTENERS])["resources"]
    (cluster,) = yaml.safe_load(rendered[CLUSTERS])["resources"]
    validation = cluster["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]

    assert name == listener["name"]
    assert ca_file == validation["trusted_ca"]["filename"]
    assert str(home.logs / "access_llm.log") == manager["access_log"][0]["typed_config"]["path"]


@pytest.mark.parametrize("name", ["😀", "a\u2028b", "\u0085", "\x7f", 'a"b\\c', "{{ x }}", "%END%", "a: b # c", "'"])
def test_particular_characters(compiled: Compile, name: str) -> None:
    """What JSON and YAML write differently, or what one of the languages means something by."""
    ca_file = f"/{name}.pem"
    result = compiled({"model": "a/one", "base_url": "https://a.example"}, ca_file=ca_file)

    assert ca_file in set(texts(yaml.safe_load(render(result.envoy)[CLUSTERS])))


@pytest.mark.parametrize(("number", "suffixes"), [(1, [""]), (3, ["-1", "-2", "-3"])])
def test_workers(compiled: Compile, number: int, suffixes: list[str]) -> None:
    """Each has a socket, a cluster and an `egress` of its own; all attempts of a request go to the same one."""
    result = compiled({"model": "a/one", "base_url": "https://a.example"}, workers=number)
    rendered = {name: yaml.safe_load(text) for name, text in render(result.envoy).items()}
    static = rendered[BOOTSTRAP]["static_resources"]
    *workers, attempt = static["clusters"]
    assert [f"brightstaff{each}" for each in suffixes] == [each["name"] for each in workers]
    pipes = [
        each["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["pipe"] for each in workers
    ]
    assert [str(each.socket) for each in result.envoy.workers] == [each["path"] for each in pipes]
    assert [f"egress{each}" for each in suffixes] == [each["name"] for each in static["listeners"]]
    filters = [
        each["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"][1] for each in static["listeners"]
    ]
    asked = [each["typed_config"]["grpc_service"]["envoy_grpc"]["cluster_name"] for each in filters]
    assert [f"brightstaff{each}" for each in suffixes] == asked
    endpoints = attempt["load_assignment"]["endpoints"][0]["lb_endpoints"]
    names = [each["endpoint"]["address"]["envoy_internal_address"]["server_listener_name"] for each in endpoints]
    assert [f"egress{each}" for each in suffixes] == names
    manager = rendered[LISTENERS]["resources"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    (route,) = [each["route"] for each in manager["route_config"]["virtual_hosts"][0]["routes"] if "route" in each]
    by_id = [{"header": {"header_name": "x-plano-request-id"}, "terminal": True}]
    assert (("RING_HASH", by_id) if number > 1 else (None, None)) == (
        attempt.get("lb_policy"),
        route.get("hash_policy"),
    )
