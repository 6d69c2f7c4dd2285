"""The command `planoai`: finds a command's module when it is called, turns errors into messages and exit codes."""

import importlib
import io
import os
import sys
from typing import Any

import click

from planoai import __version__
from planoai.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, PlanoError

#: Name → where the command is, and its line in `planoai --help`, in the order of that list. The line stands here so
#: that help needs none of the modules.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("planoai.commands.up:up", "Start the gateway and return once it is ready."),
    "down": ("planoai.commands.down:down", "Stop everything that was started."),
    "status": ("planoai.commands.status:status", "Show whether Plano runs, and how its channels fare."),
    "explain": ("planoai.commands.explain:explain", "Tell why a request went where it did."),
    "route": ("planoai.commands.route:route", "Tell where a prompt would go by intent, and why."),
    "eval": ("planoai.commands.eval:evaluate", "Measure the routing with prompts whose routes you know."),
    "models": ("planoai.commands.models:models", "Local language models for the router: list, pull, remove."),
    "recover": ("planoai.commands.recover:recover", "End the cool-downs of channels: ask them again now."),
    "logs": ("planoai.commands.logs:logs", "Show the logs, or follow them."),
    "validate": ("planoai.commands.validate:validate", "Check a configuration without starting anything."),
    "schema": ("planoai.commands.schema:schema", "Print the JSON Schema of config.yaml, for editors."),
    "demo": ("planoai.commands.demo:demo", "See Plano at work, without any key."),
    "chaos": ("planoai.commands.chaos:chaos", "Let your channels fail, and show what clients would see."),
    "simulate": ("planoai.commands.simulate:simulate", "Run simulated providers."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, and not for the list of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module_name), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="planoai")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Plano: a local LLM gateway. One endpoint, every channel, failover without losing a request.

    \b
    Try it without a key:     planoai demo
    Start with your channels: planoai up config.yaml

    Exit codes of all commands: 0 done, 1 failed, 2 wrong configuration or command line, 130 interrupted by Ctrl-C.
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: list[str] | None = None) -> int:
    """Run one command line; returns its exit code, after telling the user what went wrong."""
    # Neither a terminal nor a pipe that knows only ASCII is a reason to fail.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        result: Any = cli.main(args=arguments, prog_name="planoai", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # `planoai logs | head`: nobody reads on. Python flushes once more at exit, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except Exception as error:
        code = _explain(error)
        if code is None:
            raise
        return code
    return result if isinstance(result, int) else EXIT_OK


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())


def _explain(error: Exception) -> int | None:
    """Tell the user; returns the exit code, None for what is not meant for users."""
    # Not at the top: help must not wait for rich.
    from planoai.commands.output import Output  # noqa: PLC0415

    if isinstance(error, PlanoError):
        Output().error(error)
        return error.exit_code
    # Only who raised it has imported it; importing it for every command would take the whole configuration model along.
    problems = sys.modules.get("planoai.config.problems")
    if problems is not None and isinstance(error, problems.ConfigError):
        Output().problems(problems.render_problems(error.problems))
        count = len(error.errors)
        Output().error(
            PlanoError(f"The configuration has {count} mistake{'' if count == 1 else 's'}; nothing was changed.")
        )
        return EXIT_USAGE
    if isinstance(error, OSError) and error.filename is not None:
        Output().error(
            PlanoError(f"{error.filename}: {error.strerror}", "Check that it is there and that you may use it.")
        )
        return EXIT_FAILURE
    return None
