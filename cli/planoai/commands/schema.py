"""`planoai schema`: the JSON Schema of config.yaml."""

import json

import click

from planoai.config import json_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of config.yaml, for completion and checks in an editor.

    \b
    planoai schema > plano.schema.json
    # then, as the first line of config.yaml, for editors with the YAML language server:
    # yaml-language-server: $schema=./plano.schema.json
    """  # noqa: D301  (a backspace character, by which click keeps the lines that follow)
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
