"""planoai.chaos.run: what is tried, and what is seen. Here the simulated provider itself stands for the gateway."""

from pathlib import Path

import pytest

from planoai.chaos.kinds import ALL_DOWN, KINDS, find_kind
from planoai.chaos.run import Case, GatewayStoppedError, cases, run_cases
from planoai.config import ModelProvider, parse_config
from planoai.home import PlanoHome
from planoai.simulator import run_in_thread

CONFIG = """
version: v0.4.0
model_providers:
  - {model: one/m, name: first, base_url: "http://a.example", timeouts: {first_token: 1s}}
  - {model: two/m, base_url: "http://b.example"}
"""


def providers() -> tuple[ModelProvider, ...]:
    """Two channels."""
    return parse_config(CONFIG, "config.yaml", {}, {}).config.model_providers


def test_every_channel_fails_in_every_way() -> None:
    """But for deadlines that it does not have; at last all of them fail."""
    found = cases(providers(), (), ())
    assert 2 * (len(KINDS) + 1) - 1 == len(found)
    assert ["one/m", "two/m"] == [each.provider.model for each in found if each.kind is ALL_DOWN]
    assert [0] == [each.channel for each in found if each.kind.name == "slow-first-token"]


def test_limits() -> None:
    """Channels by model or name, and kinds."""
    down = find_kind("503")
    assert down is not None
    assert [(0, "503")] == [(each.channel, each.kind.name) for each in cases(providers(), ["first"], [down])]
    assert [(1, "503")] == [(each.channel, each.kind.name) for each in cases(providers(), ["two/m"], [down])]


def test_what_a_client_sees(tmp_path: Path) -> None:
    """Both kinds of answers, each case told before it is tried; the rules are gone afterwards."""
    kinds = [kind for name in ("429", "cut-after-content", "all-503") if (kind := find_kind(name)) is not None]
    told: list[str] = []

    def progress(number: int, case: Case) -> None:
        told.append(f"{number} {case.kind.name}")

    with run_in_thread() as provider:
        wanted = cases(providers(), ["two/m"], kinds)
        limited, cut, down = run_cases(wanted, provider, provider.port, PlanoHome(tmp_path), progress, lambda: False)
        assert () == provider.rules
    assert ["0 429", "1 cut-after-content", "2 all-503"] == told
    # No path of a channel's here, so nothing fails but where all do.
    assert limited.json_seen is not None
    assert (200, 200) == (limited.json_seen.status, limited.stream_seen.status)
    assert (None, None) == (cut.json, cut.json_seen)
    assert down.json_seen is not None
    assert (503, "told", "told") == (down.json_seen.status, down.json and down.json.mark, down.stream.mark)


def test_a_gateway_that_stops(tmp_path: Path) -> None:
    """The case during which it was told to is not judged, and no other is tried."""
    told: list[int] = []
    with run_in_thread() as provider:
        wanted = cases(providers(), (), ())
        tried = run_cases(
            wanted,
            provider,
            provider.port,
            PlanoHome(tmp_path),
            lambda number, _: told.append(number),
            lambda: len(told) == 2,
        )
        assert wanted[0] == next(tried).case
        with pytest.raises(GatewayStoppedError):
            next(tried)
    assert [0, 1] == told


def test_nobody_there(tmp_path: Path) -> None:
    """A gateway that is gone is something that a client can make nothing of."""
    with run_in_thread() as provider:
        wanted = cases(providers(), ["two/m"], [ALL_DOWN])
        (result,) = run_cases(wanted, provider, 9, PlanoHome(tmp_path), lambda *_: None, lambda: False)
    assert "broken" == result.stream.mark
