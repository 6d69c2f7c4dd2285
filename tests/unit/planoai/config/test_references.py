"""`$NAME` references: their forms, where they are expanded, and what is said about those that cannot be."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planoai.config.references import combined, expand, is_reference, resolve

VARIABLES = {"KEY": "value", "A_1": "one", "DOLLAR": "a$KEY"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$KEY", "value"),
        ("${KEY}", "value"),
        ("${KEY:-default}", "value"),
        ("${NONE:-default}", "default"),
        ("${NONE:-}", ""),
        ("${NONE:-a:-b c}", "a:-b c"),
        ("https://$KEY/v1", "https://value/v1"),
        ("Bearer $KEY", "Bearer value"),
        ("$KEY$A_1", "value$A_1"),
        ("${KEY}${A_1}", "valueone"),
        ("ab$KEY", "ab$KEY"),
        ("$$KEY", "$$KEY"),
        ("${KEY}_x", "value_x"),
        ("$5 and $", "$5 and $"),
        ("$DOLLAR", "a$KEY"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_forms(text: str, expected: str) -> None:
    """The three forms are replaced once, wherever they stand; everything else stays."""
    expansion = expand(text, VARIABLES)
    assert expected == expansion.text
    assert () == expansion.missing
    assert not expansion.malformed


@pytest.mark.parametrize("text", ["sk-ab$KEY", "pa$$KEY", "$KEY-x", "$5", "a$", "sk$"])
def test_literal_key_with_a_dollar_survives(text: str) -> None:
    """Inside a longer key `$NAME` is no reference."""
    assert text == expand(text, VARIABLES, bare_inside=False).text


@pytest.mark.parametrize(("text", "expected"), [("$KEY", "value"), ("a-${KEY}-b", "a-value-b"), ("${NONE:-x}y", "xy")])
def test_references_in_keys(text: str, expected: str) -> None:
    """A key may be one reference, or hold references in braces."""
    assert expected == expand(text, VARIABLES, bare_inside=False).text


@pytest.mark.parametrize("text", ["${env:KEY}", "${KEY-x}", "${KEY", "${}", "${1}", "${KEY:?no}"])
def test_malformed(text: str) -> None:
    """A `${` that begins no known form is noticed."""
    assert expand(text, VARIABLES).malformed
    assert expand(text, VARIABLES, bare_inside=False).malformed


def test_missing_names() -> None:
    """Every missing variable is named, and left as it stands."""
    expansion = expand("$NONE/${NOR}/$KEY", VARIABLES)
    assert ("NONE", "NOR") == expansion.missing
    assert "$NONE/${NOR}/value" == expansion.text
    assert ("NONE", "NOR", "KEY") == expansion.names


@given(st.text(st.characters(exclude_characters="$")))
def test_text_without_a_dollar_is_untouched(text: str) -> None:
    """Without a dollar nothing happens."""
    assert text == expand(text, VARIABLES).text


@given(st.text(min_size=1), st.booleans())
def test_values_are_not_expanded_again(value: str, bare_inside: bool) -> None:
    """What a variable holds is taken as it is."""
    assert value == expand("$KEY", {"KEY": value, "X": "no"}, bare_inside=bare_inside).text


@pytest.mark.parametrize(
    ("text", "expected"), [("$KEY", True), ("${KEY}", True), ("${KEY:-x}", False), ("a$KEY", False), ("sk-1", False)]
)
def test_is_reference(text: str, expected: bool) -> None:
    """Only the bare name of a variable may be shown in place of a key."""
    assert expected == is_reference(text)


def test_environment_wins() -> None:
    """The environment overrides `.env`; a variable set to nothing does not."""
    assert {
        "A": "env",
        "B": "file",
        "C": "file",
        "D": "env",
    } == combined({"A": "env", "B": "", "D": "env"}, {"A": "file", "B": "file", "C": "file"})


def configuration(**provider: Any) -> dict[str, Any]:
    return {"model_providers": [{"model": "a/b", **provider}]}


def test_places() -> None:
    """References are expanded in these values and nowhere else."""
    data: dict[str, Any] = {
        "model_providers": [
            {
                "model": "$KEY/b",
                "name": "$KEY",
                "access_key": "$KEY",
                "base_url": "https://$KEY",
                "http_host": "$KEY",
                "proxy": "http://$KEY:1",
                "headers": {"X": "Bearer $KEY"},
            }
        ],
        "overrides": {"upstream_tls_ca_path": "$KEY/ca", "llm_routing_model": "$KEY"},
        "routing_preferences": [{"description": "$KEY"}],
        "state_storage": {"connection_string": "$NONE"},
        "routing": {
            "session_cache": {"url": "redis://:${KEY}@h", "key_prefix": "$KEY"},
            "remote": {"base_url": "http://$KEY", "access_key": "$A_1", "model": "$KEY"},
        },
    }
    before = copy.deepcopy(data)
    resolution = resolve(data, VARIABLES, {})
    assert before == data
    assert {
        "model": "$KEY/b",
        "name": "$KEY",
        "access_key": "value",
        "base_url": "https://value",
        "http_host": "value",
        "proxy": "http://value:1",
        "headers": {"X": "Bearer value"},
    } == resolution.data["model_providers"][0]
    assert {"upstream_tls_ca_path": "value/ca", "llm_routing_model": "$KEY"} == resolution.data["overrides"]
    assert "$KEY" == resolution.data["routing_preferences"][0]["description"]
    assert {
        "session_cache": {"url": "redis://:value@h", "key_prefix": "$KEY"},
        "remote": {"base_url": "http://value", "access_key": "one", "model": "$KEY"},
    } == resolution.data["routing"]
    assert {"value", "one"} == resolution.secrets
    assert {} == resolution.missing
    assert {0: "$KEY"} == resolution.key_names


def test_missing_are_collected() -> None:
    """A variable that is missing in several places is listed once with all of them."""
    resolution = resolve(configuration(access_key="$NONE", headers={"X": "${NONE}"}, base_url="$NOR"), {}, {})
    path = ("model_providers", 0)
    assert {
        "NONE": [(*path, "access_key"), (*path, "headers", "X")],
        "NOR": [(*path, "base_url")],
    } == resolution.missing
    assert resolution.unresolved == {(*path, "access_key"), (*path, "headers", "X"), (*path, "base_url")}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("$KEY", "$KEY"),
        ("${KEY}", "$KEY"),
        ("${NONE:-x}", "$NONE"),
        ("${KEY}${A_1}", "$KEY, $A_1"),
        ("sk-1", "literal key"),
        ("", "no key"),
    ],
)
def test_key_names(key: str, expected: str) -> None:
    """In logs a key is called by its variable, never by its value."""
    assert {0: expected} == resolve(configuration(access_key=key), VARIABLES, {}).key_names


def test_bare_name_of_a_variable() -> None:
    """The name of a variable without its dollar is a likely mistake; other capitals are a key like any other."""
    (finding,) = resolve(configuration(access_key="A_1"), VARIABLES, {}).findings
    assert ("warning", "Did you mean `access_key: $A_1`?") == (finding.severity, finding.remedy)
    assert [] == resolve(configuration(access_key="B_1"), VARIABLES, {}).findings


@pytest.mark.parametrize("key", ["os.environ/KEY", "env:KEY", "env.KEY", "%KEY%", "{{ KEY }}"])
def test_forms_of_other_programs(key: str) -> None:
    """References as other programs write them are noticed."""
    (finding,) = resolve(configuration(access_key=key), {}, {}).findings
    assert "Did you mean `access_key: $KEY`?" == finding.remedy


def test_secrets() -> None:
    """Literal keys, header values and what variables put into them are secrets; hosts are not."""
    data = configuration(access_key="sk-literal", headers={"X": "Bearer $KEY", "Y": 12345678}, base_url="https://$A_1")
    assert {"sk-literal", "value", "12345678"} == resolve(data, VARIABLES, {}).secrets
    assert "sk-literal" not in repr(resolve(data, VARIABLES, {}))


@pytest.mark.parametrize(
    "data",
    [{}, {"model_providers": None}, {"model_providers": ["x", {"headers": "x"}, {"access_key": 5}]}, {"overrides": []}]
    + [{"routing": each} for each in ([], {"remote": []}, {"session_cache": {"url": 5}})],
)
def test_wrong_types_are_left_alone(data: dict[str, Any]) -> None:
    """What is not what it should be is told by the validation."""
    assert data == resolve(data, {}, {}).data
