"""From files to a configuration, or to the complete list of what is wrong."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planoai.config import ConfigError, Problem, load_config, parse_config, recommended_config_text, render_problems

KEYS = {
    "CLAUDE_API_KEY": "sk-secret-claude",
    "CLAUDE_AWS_API_KEY": "sk-secret-aws",
    "CLAUDE_OFFCIAL_API_KEY": "sk-secret-official",
    "CODEX_API_KEY": "sk-secret-codex",
}


def problems_of(
    text: str, environ: dict[str, str] | None = None, dotenv: dict[str, str] | None = None
) -> tuple[Problem, ...]:
    try:
        return parse_config(text, "config.yaml", environ or {}, dotenv or {}).notices
    except ConfigError as error:
        return error.problems


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(recommended_config_text(), encoding="utf-8")
    return tmp_path


def write_dotenv(directory: Path, text: str, mode: int = 0o600) -> None:
    path = directory / ".env"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def test_recommended_config(directory: Path) -> None:
    """The recommended configuration loads as it is: seven channels, four keys, seven routes, no remark."""
    loaded = load_config(directory / "config.yaml", KEYS)
    assert () == loaded.notices
    assert directory / "config.yaml" == loaded.path
    config = loaded.config
    assert [("smart_routing", "0.0.0.0", 12000)] == [
        (listener.name, listener.address, listener.port) for listener in config.listeners
    ]
    assert [
        ("custom/claude-opus-4-6", "sk-secret-claude", True),
        ("custom/claude-sonnet-4-6", "sk-secret-claude", False),
        ("custom-aws/claude-opus-4-6", "sk-secret-aws", False),
        ("custom-offcial/claude-opus-4-6", "sk-secret-official", False),
        ("custom/gpt-5.4", "sk-secret-codex", False),
        ("custom/gemini-3-flash-preview", "sk-secret-codex", False),
        ("custom/gemini-3.1-pro-preview", "sk-secret-codex", False),
    ] == [
        (provider.name, provider.access_key.get_secret_value() if provider.access_key else None, provider.default)
        for provider in config.model_providers
    ]
    policy = config.model_providers[0].retry_policy
    assert policy is not None
    assert ("custom-aws/claude-opus-4-6", "custom-offcial/claude-opus-4-6") == policy.fallback_models
    assert [True, True, True, False] == [policy.on_status_codes[0].matches(status) for status in (401, 429, 503, 500)]
    assert 7 == len(config.routing_preferences)
    assert not any("\n" in route.description or "  " in route.description for route in config.routing_preferences)
    assert "$CLAUDE_AWS_API_KEY" == loaded.key_names["custom-aws/claude-opus-4-6"]
    assert "sk-secret" not in repr(loaded)


def test_recommended_config_without_keys(directory: Path) -> None:
    """Without keys the four variables are listed, each once, with its lines and where it was looked for."""
    with pytest.raises(ConfigError) as caught:
        load_config(directory / "config.yaml", {})
    problems = caught.value.problems
    assert [
        (10, "the variable CLAUDE_API_KEY is not set, used on lines 10, 24"),
        (29, "the variable CLAUDE_AWS_API_KEY is not set"),
        (34, "the variable CLAUDE_OFFCIAL_API_KEY is not set"),
        (39, "the variable CODEX_API_KEY is not set, used on lines 39, 44, 49"),
    ] == [(problem.line, problem.message) for problem in problems]
    assert all(str(directory / ".env") in problem.remedy for problem in problems)


def test_keys_from_dotenv(directory: Path) -> None:
    """`.env` beside the configuration gives the keys."""
    write_dotenv(directory, "\n".join(f"export {name}='{key}'" for name, key in KEYS.items()))
    loaded = load_config(directory / "config.yaml", {})
    assert () == loaded.notices
    assert loaded.config.model_providers[4].access_key is not None
    assert "sk-secret-codex" == loaded.config.model_providers[4].access_key.get_secret_value()


def test_environment_wins_over_dotenv(directory: Path) -> None:
    """What the environment sets overrides `.env`; what it sets to nothing does not."""
    write_dotenv(directory, "\n".join(f"{name}={key}" for name, key in KEYS.items()))
    loaded = load_config(directory / "config.yaml", {"CODEX_API_KEY": "sk-other", "CLAUDE_API_KEY": ""})
    keys = [provider.access_key.get_secret_value() for provider in loaded.config.model_providers if provider.access_key]
    assert ("sk-other", "sk-secret-claude") == (keys[4], keys[0])


def test_empty_in_dotenv(directory: Path) -> None:
    """A variable that is set to nothing counts as missing, and is told so."""
    write_dotenv(directory, "CODEX_API_KEY=\n")
    with pytest.raises(ConfigError, match=r"CODEX_API_KEY is set to nothing in .*\.env"):
        load_config(directory / "config.yaml", {name: key for name, key in KEYS.items() if name != "CODEX_API_KEY"})


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_exposed_dotenv(directory: Path) -> None:
    """A `.env` that others can read is told, with the remedy."""
    write_dotenv(directory, "X=1\n", 0o644)
    (problem,) = load_config(directory / "config.yaml", KEYS).notices
    assert ("warning", f"Run: chmod 600 {directory / '.env'}") == (problem.severity, problem.remedy)


def test_malformed_dotenv(directory: Path) -> None:
    """Remarks about `.env` come with those about the configuration, also when it cannot be used."""
    write_dotenv(directory, "=sk-secret\n")
    assert [".env"] == [Path(problem.file).name for problem in load_config(directory / "config.yaml", KEYS).notices]
    with pytest.raises(ConfigError) as caught:
        load_config(directory / "config.yaml", {})
    assert [Path(problem.file).name for problem in caught.value.problems] == [".env"] + ["config.yaml"] * 4


@pytest.mark.parametrize("content", [b"A=\xff\n", "A=1\n".encode("utf-16")])
def test_dotenv_in_another_encoding(directory: Path, content: bytes) -> None:
    """A `.env` that is not UTF-8 is refused by name."""
    (directory / ".env").write_bytes(content)
    with pytest.raises(ConfigError, match=r"\.env:1: error: .*UTF"):
        load_config(directory / "config.yaml", KEYS)


def test_dotenv_directory(directory: Path) -> None:
    """A directory called `.env` is told as such."""
    (directory / ".env").mkdir()
    with pytest.raises(ConfigError, match=r"\.env: error: is a directory"):
        load_config(directory / "config.yaml", KEYS)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("confg.yaml", "Did you mean {0}/config.yaml?"),
        ("x", "In {0} there is: config.yaml."),
        ("d/config.yaml", "The directory {0}/d does not exist"),
    ],
)
def test_missing_file(directory: Path, name: str, remedy: str) -> None:
    """A mistyped file is an error with the nearest name, never another file."""
    with pytest.raises(ConfigError) as caught:
        load_config(directory / name, KEYS)
    (problem,) = caught.value.problems
    assert ("there is no such file", None) == (problem.message, problem.line)
    assert problem.remedy.startswith(remedy.format(directory))


def test_missing_file_in_an_empty_directory(tmp_path: Path) -> None:
    """Where there is nothing, the first step is named."""
    with pytest.raises(ConfigError, match="planoai init"):
        load_config(tmp_path / "config.yaml", KEYS)


def test_directory_given(directory: Path) -> None:
    """A directory is an error that names the file in it."""
    with pytest.raises(ConfigError, match=re.escape(f"Name the file in it: {directory / 'config.yaml'}")):
        load_config(directory, KEYS)


def test_empty_directory_given(tmp_path: Path) -> None:
    """A directory without YAML files is told as such."""
    with pytest.raises(ConfigError, match="there is none in this directory"):
        load_config(tmp_path, KEYS)


def test_parent_is_a_file(directory: Path) -> None:
    """A path through a file cannot be read, and says why."""
    with pytest.raises(ConfigError, match="cannot be read: not a directory"):
        load_config(directory / "config.yaml" / "x", KEYS)


def test_not_utf8(tmp_path: Path) -> None:
    """A file in another encoding is refused with the line of the first foreign byte."""
    path = tmp_path / "config.yaml"
    path.write_bytes(b"version: v0.4.0\nname: \xe9\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:2: error: is not UTF-8 text"):
        load_config(path, KEYS)


def test_byte_order_mark(directory: Path) -> None:
    """A byte order mark is skipped with a notice."""
    path = directory / "config.yaml"
    path.write_text("\ufeff" + recommended_config_text(), encoding="utf-8")
    (problem,) = load_config(path, KEYS).notices
    assert ("notice", 1) == (problem.severity, problem.line)


MANY_MISTAKES = """\
version: 0.4
listeners:
  - type: model
    port: 70000
model_providers:
  - model: custom/opus
    base_url: api.example.com
    acces_key: $KEY_A
    retry_policy:
      fallback_models: [custom-aws/opsu]
      default_strategy: other
  - model: custom-aws/opus
    base_url: https://h
    access_key: $KEY_B
    default: true
  - model: custom/gpt
    base_url: https://h
    access_key: $KEY_B
    default: true
  - name: nameless
model_aliases:
  fast: {target: custom/gtp}
routing_preferences:
  - name: code
    description: d
    models: [custom/opus, custom/nothing]
"""


def test_all_mistakes_in_one_run() -> None:
    """Mistakes of form, mistakes between values and missing variables are told together, in the order of the file."""
    errors = [problem for problem in problems_of(MANY_MISTAKES) if problem.severity == "error"]
    assert [1, 4, 7, 8, 10, 11, 19, 20, 22, 26, 14] == [problem.line for problem in errors]
    assert "the variable KEY_B is not set, used on lines 14, 18" == errors[-1].message


def test_places_in_older_forms() -> None:
    """After migration, messages still point at what stands in the file."""
    text = "llm_providers:\n  - model: openai/gpt\n    access_key: $NONE\n    retry:\n      fallback_models: [x/y]\n"
    assert [
        (3, "llm_providers[openai/gpt].access_key"),
        (5, "llm_providers[openai/gpt].retry.fallback_models[0]"),
    ] == sorted((problem.line, problem.path) for problem in problems_of(text) if problem.severity == "error")


def test_places_after_a_broken_provider() -> None:
    """A provider that is taken out does not shift the lines of the others."""
    text = "model_providers:\n  - model: bad\n  - model: openai/gpt\n    access_key: k\n    proxy: p\n"
    assert [2, 5] == [problem.line for problem in problems_of(text)]


def test_value_is_not_judged_while_a_variable_is_missing() -> None:
    """A URL with a missing variable gives one message, not two."""
    (problem,) = problems_of("model_providers:\n  - model: custom/m\n    base_url: $HOST_URL\n")
    assert "HOST_URL is not set" in problem.message


def test_expanded_values_are_judged_but_not_shown() -> None:
    """What a variable brings is judged like anything else; the message shows the variable."""
    (problem,) = problems_of(
        "model_providers:\n  - model: custom/m\n    base_url: $HOST_URL\n", {"HOST_URL": "h/secret-path"}
    )
    assert ("`base_url` is not a complete URL", "$HOST_URL") == (problem.message, problem.value)


def test_name_of_the_key_is_shown_where_it_is_a_variable() -> None:
    """A bad key from a variable is called by the variable's name."""
    (problem,) = problems_of(
        "model_providers:\n  - model: openai/m\n    access_key: $KEY\n", {}, {"KEY": "sk-secret with space"}
    )
    assert "$KEY" == problem.value


def test_similar_variable() -> None:
    """A variable with nearly that name is suggested."""
    (problem,) = problems_of("model_providers:\n  - model: openai/m\n    access_key: $CLAUDE_KEY\n", {"CLAUD_KEY": "x"})
    assert problem.remedy.endswith("Did you mean $CLAUD_KEY?")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("access_key: $KEY", "$KEY"),
        ("access_key: sk-1", "literal key"),
        ("passthrough_auth: true", "the client's key"),
        ("default: true", "no key"),
    ],
)
def test_key_names(lines: str, expected: str) -> None:
    """Logs can say which key was used without saying the key."""
    text = f"model_providers:\n  - model: custom/m\n    base_url: https://h\n    {lines}\n"
    assert {"custom/m": expected} == dict(parse_config(text, "config.yaml", {"KEY": "x"}, {}).key_names)


def test_default_listener() -> None:
    """Without listeners there is one on loopback."""
    loaded = parse_config("model_providers: [{model: openai/m, access_key: k}]", "config.yaml", {}, {})
    assert [("egress_traffic", "127.0.0.1", 12000)] == [
        (listener.name, listener.address, listener.port) for listener in loaded.config.listeners
    ]


def test_inline_routes_are_lifted() -> None:
    """Routes under a model are at the top level in the result."""
    text = (
        "model_providers:\n  - model: openai/m\n    access_key: k\n    routing_preferences:\n"
        "      - {name: code, description: writing code}\n"
    )
    routes = parse_config(text, "config.yaml", {}, {}).config.routing_preferences
    assert [("code", ("openai/m",))] == [(route.name, route.models) for route in routes]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("port: high", "high"),
        ('port: "12000"', '"12000"'),
        ("port: ''", '""'),
        ("timeout: [1, 2]", "a list of 2"),
        ("timeout: {a: 1}", "an object"),
        ("name: {a: 1}", None),
        (f"address: {'x' * 100}", "x" * 79 + "…"),
    ],
)
def test_values_are_shown_as_written(written: str, shown: str | None) -> None:
    """A scalar is shown as it stands in the file, quotes included; of lists and objects only the kind."""
    text = f"model_providers: [{{model: openai/m, access_key: k}}]\nlisteners:\n  - {written}\n"
    (problem,) = problems_of(text)
    assert problem.value == shown


@pytest.mark.parametrize(
    "address", ["https://user:pw@h", "https://h?key=x", "https://h/v1#x", "user:pw@h", "ftp://a?b@c"]
)
def test_addresses_that_may_hold_a_secret(address: str) -> None:
    """A URL with a user, a query or a fragment is not shown."""
    for problem in problems_of(f"model_providers:\n  - model: custom/m\n    base_url: {address}\n"):
        assert problem.value in ("***", None)


SECRETS = st.text(
    st.characters(codec="ascii", categories=("L", "N", "P", "S"), exclude_characters="$"), min_size=10, max_size=40
).map(lambda text: f"{text}q7Zx")
TEMPLATES = (
    "access_key: {0}",
    "access_key: '{0}'",
    'access_key: "{0}"',
    "access_key: {0} x",
    "access_key: [{0}]",
    "access_key: {{x: {0}}}",
    "access_key: |\n      {0}",
    "access_key:{0}",
    "acces_key: {0}",
    "access_key: $KEY",
    "access_key: ${{KEY}} x",
    "access_key: ${{NONE:-{0}}} x",
    "headers: {0}",
    "headers: {{X: {0}}}",
    "headers:\n      X: {0}\n      x: {0}",
    "headers: {{'X Y': $KEY}}",
    "headers: [{0}]",
    "base_url: https://user:{0}@h",
    "base_url: https://{0}@h/v1",
    "base_url: https://h/v1?key={0}",
    "base_url: ftp://h/v1?key={0}",
    "proxy: http://user:{0}@h:1",
    "proxy: user:{0}@h:1",
)


@given(SECRETS, st.sampled_from(TEMPLATES), st.booleans())
def test_secrets_are_never_shown(secret: str, template: str, broken: bool) -> None:
    """However a key is written, neither a problem nor the loaded configuration shows it."""
    text = f"model_providers:\n  - model: {'' if broken else 'openai/'}m\n    {template.format(secret)}\n"
    try:
        loaded = parse_config(text, "config.yaml", {"KEY": secret}, {})
    except ConfigError as error:
        shown = f"{error} {error!r}"
    else:
        shown = f"{loaded!r} {render_problems(loaded.notices)}"
    assert secret not in shown
    assert "q7Zx" not in shown


@given(SECRETS, SECRETS)
def test_keys_with_a_dollar_are_not_shown(first: str, second: str) -> None:
    """A dollar inside a literal key makes no variable of what follows it."""
    key = f"k{first}${second}".replace("'", "")
    text = f"model_providers:\n  - model: openai/m\n    access_key: '{key}'\n    headers: {{X: 5}}\n"
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "config.yaml", {}, {})
    assert "q7Zx" not in str(caught.value)
