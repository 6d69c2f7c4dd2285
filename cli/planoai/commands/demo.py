"""`planoai demo`: see Plano at work, without any key."""

import os
import shutil
import signal
import socket
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import click

from planoai.commands.output import Output
from planoai.commands.up import up_reporter
from planoai.config import recommended_config_text
from planoai.demo.scenario import DEMO_KEYS, curl_line, demo_config
from planoai.demo.tour import TourFailedError, take_tour
from planoai.envoy_binary import find_envoy
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.simulator import ThreadedSimulator, run_in_thread
from planoai.supervisor.bring_up import bring_up_foreground
from planoai.supervisor.daemon import Settings
from planoai.supervisor.spec import GatewayLike

_USUAL_PORT = 12000


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Where the gateway listens.  [default: {_USUAL_PORT}, or a free one if that is taken]",
)
@click.option("--envoy", metavar="PATH", help="The Envoy binary to run.  [default: as for `up`]")
@click.option("--exit", "ends", is_flag=True, help="End after the requests instead of waiting for Ctrl-C.")
def demo(*, port: int | None, envoy: str | None, ends: bool) -> None:
    """See Plano at work, without any key and without touching a Plano that runs.

    Starts a simulated provider and a gateway with the recommended configuration, sends a plain request, a streamed
    one, and one whose first channel is rate-limited, and shows who answered after which attempts. The gateway then
    stays until Ctrl-C, for requests of your own. Everything it wrote is removed at the end.
    """
    output = Output()
    root = Path(tempfile.mkdtemp(prefix="plano-demo-"))
    home = PlanoHome(root / "home")
    try:
        with run_in_thread() as provider:
            _run(output, root, home, provider, port or _free_port(), envoy, ends=ends)
    finally:
        # The sockets are elsewhere where the path of temporary files is a long one.
        for directory in (root, home.sockets):
            shutil.rmtree(directory, ignore_errors=True)


def _run(
    output: Output,
    root: Path,
    home: PlanoHome,
    provider: ThreadedSimulator,
    port: int,
    envoy: str | None,
    *,
    ends: bool,
) -> None:
    from planoai.gateway import prepare_gateway  # noqa: PLC0415 - takes its time to import; `--help` does not need it

    config = root / "config.yaml"
    config.write_text(demo_config(recommended_config_text(), provider.url, port), encoding="utf-8")
    binary = find_envoy(envoy, PlanoHome.from_environment(os.environ), os.environ)
    environ = {**os.environ, **DEMO_KEYS}
    failure: list[PlanoError] = []

    def tour() -> None:
        try:
            take_tour(port, provider, output)
        except (TourFailedError, OSError) as error:
            failure.append(PlanoError(f"The demo failed: {error}", "Please report this."))
        if ends or failure:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        output.line()
        output.line(f"The gateway goes on at http://localhost:{port}/v1 (any OpenAI client, any key). Try, elsewhere:")
        output.line(f"\n  {curl_line(port)}\n")
        output.line("Ctrl-C ends it.")

    def on_ready(gateway: GatewayLike) -> None:
        keys = len({channel.key_name for channel in gateway.channels})
        output.line(
            f"✓ {len(gateway.channels)} channels, {keys} keys, one simulated provider behind them.", style="bold green"
        )
        threading.Thread(target=tour, name="tour", daemon=True).start()

    bring_up_foreground(
        home,
        lambda: prepare_gateway(config, home, environ, binary),
        reporter=up_reporter(output, verbose=False),
        settings=Settings(),
        on_ready=on_ready,
        on_log_line=lambda _log, _line: None,
    )
    if failure:
        raise failure[0]


def _free_port() -> int:
    for wanted in (_USUAL_PORT, 0):
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PlanoError("There is no free TCP port on 127.0.0.1.", "End something that listens, or give --port.")
