"""What is refused before anything runs, and with which words."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import trustme
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from planoai.config_generator import CompiledGateway
from planoai.envoy_check import check_types, check_with_envoy, merged_bootstrap
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.rendering import BOOTSTRAP, CLUSTERS, LISTENERS, render

Compile = Callable[..., CompiledGateway]

HTTPS = {"model": "a/one", "base_url": "https://a.example"}

#: Quotes, braces, templates, colons, comments, anchors, formatters, other scripts.
HOSTILE = [
    "it's",
    'say-"hi"',
    "{{model}}",
    "{%raw%}",
    "{#note#}",
    "${HOME}",
    "key:value",
    ":",
    "#",
    "&anchor",
    "!tag",
    "|",
    "%REQ(authorization)%",
    "%",
    "back\\slash",
    "\\u0041",
    "a/b/c",
    "...",
    "null",
    "模型",
    "😀",
    "é",
    "<script>",
    "x" * 300,
]

#: Every form a cluster can have.
FORMS = [
    {"model": "form/tls", "base_url": "https://a.example:8443/v1"},
    {"model": "form/plain", "base_url": "http://a.example"},
    {"model": "form/ipv4", "base_url": "https://192.0.2.7"},
    {"model": "form/ipv6", "base_url": "https://[2001:db8::7]:444"},
    {"model": "form/plain-ipv6", "base_url": "http://[::1]:8000"},
    {"model": "form/proxied", "base_url": "https://a.example", "proxy": "http://proxy.example:3128"},
    {"model": "form/plain-proxied", "base_url": "http://a.example", "proxy": "http://other-proxy.example:3128"},
    {"model": "form/proxied-ipv6", "base_url": "https://[2001:db8::7]", "proxy": "http://proxy.example:3128"},
    {"model": "wild/*", "base_url": "https://a.example"},
]


@pytest.fixture
def rendered(compiled: Compile) -> Mapping[str, str]:
    """The resources of one https channel."""
    return render(compiled(HTTPS).envoy)


def changed(rendered: Mapping[str, str], name: str, old: str, new: str) -> dict[str, str]:
    """The resources with one text in one file replaced."""
    assert old in rendered[name]
    return {**rendered, name: rendered[name].replace(old, new)}


def fake_envoy(path: Path, script: str) -> Path:
    """A program that is called as Envoy is."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


# --- Types -----------------------------------------------------------------------------------------------------------


def test_every_form_has_the_right_types(compiled: Compile) -> None:
    """TLS and plain, names and addresses, with proxies and without, in all versions of Envoy."""
    for version in ((1, 37, 0), (1, 40, 0)):
        check_types(render(compiled(*FORMS, envoy_version=version).envoy))


@pytest.mark.parametrize(
    ("name", "old", "new", "resource", "reason"),
    [
        (CLUSTERS, "connect_timeout:", "connect_time:", "a/one", "Unknown field 'connect_time' in message Cluster"),
        (CLUSTERS, "alpn_protocols:", "alpn:", "a/one", "Unknown field 'alpn' in message CommonTlsContext"),
        (CLUSTERS, "max_retries: 1000000", "max_retries: many", "a/one", "many"),
        (CLUSTERS, "dns_lookup_family: ALL", "dns_lookup_family: SOME", "a/one", "SOME"),
        (LISTENERS, "stat_prefix:", "prefix:", "egress_traffic", "Unknown field 'prefix'"),
        (LISTENERS, "num_retries: 152", "num_retries: 1.5", "egress_traffic", "1.5"),
        (BOOTSTRAP, "node:", "nodes:", "Bootstrap", "Unknown field 'nodes' in message Bootstrap"),
        (BOOTSTRAP, "failure_mode_allow: false", "failure_mode: false", "Bootstrap", "Unknown field 'failure_mode'"),
    ],
)
def test_mistakes_in_a_template(
    rendered: Mapping[str, str], name: str, old: str, new: str, resource: str, reason: str
) -> None:
    """An unknown field or a wrong type, at any depth: file, resource and reason are in the message."""
    with pytest.raises(PlanoError) as caught:
        check_types(changed(rendered, name, old, new))

    assert str(caught.value).startswith(f"the rendered {name} is not valid: {resource}: ")
    assert reason in str(caught.value)
    assert "report" in caught.value.remedy


@settings(max_examples=20)
@given(
    model=st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="*"), min_size=1, max_size=30),
    listener=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30),
)
def test_any_name_is_accepted(compiled: Compile, model: str, listener: str) -> None:
    """Whatever config.yaml lets through."""
    result = compiled({"model": f"a/{model}", "base_url": "https://a.example"}, listeners=[{"name": listener}])

    check_types(render(result.envoy))


# --- Envoy itself ----------------------------------------------------------------------------------------------------


def test_one_document_for_envoy(rendered: Mapping[str, str]) -> None:
    """All listeners and clusters are static; nothing is followed to, and no log is opened."""
    merged = yaml.safe_load(merged_bootstrap(rendered))
    static = merged["static_resources"]

    assert "dynamic_resources" not in merged
    assert ["egress", "egress_traffic"] == [each["name"] for each in static["listeners"]]
    assert ["brightstaff", "attempt", "a/one"] == [each["name"] for each in static["clusters"]]
    assert "access_llm.log" not in merged_bootstrap(rendered)


def test_the_real_envoy_accepts_what_we_render(compiled: Compile, envoy: Path, tmp_path: Path) -> None:
    """Every form of a cluster and hostile names of channels, listeners and homes; nothing is written to the home."""
    home = PlanoHome(tmp_path / "it's {{ a }} 家😀")
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca's.pem")
    hostile = [
        {"model": f"p{n}-{name.partition('/')[0]}/{name}", "base_url": "https://a.example"}
        for n, name in enumerate(HOSTILE)
    ]
    listeners = [{"name": name, "port": 12000 + number} for number, name in enumerate(HOSTILE)]
    rendered = render(
        compiled(*FORMS, *hostile, listeners=listeners, home=home, ca_file=str(tmp_path / "ca's.pem")).envoy
    )

    check_types(rendered)
    check_with_envoy(rendered, envoy, {})
    assert not home.root.exists()


def test_envoys_own_reason(compiled: Compile, envoy: Path, tmp_path: Path) -> None:
    """What only Envoy finds: a CA file without a certificate in it."""
    (tmp_path / "ca.pem").write_text("nothing of use\n")
    rendered = render(compiled(HTTPS, ca_file=str(tmp_path / "ca.pem")).envoy)
    check_types(rendered)
    with pytest.raises(PlanoError, match=r"Envoy refuses its configuration: .*trusted CA certificates from .*ca\.pem"):
        check_with_envoy(rendered, envoy, {})


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo '[info] starting'; echo '[critical] error: no such thing' >&2; echo '[info] exiting'; exit 1",
            "error: no such thing",
        ),
        ("echo it will not do; exit 1", "it will not do"),
        ("exit 1", "no reason given"),
        ("kill -SEGV $$", "no reason given"),
    ],
)
def test_the_line_that_says_why(rendered: Mapping[str, str], tmp_path: Path, script: str, reason: str) -> None:
    """The first line about an error, else the last one."""
    with pytest.raises(PlanoError, match=reason):
        check_with_envoy(rendered, fake_envoy(tmp_path / "envoy", script), {"PATH": "/usr/bin:/bin"})


def test_an_envoy_that_does_not_end(rendered: Mapping[str, str], tmp_path: Path) -> None:
    """It is not waited for without end."""
    endless = fake_envoy(tmp_path / "envoy", "exec sleep 60")
    with pytest.raises(PlanoError, match=r"did not finish checking its configuration within 0\.2 s"):
        check_with_envoy(rendered, endless, {"PATH": "/usr/bin:/bin"}, timeout_s=0.2)


def test_how_envoy_is_called(rendered: Mapping[str, str], tmp_path: Path) -> None:
    """With a private file that is removed, and with the environment that was given and no other."""
    script = f"""
cd {tmp_path}; for file; do :; done
stat -c %a "$file" > mode; echo "$file" > file; env > environ; echo "$@" > arguments
"""
    check_with_envoy(rendered, fake_envoy(tmp_path / "envoy", script), {"PATH": "/usr/bin:/bin", "LANG": "C"})

    assert "600\n" == (tmp_path / "mode").read_text()
    assert not Path((tmp_path / "file").read_text().strip()).exists()
    assert (tmp_path / "arguments").read_text().startswith("--mode validate ")
    names = {line.partition("=")[0] for line in (tmp_path / "environ").read_text().splitlines()}
    assert {"PATH", "LANG"} == names - {"PWD", "SHLVL", "_", "OLDPWD"}
