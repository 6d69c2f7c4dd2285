"""brightstaff.settings: the hand-over from planoai."""

import json
from collections.abc import Callable

import msgspec
import pytest

from brightstaff.settings import (
    Backoff,
    Channel,
    HighLatencyRule,
    RetryAfterHandling,
    RetrySettings,
    Settings,
    StatusRule,
    TimeoutRule,
    decode_settings,
    encode_settings,
)


def test_the_hand_over_survives_the_pipe(
    new_settings: Callable[..., Settings], new_channel: Callable[..., Channel]
) -> None:
    """What planoai encodes brightstaff decodes, every field of it."""
    rule = StatusRule(((429, 429), (500, 503)), "same_model", 4)
    policy = RetrySettings(
        fallback_models=("two/m",),
        fallback_scope="fallback_list_only",
        default_strategy="same_provider",
        default_max_attempts=5,
        on_status_codes=(rule,),
        on_timeout=TimeoutRule("same_model", 2),
        max_retry_duration_s=1.5,
        backoff=Backoff(apply_to="global", jitter=False),
        retry_after=RetryAfterHandling("provider", "request", 60.0),
        on_high_latency=HighLatencyRule(5.0, "total", 3, 60.0, 120.0),
    )
    settings = new_settings(
        new_channel("one/m", retry=policy, headers={"X-A": "ä"}, first_token_timeout_s=1.5, scheme="http"),
        new_channel("two/*", key=None, key_name="", passthrough_auth=True, auth="x-api-key"),
        aliases={"模型": "one/m"},
        max_request_bytes=1,
        max_attempts=2,
        log_level="debug",
        ledger_file="/nowhere/channels.sqlite",
        decision_file="/nowhere/decisions.jsonl",
    )
    assert settings == decode_settings(encode_settings(settings))


def test_optional_fields_have_defaults() -> None:
    """A channel needs its names, its cluster and its address only."""
    channel = {
        "name": "one/m", "prefix": "one", "model": "m", "interface": "openai", "cluster": "c", "authority": "h",
        "path_prefix": "",
    }  # fmt: skip
    document = json.dumps({"socket": "s", "log_file": "l", "channels": [channel]}).encode()
    settings = decode_settings(document)
    assert (64 * 1024 * 1024, 32, "info", {}) == (
        settings.max_request_bytes,
        settings.max_attempts,
        settings.log_level,
        settings.aliases,
    )
    assert ("https", "bearer", None, False, False, None, None, 600.0) == (
        settings.channels[0].scheme,
        settings.channels[0].auth,
        settings.channels[0].key,
        settings.channels[0].passthrough_auth,
        settings.channels[0].default,
        settings.channels[0].retry,
        settings.channels[0].first_token_timeout_s,
        settings.channels[0].idle_timeout_s,
    )


def test_without_files_everything_is_kept_in_memory(new_settings: Callable[..., Settings]) -> None:
    """Neither cool-downs nor decisions are written unless planoai says where."""
    assert ("", "") == (new_settings().ledger_file, new_settings().decision_file)


def test_what_a_retry_after_and_slowness_mean_by_default() -> None:
    """Held against the channel, for all requests, for five minutes at most; one slow beginning blocks for as long."""
    handling, rule = RetrySettings().retry_after, HighLatencyRule(5.0)
    assert ("model", "global", 300.0) == (handling.scope, handling.apply_to, handling.max_s)
    assert ("ttfb", 1, None, 300.0) == (rule.measure, rule.min_triggers, rule.window_s, rule.block_duration_s)
    assert RetrySettings().on_high_latency is None


def test_no_repr_shows_a_secret(new_settings: Callable[..., Settings], new_channel: Callable[..., Channel]) -> None:
    """Neither keys nor the channel's own headers (which may carry some) are in a repr; the key's name is."""
    settings = new_settings(new_channel("one/m", headers={"x-token": "secret-header"}))
    assert ["Settings(channels=1)", "Channel('one/m', key='$ONE_KEY')"] == [repr(settings), repr(settings.channels[0])]
    assert "secret" not in repr(settings.channels)
    assert "Channel('two/m', key=None)" == repr(new_channel("two/m", key=None, key_name=""))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"key": ["secret-value"]}, "key"),
        ({"key": {"secret-value": 1}}, "key"),
        ({"headers": ["secret-value"]}, "headers"),
        ({"headers": {"a": ["secret-value"]}}, "headers"),
        ({"idle_timeout_s": "secret-value"}, "idle_timeout_s"),
        ({"retry": "secret-value"}, "retry"),
    ],
)
def test_errors_name_the_field_and_not_the_value(
    new_settings: Callable[..., Settings], new_channel: Callable[..., Channel], change: dict[str, object], where: str
) -> None:
    """A hand-over of a wrong shape is refused without showing what is in it."""
    document = json.loads(encode_settings(new_settings(new_channel("one/m"))))
    document["channels"][0] |= change
    with pytest.raises(msgspec.ValidationError) as caught:
        decode_settings(json.dumps(document).encode())
    assert f"$.channels[0].{where}" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("document", [b"", b"{", b"null", b"[]", b'{"socket":"s"}', b'{"socket":1}'])
def test_what_is_no_hand_over_is_refused(document: bytes) -> None:
    """Every mistake is a DecodeError of msgspec."""
    with pytest.raises(msgspec.DecodeError):
        decode_settings(document)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(428, False), (429, True), (430, False), (499, False), (500, True), (502, True), (503, False)],
)
def test_ranges_of_a_rule_are_inclusive(status: int, expected: bool) -> None:
    """A single code is a range of one."""
    assert expected == StatusRule(((429, 429), (500, 502)), "different_provider", 2).covers(status)


def test_only_a_star_is_a_wildcard(new_channel: Callable[..., Channel]) -> None:
    """A model whose name contains a star is a model."""
    assert [True, False, False] == [new_channel(name).is_wildcard for name in ("one/*", "one/m", "one/m*")]
