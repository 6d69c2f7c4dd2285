"""`planoai chaos`: a user's configuration tried against failures, without its keys."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from planoai.config import recommended_config_text
from support import PLANOAI, Home, RunningGateway, alive, eventually

A, B, SONNET = "custom/claude-opus-4-6", "custom-aws/claude-opus-4-6", "custom/claude-sonnet-4-6"

ALONE = """
version: v0.4.0
listeners: [{type: model, name: main, address: 127.0.0.1, port: {port}}]
model_providers:
  - {model: only/m, base_url: "http://127.0.0.1:9", access_key: sk-only}
"""


def left_behind() -> set[Path]:
    """Directories of throw-away gateways."""
    import tempfile

    return set(Path(tempfile.gettempdir()).glob("plano-chaos-*"))


def test_the_recommended_configuration(new_home: Callable[[], Home]) -> None:
    """Without one of its four keys: the first channel survives everything, one without a policy nothing."""
    home = new_home()
    home.write("config.yaml", recommended_config_text())
    before = left_behind()
    kinds = ["429", "401", "403-quota", "reset", "error-in-200", "html", "400", "cut-after-content", "all-503"]
    chosen = [word for kind in kinds for word in ("--failure", kind)]
    result = home.planoai("chaos", "--json", "--channel", A, "--channel", SONNET, *chosen)
    found = {(each["channel"], each["failure"]): each for each in json.loads(result.stdout)}
    assert 2 * len(kinds) == len(found)
    for kind in ("429", "401", "403-quota", "reset", "error-in-200", "html"):
        both = found[A, kind]
        assert [("answered", B)] * 2 == [(both[form]["mark"], both[form]["served"]) for form in ("json", "sse")]
    assert {"told"} == {found[A, kind]["sse"]["mark"] for kind in ("400", "cut-after-content", "all-503")}
    assert found[A, "cut-after-content"]["json"] is None
    assert (429, "told") == (found[SONNET, "429"]["json"]["status"], found[SONNET, "429"]["json"]["mark"])
    # Nobody reads the answers of a channel without a policy.
    assert (1, "broken") == (result.returncode, found[SONNET, "html"]["json"]["mark"])
    assert before == left_behind()


def test_one_channel_in_a_home_with_a_gateway(start_gateway: Callable[..., RunningGateway]) -> None:
    """The gateway that runs is left alone; the table says what a client sees, and what would help."""
    gateway = start_gateway(ALONE)
    before = {name: each.pid for name, each in gateway.processes().items()}
    result = gateway.home.planoai("chaos", "config.yaml", "--failure", "503", "--failure", "reset")
    assert (0, "") == (result.returncode, result.stderr)
    assert ["service", "unavailable", "!", "503", "!", "503"] == result.stdout.splitlines()[3].split()
    assert "2 failures tried: 0 ✓ answered all the same, 2 ! told to the client, 0 ✗ broken." in result.stdout
    assert "→ There is one channel: nobody can stand in for it." in result.stdout
    assert before == {name: each.pid for name, each in gateway.processes().items()}


def test_a_wrong_configuration(new_home: Callable[[], Home]) -> None:
    """The same mistakes and the same exit code as for `validate`."""
    home = new_home()
    home.write("config.yaml", ALONE.replace("{port}", "12000").replace("http://127.0.0.1:9", "nowhere"))
    result, validated = home.planoai("chaos"), home.planoai("validate")
    assert (2, validated.stderr) == (result.returncode, result.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(new_home: Callable[[], Home], number: signal.Signals) -> None:
    """In the middle of the cases: it says so, tells nothing of what failed because of that, and leaves nothing."""
    home = new_home()
    home.variables["TMPDIR"] = str(home.root / "t")
    temporary = home.root / "t"
    temporary.mkdir()
    home.write("config.yaml", recommended_config_text())
    process = subprocess.Popen(
        [*PLANOAI, "chaos"],
        env=home.environ,
        cwd=home.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # The first line of the access log: the cases have begun.
        eventually(lambda: any(each.stat().st_size for each in temporary.glob("*/home/run/logs/access_llm.log")))
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (130, "", True) == (process.returncode, out, err.endswith("Interrupted.\n"))
    assert children
    assert [] == alive(children)
    assert [] == list(temporary.iterdir())
