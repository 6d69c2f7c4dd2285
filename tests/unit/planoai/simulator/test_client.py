"""planoai.simulator.client: steering a simulator over its control surface."""

import urllib.error
import urllib.request

import pytest

from planoai.simulator import Behaviour, Match, Rule, SimulatorClient, run_in_thread


def test_client() -> None:
    """All that the control surface offers."""
    with run_in_thread() as sim:
        client = SimulatorClient(sim.url)
        assert client.healthy()
        rules = [Rule(Match(key="k"), (Behaviour(status=418),))]
        client.set_rules(rules)
        assert rules == client.rules()
        request = urllib.request.Request(f"{sim.base_url}/models", headers={"x-api-key": "k"})  # noqa: S310
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)  # noqa: S310
        caught.value.close()
        (record,) = client.wait_for_requests(1)
        assert ("k", 418, True) == (record.key, record.status, record.finished)
        assert record == client.requests()[0]
        assert client.requests(since=record.seq) == []
        assert client.stats()["by_status"] == {"418": 1}
        client.clear()
        assert client.requests() == []
        with pytest.raises(TimeoutError, match="had 0 of 1 requests after"):
            client.wait_for_requests(1, timeout_s=0.01)
        with pytest.raises(ValueError, match=r"status: expected int >= 200"):
            client.set_rules([Rule(behaviours=[Behaviour(status=1)])])
    assert not client.healthy()


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:80", "http://"])
def test_addresses(url: str) -> None:
    """Only http with a host is an address."""
    with pytest.raises(ValueError, match="begins with http:// and names a host"):
        SimulatorClient(url)
