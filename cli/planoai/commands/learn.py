"""`planoai route --learn`: from labelled prompts to `examples:` in config.yaml."""

import difflib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from plano_router.classifier import Classifier
from planoai.commands.output import Output, aligned
from planoai.config import PlanoConfig, load_config
from planoai.config.editing import EditingError, add_examples, fragment
from planoai.config.problems import MASK
from planoai.errors import PlanoError
from planoai.evaluation import Report, line_list, load_labelled
from planoai.home import PlanoHome
from planoai.learning import Learner, Outcome, sort_out
from planoai.trial_routing import open_trial

#: With fewer prompts the two accuracies say little.
_FEW = 30
_SHORTEST_SECRET = 4


def learn(output: Output, file: Path, config_path: Path, *, per_route: int, dry_run: bool) -> None:
    """Choose examples from `file`, tell what they change, and write them. Raises PlanoError or ConfigError."""
    home = PlanoHome.from_environment(os.environ)
    config = load_config(config_path, os.environ).config
    trial = open_trial(config_path, home, os.environ, "builtin")
    prompts = sort_out(load_labelled(file, [each.name for each in trial.settings.routes]), trial.settings.routes)
    for why, lines in prompts.left_out.items():
        output.note(f"{_count(len(lines))} no examples, because they {why}: {line_list(lines)}")
    if not prompts.prompts:
        output.line("There is nothing to learn from.")
        return
    outcome = Learner(Classifier.load(), trial.settings, prompts, per_route).learn(trial.strength_of_route)
    _tell(output, outcome)
    if config.routing.backend == "remote":
        output.warning(
            "routing.backend is `remote`: its model is not shown examples. The built-in router and local models are."
        )
    if len(prompts.prompts) < _FEW:
        output.warning(f"{len(prompts.prompts)} prompts are few: the two accuracies may differ by chance.")
    number = sum(map(len, outcome.examples.values()))
    if not number:
        output.line("No example would help: what the routes' room allows is decided surely already.")
        return
    text = _read(config_path)
    try:
        edited = add_examples(text, outcome.examples)
    except EditingError as error:
        raise PlanoError(
            f"{config_path} cannot be edited: {error}",
            "Put these examples into it by hand.",
            details=tuple(fragment(outcome.examples).splitlines()),
        ) from None
    if dry_run:
        for line in _diff(text, edited, config_path, config):
            output.raw(line)
        return
    if outcome.objection:
        output.line(f"Nothing is written: {outcome.objection}. --dry-run shows the examples.")
        return
    backup = _write(config_path, edited)
    output.line(f"{number} examples are written to {config_path}; the old file is {backup.name}.")
    output.line("A running gateway uses them after the next `planoai up`.")


def _count(number: int) -> str:
    return "1 prompt becomes" if number == 1 else f"{number} prompts become"


def _tell(output: Output, outcome: Outcome) -> None:
    before, after = outcome.before, outcome.after
    output.line(f"{before.strict.number} prompts; after: judged by examples from the other ones")
    rows = [
        ("", "before", "after", "new examples"),
        ("accuracy", _percent(before.strict.share), _percent(after.strict.share), ""),
        ("dangerous downgrades", _percent(before.downgrades.share), _percent(after.downgrades.share), ""),
    ]
    for name in before.routes:
        new = str(len(outcome.examples.get(name, ()))) if name != "(none)" else ""
        rows.append((f"route {name}", _score(before, name), _score(after, name), new))
    for line in aligned(rows):
        output.line(line)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _score(report: Report, route: str) -> str:
    return f"{report.routes[route].right}/{report.routes[route].number}"


def _diff(text: str, edited: str, path: Path, config: PlanoConfig) -> Iterable[str]:
    """What would change. Lines around it may hold keys that stand in the file: they are masked."""
    secrets = sorted((each for each in _secrets(config) if len(each) >= _SHORTEST_SECRET), key=len, reverse=True)
    for line in difflib.unified_diff(
        text.splitlines(), edited.splitlines(), str(path), f"{path} (with examples)", lineterm="", n=2
    ):
        shown = line
        for secret in secrets:
            shown = shown.replace(secret, MASK)
        yield shown


def _secrets(config: PlanoConfig) -> Iterable[str]:
    for provider in config.model_providers:
        if provider.access_key is not None:
            yield provider.access_key.get_secret_value()
        for value in provider.headers.values():
            yield value.get_secret_value()
    remote, url = config.routing.remote, config.routing.session_cache.url
    if remote is not None and remote.access_key is not None:
        yield remote.access_key.get_secret_value()
    if url is not None:
        # The whole of it: a password may stand there in more than one spelling.
        yield url.get_secret_value()


def _read(path: Path) -> str:
    """As it is, line ends included."""
    return path.read_bytes().decode("utf-8")


def _write(path: Path, text: str) -> Path:
    """Replace the file in one step, with its mode, behind a link if it is one; returns the copy of the old one."""
    path = path.resolve()
    backup = path.with_name(f"{path.name}.bak")
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
        shutil.copymode(path, temporary)
        _copy_privately(path, backup)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return backup


def _copy_privately(path: Path, copy: Path) -> None:
    """A copy that nobody can read who could not read the original, at no moment."""
    copy.unlink(missing_ok=True)
    with os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(path.read_bytes())
    shutil.copymode(path, copy)
