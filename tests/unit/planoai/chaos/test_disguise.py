"""planoai.chaos.disguise: a user's configuration, with simulated providers in place of the real ones."""

from planoai.chaos.disguise import asked_model, channel_path, disguise, stand_ins
from planoai.chaos.kinds import FIRST_TOKEN_S, IDLE_S
from planoai.config import LoadedConfig, parse_config
from planoai.config.endpoint import endpoint_of

CONFIG = """
version: v0.4.0
workers: 4
listeners:
  - {type: model, name: everywhere, address: 0.0.0.0, port: 80}
  - {type: model, name: second, address: 0.0.0.0, port: 81}
model_providers:
  - model: one/m
    base_url: $ONE_URL
    access_key: $SHARED
    http_host: internal.example
    headers: {X-Team: secret-team}
    proxy: http://proxy.example:3128
    timeouts: {first_token: 30s, idle: 5m}
    retry_policy: {fallback_models: [two/m]}
  - {model: two/m, base_url: "https://two.example/api/v2", access_key: $SHARED}
  - {model: three/m, base_url: "https://three.example", access_key: $OTHER, timeouts: {idle: 0.5}}
  - {model: openai/*, access_key: "${OPENAI:-none}"}
  - {model: local/m, base_url: "http://127.0.0.1:1"}
"""


def loaded() -> LoadedConfig:
    """The configuration as it was read."""
    values = {"ONE_URL": "https://one.example", "SHARED": "sk-real-shared", "OTHER": "sk-real-other"}
    return parse_config(CONFIG, "config.yaml", values, {})


def test_nothing_real_is_left() -> None:
    """Neither host, key, proxy nor header; one listener on loopback; one worker."""
    config = disguise(loaded(), "http://127.0.0.1:9000", 7000).config
    text = config.model_dump_json() + "".join(
        "" if each.access_key is None else each.access_key.get_secret_value() for each in config.model_providers
    )
    assert [word for word in ("sk-real", "example", "secret-team") if word in text] == []
    assert {"direct"} == {each.proxy for each in config.model_providers}
    assert [("127.0.0.1", 7000)] == [(each.address, each.port) for each in config.listeners]
    assert 1 == config.workers


def test_channels_are_told_apart_by_their_paths() -> None:
    """However their keys are shared."""
    config = disguise(loaded(), "http://127.0.0.1:9000", 7000).config
    paths = [endpoint_of(each).path_prefix for each in config.model_providers]
    assert [f"{channel_path(number)}/v1" for number in range(5)] == paths


def test_who_shared_a_key_still_does() -> None:
    """What is held against one is held against both; a channel without a key has none."""
    found = [each.access_key for each in disguise(loaded(), "http://127.0.0.1:9000", 7000).config.model_providers]
    one, two, three, four, five = [None if each is None else each.get_secret_value() for each in found]
    assert one == two
    assert 3 == len({one, three, four})
    assert five is None


def test_time_outs_are_shortened_and_the_rest_stays() -> None:
    """Shorter ones stay as they are; policies are untouched."""
    before = loaded()
    one, _, three, *_ = disguise(before, "http://127.0.0.1:9000", 7000).config.model_providers
    assert (FIRST_TOKEN_S, IDLE_S) == (one.timeouts.first_token, one.timeouts.idle)
    assert (None, 0.5) == (three.timeouts.first_token, three.timeouts.idle)
    assert before.config.model_providers[0].retry_policy == one.retry_policy


def test_variables_that_nobody_set() -> None:
    """Each gets a value that does for a key and for a URL; those that are set keep theirs."""
    found = stand_ins(CONFIG, ["SHARED", "HOME"])
    assert {"ONE_URL", "OTHER", "OPENAI"} == set(found)
    parse_config(CONFIG, "config.yaml", {"SHARED": "sk", **found}, {})


def test_variables_in_every_place() -> None:
    """Whole values and parts of them, in block and in flow style: the configuration is accepted without any of them."""
    text = """
version: v0.4.0
model_providers:
  - {model: one/m, base_url: $URL, access_key: $KEY, http_host: "$HOST", proxy: $PROXY, headers: {X-Team: $TEAM}}
  - model: two/m
    base_url: "https://${NAME}:${PORT}/api/$FOLDER"
    access_key: "sk-${HALF}"
    http_host: ${SECOND_HOST}
    proxy: http://$PROXY_HOST:3128
"""
    found = stand_ins(text, ())
    assert 11 == len(found)
    one, two = parse_config(text, "config.yaml", {}, found).config.model_providers
    assert ("https://chaos.invalid/URL", "chaos.invalid", "direct") == (one.base_url, one.http_host, one.proxy)
    assert "https://chaos.invalid:443/api/chaos-FOLDER" == two.base_url
    assert ("chaos.invalid", "http://chaos.invalid:3128") == (two.http_host, two.proxy)


def test_what_a_client_asks_for() -> None:
    """A wildcard is asked for one of its models."""
    providers = loaded().config.model_providers
    assert ["one/m", "two/m", "three/m", "openai/chaos-model", "local/m"] == [asked_model(each) for each in providers]
