"""config.yaml and `.env` to a checked configuration, or to the list of everything that is wrong with them."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any

from planoai.config.checks import HEADER_NAME, check
from planoai.config.dotenv_file import exposed_problem, parse_dotenv
from planoai.config.migrate import Migration, lift_inline_preferences, migrate
from planoai.config.problems import (
    MASK,
    ConfigError,
    Finding,
    Path,
    Problem,
    scrub,
    shorten,
    sorted_by_line,
)
from planoai.config.references import Resolution, combined, is_reference, resolve
from planoai.config.schema import PlanoConfig
from planoai.config.source import Document, path_text, read_document
from planoai.config.validation import Validation, validate

_SECRET_KEYS = frozenset({"access_key", "headers", "url"})
_ADDRESS_KEYS = frozenset({"base_url", "http_host", "proxy"})
#: What may introduce or end a secret in a URL: `user:password@`, `?key=…`.
_SECRET_IN_URL = re.compile(r"[@?#]")

#: A message that begins so has the key for its subject.
_PREDICATE = re.compile(r"(?:is|has|must|contains|begins|ends|needs|uses|contradicts|holds|looks)\b")


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration that can be used."""

    #: With all `$NAME` references expanded.
    config: PlanoConfig
    #: The file it came from.
    path: FilePath
    #: Warnings and notices, in the order of the file.
    notices: tuple[Problem, ...] = ()
    #: What to call the key of each channel in logs, by the channel's name: `$CLAUDE_API_KEY`, `literal key`, `no key`.
    key_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def load_config(path: FilePath, environ: Mapping[str, str]) -> LoadedConfig:
    """Read the configuration at `path` and the `.env` beside it.

    Raises ConfigError with everything that is wrong, when anything is.
    """
    text, problems = _read(path)
    dotenv_path = path.parent / ".env"
    dotenv: Mapping[str, str] = {}
    if dotenv_path.is_dir():
        raise ConfigError(
            [_file_problem(str(dotenv_path), "is a directory", "Rename it; `.env` is a file of NAME=value lines.")]
        )
    if dotenv_path.exists():
        dotenv_text, dotenv_problems = _read(dotenv_path)
        problems += dotenv_problems
        parsed = parse_dotenv(dotenv_text, str(dotenv_path))
        problems += parsed.problems
        dotenv = parsed.values
        # Elsewhere the mode says nothing about who may read a file.
        exposed = exposed_problem(str(dotenv_path), dotenv_path.stat().st_mode) if os.name == "posix" else None
        problems += [exposed] if exposed else []
    try:
        loaded = parse_config(text, str(path), environ, dotenv)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    return LoadedConfig(loaded.config, path, (*problems, *loaded.notices), loaded.key_names)


def parse_config(text: str, file: str, environ: Mapping[str, str], dotenv: Mapping[str, str]) -> LoadedConfig:
    """The configuration in `text`, without touching any file; `file` is its name for messages.

    Raises ConfigError with everything that is wrong, when anything is: mistakes in the order of the file, then the
    variables that are missing.
    """
    document = read_document(text, file)
    migration = migrate(document.data)
    resolution = resolve(migration.data, environ, dotenv)
    validation = validate(resolution.data)
    config, lift_findings = lift_inline_preferences(validation.config)
    # Checked before lifting, so that findings about inline routes have their places.
    found = [
        *check(validation.config, validation.broken_names, lost_providers=validation.lost_providers),
        *lift_findings,
    ]
    found = _without_consequences(found, validation)
    reporter = _Reporter(document, file, resolution)
    problems = [
        *document.problems,
        *reporter.problems(migration.findings),
        *reporter.problems(
            _moved(
                [
                    *resolution.findings,
                    *(finding for finding in validation.findings if finding.path not in resolution.unresolved),
                    *(
                        replace(finding, path=path)
                        for finding in found
                        if (path := validation.to_data(finding.path)) not in resolution.unresolved
                    ),
                ],
                migration,
            )
        ),
    ]
    problems = [
        *sorted_by_line(problems),
        *reporter.missing(resolution, migration, combined(environ, dotenv), dotenv),
    ]
    if any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
    key_names = {
        provider.name: "the client's key" if provider.passthrough_auth else resolution.key_names.get(index, "no key")
        for index, provider in enumerate(config.model_providers)
    }
    return LoadedConfig(config, FilePath(file), tuple(problems), MappingProxyType(key_names))


def _without_consequences(found: list[Finding], validation: Validation) -> list[Finding]:
    """`found` without warnings about providers that have errors: most of them only follow from these."""
    errors = [finding.path for finding in validation.findings]
    errors += [validation.to_data(finding.path) for finding in found if finding.severity == "error"]
    mistaken = {path[:2] for path in errors if path[0] == "model_providers"}
    return [
        finding
        for finding in found
        if finding.severity != "warning" or validation.to_data(finding.path)[:2] not in mistaken
    ]


def _moved(findings: Iterable[Finding], migration: Migration) -> list[Finding]:
    return [replace(finding, path=migration.to_file(finding.path)) for finding in findings]


class _Reporter:
    """Findings to problems: finds the line, shows the value unless it is secret."""

    def __init__(self, document: Document, file: str, resolution: Resolution) -> None:
        self._document = document
        self._file = file
        self._secrets = resolution.secrets

    def problems(self, findings: Iterable[Finding]) -> list[Problem]:
        """One problem per finding; the same twice is shown once."""
        return list(dict.fromkeys(self._problem(finding) for finding in findings))

    def missing(
        self,
        resolution: Resolution,
        migration: Migration,
        variables: Mapping[str, str],
        dotenv: Mapping[str, str],
    ) -> list[Problem]:
        """One problem for each variable that has no value, in the order of the file."""
        dotenv_file = FilePath(self._file).parent / ".env"
        problems = []
        for name, paths in resolution.missing.items():
            places = [migration.to_file(path) for path in paths]
            lines = [self._document.line_of(place) for place in places]
            uses = f", used on lines {', '.join(map(str, lines))}" if len(lines) > 1 else ""
            state = f"is set to nothing in {dotenv_file}" if name in dotenv else "is not set"
            near = difflib.get_close_matches(name, [known for known in variables if known != name], n=1, cutoff=0.85)
            hint = f" Did you mean ${near[0]}?" if near else ""
            problems.append(
                Problem(
                    "error",
                    self._file,
                    lines[0],
                    path_text(places[0], self._document.data),
                    f"${name}",
                    f"the variable {name} {state}{uses}",
                    f"Looked in the environment and in {dotenv_file}. Add {name}=… to that file, or export it.{hint}",
                )
            )
        return problems

    def _problem(self, finding: Finding) -> Problem:
        path = self._showable(finding.path)
        problem = Problem(
            finding.severity,
            self._file,
            self._document.line_of(finding.path, at_key=finding.at_key),
            path_text(path, self._document.data),
            self._value(finding.path) if finding.show_value else None,
            f"{_subject(path)} {finding.message}" if _PREDICATE.match(finding.message) else finding.message,
            finding.remedy,
        )
        return scrub(problem, self._secrets)

    def _showable(self, path: Path) -> Path:
        """`path` without what may be a piece of a secret: `{X-Token: a,b}` is a header `b` for YAML."""
        for position, part in enumerate(path[:-1]):
            if part in _SECRET_KEYS:
                name = path[position + 1]
                is_name = isinstance(name, str) and HEADER_NAME.fullmatch(name) and name in self._named_headers(path)
                return path[: position + 2] if is_name else (*path[: position + 1], MASK)
        return path

    def _named_headers(self, path: Path) -> list[str]:
        headers = _value_at(self._document.data, path[: path.index("headers") + 1]) if "headers" in path else None
        return [name for name, value in headers.items() if value is not None] if isinstance(headers, dict) else []

    def _value(self, path: Path) -> str | None:
        text = self._document.texts.get(path)
        if _SECRET_KEYS.intersection(path):
            return text if text is not None and is_reference(text) else MASK
        if text is None:
            return _kind(_value_at(self._document.data, path))
        if _ADDRESS_KEYS.intersection(path) and _SECRET_IN_URL.search(text):
            return MASK
        return f'"{shorten(text)}"' if path in self._document.quoted or not text.strip() else shorten(text)


def _subject(path: Path) -> str:
    """What a predicate is about: the key, or an item of a list by its number."""
    last = path[-1]
    return f"`{shorten(last, 40)}`" if isinstance(last, str) else f"item {last + 1} of `{path[-2]}`"


def _value_at(data: Any, path: Path) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def _kind(value: object) -> str | None:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "an object" if isinstance(value, dict) else None


# --- Files -----------------------------------------------------------------------------------------------------------


def _read(path: FilePath) -> tuple[str, list[Problem]]:
    """The text of a file, with a remark when it has a byte order mark. Raises ConfigError when it cannot be read."""
    file = str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError([_file_problem(file, "there is no such file", _similar(path))]) from None
    except IsADirectoryError:
        raise ConfigError([_file_problem(file, "is a directory", _within(path))]) from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        remedy = f"Check its owner and mode: ls -l {file}"
        raise ConfigError([_file_problem(file, f"cannot be read: {reason}", remedy)]) from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        encoding = "UTF-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "UTF-8"
        message = "is UTF-16" if encoding == "UTF-16" else "is not UTF-8 text"
        raise ConfigError(
            [Problem("error", file, line, "", None, message, "Save the file as UTF-8 in your editor.")]
        ) from None
    problems = []
    if text.startswith("\ufeff"):
        problems.append(
            Problem(
                "notice",
                file,
                1,
                "",
                None,
                "begins with a byte order mark, which was skipped",
                "Save the file as UTF-8 without BOM.",
            )
        )
    return text, problems


def _file_problem(file: str, message: str, remedy: str) -> Problem:
    return Problem("error", file, None, "", None, message, remedy)


def _similar(path: FilePath) -> str:
    """Where else the configuration might be."""
    directory = path.parent
    if not directory.is_dir():
        return f"The directory {directory} does not exist either. Check the path."
    names = sorted(entry.name for entry in directory.iterdir() if entry.is_file())
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    yaml_files = [name for name in names if name.endswith((".yaml", ".yml"))]
    if near:
        return f"Did you mean {directory / near[0]}?"
    if yaml_files:
        return f"In {directory} there is: {', '.join(yaml_files[:5])}."
    return f"There is no YAML file in {directory}. Check the path; `planoai init` writes a first configuration."


def _within(directory: FilePath) -> str:
    names = sorted(entry.name for entry in directory.iterdir() if entry.suffix in (".yaml", ".yml"))
    best = next((name for name in names if name in ("config.yaml", "config.yml")), names[0] if names else None)
    return f"Name the file in it: {directory / best}" if best else "Name a YAML file; there is none in this directory."
