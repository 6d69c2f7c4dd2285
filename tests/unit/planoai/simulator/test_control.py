"""planoai.simulator.control: the commands of the control surface."""

import pytest

from planoai.simulator.control import BadCommandError, Command, read_command


@pytest.mark.parametrize(
    ("method", "path", "command"),
    [
        ("GET", "/_sim/health", Command("health")),
        ("GET", "/_sim/stats/", Command("stats")),
        ("GET", "/_sim/rules", Command("rules")),
        ("PUT", "/_sim/rules", Command("set_rules")),
        ("DELETE", "/_sim/requests", Command("clear")),
        ("GET", "/_sim/requests", Command("requests", timeout_s=5)),
        ("GET", "/_sim/requests?since=3&count=2&timeout_s=0.5", Command("requests", 3, 2, 0.5)),
        ("GET", "/_sim/requests?timeout_s=1000", Command("requests", timeout_s=60)),
    ],
)
def test_commands(method: str, path: str, command: Command) -> None:
    """Method and path say what is meant."""
    assert command == read_command(method, path)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/_sim/nothing", 404, "known: /_sim/health, /_sim/requests, /_sim/rules, /_sim/stats"),
        ("POST", "/_sim/rules", 405, "use GET or PUT"),
        ("GET", "/_sim/requests?sine=3", 400, "Unknown parameter sine; known: since, count, timeout_s"),
        ("GET", "/_sim/requests?since=x", 400, "since is a number from 0 on, not 'x'"),
        ("GET", "/_sim/requests?count=-1", 400, "count is a number from 0 on, not '-1'"),
        ("GET", "/_sim/requests?timeout_s=nan", 400, "timeout_s is a number"),
        ("GET", "/_sim/requests?timeout_s=inf", 400, "timeout_s is a number"),
    ],
)
def test_bad_commands(method: str, path: str, status: int, message: str) -> None:
    """What is not known is answered with what is."""
    with pytest.raises(BadCommandError) as caught:
        read_command(method, path)
    assert status == caught.value.status
    assert message in caught.value.as_data()["error"]["message"]
