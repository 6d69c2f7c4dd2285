"""`planoai demo`: see Plano at work, without any key."""

import os
import socket
from contextlib import closing
from pathlib import Path

import click

from planoai.commands.output import Output
from planoai.commands.up import up_reporter
from planoai.config import recommended_config_text
from planoai.demo.scenario import DEMO_KEYS, curl_line, demo_config
from planoai.demo.tour import TourFailedError, take_tour, wait_for_router
from planoai.envoy_binary import find_envoy
from planoai.errors import PlanoError
from planoai.home import PlanoHome
from planoai.simulator import ThreadedSimulator, run_in_thread
from planoai.supervisor.spec import GatewayLike
from planoai.throwaway import run_throwaway

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
    one, one whose first channel is rate-limited, and one after it, and shows who answered after which attempts. The
    gateway then stays until Ctrl-C, for requests of your own. Everything it wrote is removed at the end.
    """
    output = Output()
    with run_in_thread() as provider:
        _run(output, provider, port or _free_port(), envoy, ends=ends)


def _run(output: Output, provider: ThreadedSimulator, port: int, envoy: str | None, *, ends: bool) -> None:
    # They take their time to import; `--help` does not need them.
    from planoai.gateway import prepare_gateway  # noqa: PLC0415
    from planoai.routing import router_socket  # noqa: PLC0415

    binary = find_envoy(envoy, PlanoHome.from_environment(os.environ), os.environ)
    environ = {**os.environ, **DEMO_KEYS}

    def prepare(home: PlanoHome, root: Path) -> GatewayLike:
        config = root / "config.yaml"
        config.write_text(demo_config(recommended_config_text(), provider.url, port), encoding="utf-8")
        return prepare_gateway(config, home, environ, binary)

    def during(gateway: GatewayLike, home: PlanoHome) -> bool:
        keys = len({channel.key_name for channel in gateway.channels})
        output.line(
            f"✓ {len(gateway.channels)} channels, {keys} keys, one simulated provider behind them.", style="bold green"
        )
        wait_for_router(router_socket(home))
        try:
            take_tour(port, provider, output)
        except (TourFailedError, OSError) as error:
            raise PlanoError(f"The demo failed: {error}", "Please report this.") from None
        if not ends:
            output.line()
            output.line(
                f"The gateway goes on at http://localhost:{port}/v1 (any OpenAI client, any key). Try, elsewhere:"
            )
            output.line(f"\n  {curl_line(port)}\n")
            output.line("Ctrl-C ends it.")
        return not ends

    run_throwaway("demo", prepare, during, up_reporter(output, verbose=False))


def _free_port() -> int:
    for wanted in (_USUAL_PORT, 0):
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PlanoError("There is no free TCP port on 127.0.0.1.", "End something that listens, or give --port.")
