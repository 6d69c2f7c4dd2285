"""Write the generated pages of docs/, or say with `--check` which of them are out of date (exit 1 if any)."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from planoai.config import json_schema, reference_markdown
from planoai.main import cli

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def commands(group: click.Group) -> Iterator[tuple[str, str]]:
    """Name and help text of every command, as the terminal shows it."""
    yield from described(click.Context(group, info_name="planoai", terminal_width=100, max_content_width=100))


def described(context: click.Context) -> Iterator[tuple[str, str]]:
    """A command, and the commands that it has."""
    command = context.command
    yield context.command_path, command.get_help(context)
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            yield from described(
                click.Context(inner, info_name=name, parent=context, terminal_width=100, max_content_width=100)
            )


def cli_markdown() -> str:
    """docs/cli.md."""
    parts = ["# Command line\n\nGenerated from `--help`; do not edit.\n"]
    parts += [f"## {name}\n\n```\n{text.rstrip()}\n```\n" for name, text in commands(cli)]
    return "\n".join(parts)


def pages() -> dict[Path, str]:
    """Every generated file with its content."""
    return {
        DOCS / "config.md": reference_markdown(),
        DOCS / "config.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
        DOCS / "cli.md": cli_markdown(),
    }


def main() -> None:
    """Write or compare."""
    if sys.argv[1:] == ["--check"]:
        stale = [p for p, text in pages().items() if not p.exists() or p.read_text(encoding="utf-8") != text]
        if stale:
            sys.exit(f"out of date: {', '.join(str(p.relative_to(ROOT)) for p in stale)}; run `make docs`")
        return
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
