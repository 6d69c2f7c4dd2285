"""`planoai simulate`: a provider that answers without any model, and fails as it is told."""

import asyncio
import errno
import signal
import ssl
from collections.abc import Callable
from pathlib import Path

import click

from planoai.commands.output import Output
from planoai.errors import EXIT_USAGE, PlanoError
from planoai.simulator.behaviour import HEALTHY, Behaviour, ScriptError, behaviour_from_json
from planoai.simulator.event_loop import loop_factory
from planoai.simulator.request_log import log_line
from planoai.simulator.rules import Rule, read_rules
from planoai.simulator.server import DEFAULT_MODELS, Simulator, tls_context
from planoai.supervisor.process_limits import prepare_process

DEFAULT_PORT = 8800


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0 takes a free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--rules",
    "rules_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Which requests get which behaviour: a YAML or JSON file.",
)
@click.option("--behaviour", metavar="JSON", help="For every request that no rule matches.")
@click.option(
    "--model", "models", multiple=True, help="Listed by GET /v1/models; may be repeated. Any model is answered."
)
@click.option(
    "--tls-cert",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Serve https with this certificate chain (PEM).",
)
@click.option(
    "--tls-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The key of --tls-cert (PEM)."
)
@click.option("--no-steering", is_flag=True, help="Ignore x-sim-... headers of requests.")
@click.option("--no-record", is_flag=True, help="Keep no requests for GET /_sim/requests.")
@click.option("--seed", type=int, default=0, show_default=True, help="Makes what is left to chance repeat itself.")
@click.option("-q", "--quiet", is_flag=True, help="No line for each request.")
def simulate(
    *,
    port: int,
    host: str,
    rules_file: Path | None,
    behaviour: str | None,
    models: tuple[str, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    no_steering: bool,
    no_record: bool,
    seed: int,
    quiet: bool,
) -> None:
    """Run a simulated provider: it speaks OpenAI's and Anthropic's protocols, needs no key, and fails as it is told.

    Point a channel's base_url at it, or a client. Chat completions, completions, embeddings, moderations, images,
    audio, Responses and Anthropic's Messages are answered under any path prefix, as JSON and as streams. Answers name
    the model and repeat the user's last words.

    \b
    A healthy provider:
      planoai simulate
    Every answer is a 429 that asks for two seconds:
      planoai simulate --behaviour '{"status": 429, "headers": {"retry-after": 2}}'
    The first two requests with key sk-a fail, all others are answered (rules.yaml):
      rules:
        - match: {key: sk-a}
          behaviours: [{status: 503, times: 2}]
    One request says itself what happens to it:
      curl http://127.0.0.1:8800/v1/chat/completions -H 'x-sim-cut-after-bytes: 100' \\
        -d '{"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'
    What has arrived, and counts:
      curl http://127.0.0.1:8800/_sim/requests
      curl http://127.0.0.1:8800/_sim/stats

    docs/simulator.md has every field of a behaviour.

    \b
    Exit codes:
      0  ended by Ctrl-C or SIGTERM
      1  the port or the certificate cannot be used
      2  the command line or the rules are wrong
    """  # noqa: D301 - click knows the character, not the two that write it
    output = Output()
    rules = [] if rules_file is None else read_rules(rules_file)
    default = _default_behaviour(behaviour)
    tls = _tls(tls_cert, tls_key)
    prepare_process()
    simulator = Simulator(
        rules,
        host=host,
        port=port,
        tls=tls,
        default=default,
        steering=not no_steering,
        record=not no_record,
        models=models or DEFAULT_MODELS,
        seed=seed,
        on_finished=None if quiet else lambda record: output.raw(log_line(record)),
    )
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(simulator, lambda: _announce(simulator, output, rules, default)))
    output.line("Stopped.")


async def serve(simulator: Simulator, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; calls `ready` once it listens. Raises PlanoError when the port cannot be had."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        await simulator.start()
    except OSError as error:
        raise _cannot_listen(simulator, error) from None
    try:
        ready()
        await ended.wait()
    finally:
        await simulator.stop()


def _announce(simulator: Simulator, output: Output, rules: list[Rule], default: Behaviour) -> None:
    output.line(f"Simulated provider at {simulator.base_url}", style="bold green")
    output.line("  OpenAI: chat/completions, responses, completions, embeddings, models, …   Anthropic: messages")
    what = "a healthy answer" if default == HEALTHY else "the given behaviour"
    count = f"{len(rules)} rule{'' if len(rules) == 1 else 's'}" if rules else "No rules"
    output.line(f"  {count}; what no rule matches gets {what}. Any key and any model will do.")
    output.line(f"  Received requests: {simulator.url}/_sim/requests   Counts: {simulator.url}/_sim/stats")
    output.line("  Ctrl-C ends it.")


def _default_behaviour(text: str | None) -> Behaviour:
    if text is None:
        return HEALTHY
    try:
        return behaviour_from_json(text)
    except ScriptError as error:
        raise PlanoError(
            f"--behaviour: {error}",
            "Write it as JSON in single quotes, e.g. '{\"status\": 429}'; docs/simulator.md lists every field.",
            exit_code=EXIT_USAGE,
        ) from None


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise PlanoError(
            "--tls-cert and --tls-key belong together; only one was given.",
            "Give both, or neither for plain http.",
            exit_code=EXIT_USAGE,
        )
    try:
        return tls_context(certificate, key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error
        raise PlanoError(
            f"The certificate {certificate} with the key {key} cannot be used: {reason}",
            "Both are PEM files, and the key is the one that the certificate was made for.",
        ) from None


def _cannot_listen(simulator: Simulator, error: OSError) -> PlanoError:
    port = simulator.port
    if error.errno == errno.EADDRINUSE:
        return PlanoError(
            f"Port {port} is already in use.", "Choose another with --port (0 takes a free one), or end what uses it."
        )
    if error.errno == errno.EACCES:
        return PlanoError(f"Port {port} needs more rights than you have.", "Choose one from 1024 on with --port.")
    return PlanoError(f"Cannot listen on {simulator.url}: {error.strerror or error}", "Check --host and --port.")
