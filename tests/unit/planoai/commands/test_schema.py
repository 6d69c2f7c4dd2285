"""`planoai schema`."""

import json

from click.testing import CliRunner

from planoai.commands.schema import schema
from planoai.config import json_schema


def test_it_prints_the_schema() -> None:
    """Nothing but the JSON, so that it can be sent to a file."""
    result = CliRunner().invoke(schema)

    assert 0 == result.exit_code
    assert json_schema() == json.loads(result.output)
    assert result.output.startswith('{\n  "$schema"')
    assert result.output.endswith("}\n")


def test_help_says_how_to_use_it() -> None:
    """The line for editors, on a line of its own."""
    result = CliRunner().invoke(schema, ["--help"])

    assert "\n  # yaml-language-server: $schema=./plano.schema.json\n" in result.output
