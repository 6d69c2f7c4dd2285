"""planoai.simulator.threaded: the same for callers that are not async."""

import urllib.request
from contextlib import ExitStack

import openai
import pytest

from planoai.simulator import Behaviour, Rule, ScriptError, run_in_thread


def test_serves_in_a_thread() -> None:
    """A plain client is answered; requests, rules and counts can be reached."""
    with run_in_thread([Rule(behaviours=[Behaviour(status=503)])]) as sim:
        with openai.OpenAI(base_url=sim.base_url, api_key="sk", max_retries=0) as sdk:
            with pytest.raises(openai.InternalServerError):
                sdk.models.list()
            sim.set_rules([])
            assert sim.rules == ()
            assert sdk.models.list().data
        assert [503, 200] == [record.status for record in sim.wait_for_requests(2)]
        assert {"503": 1, "200": 1} == sim.stats()["by_status"]
        assert [2] == [record.seq for record in sim.wait_for_requests(1, since=1)]
        sim.clear()
        assert sim.requests == []
        assert f"http://127.0.0.1:{sim.port}" == sim.url


def test_errors_reach_the_caller() -> None:
    """Wrong rules, a port in use and waiting in vain are the caller's to know."""
    with run_in_thread() as sim:
        with pytest.raises(ScriptError):
            sim.set_rules([Rule(behaviours=[Behaviour(status=1)])])
        with pytest.raises(TimeoutError):
            sim.wait_for_requests(1, timeout_s=0.01)
        with pytest.raises(OSError, match="address already in use"), ExitStack() as stack:
            stack.enter_context(run_in_thread(port=sim.port))


def test_ends_with_the_block() -> None:
    """After the block nobody listens any more."""
    with run_in_thread() as sim:
        url = sim.url
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{url}/_sim/health")  # noqa: S310 - http and nothing else
