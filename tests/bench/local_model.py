"""How quickly a local model decides: files with random weights in the shape of real ones, for speed needs no more.

Each decision is measured against the same made token by token (the baseline), and against the formula
t = n_new * 2 P / F + S / B: P weights that every token passes, S bytes of the file, F and B of this machine, measured
with the smaller model.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from plano_router.answer import Route
from plano_router.llama_context import TooLateError
from plano_router.llama_decider import LlamaDecider
from plano_router.llama_trie import Trie
from plano_router.question import Question
from plano_router.reading import Turn
from plano_router.settings import LlamaSettings
from tests.tiny_gguf import QWEN_05B, QWEN_15B, parameters, write_gguf

from .stats import spread

_ROUNDS = 3
_PROMPT = "please find out why the parser test fails in CI since the last release, and tell me what to change. " * 2
_DEADLINES_S = (0.05, 0.2, 0.5)
#: Tokens of an answer, about.
_STEPS = 7


@dataclass(frozen=True)
class _Figures:
    tokens_per_s: float
    decision_s: float
    one_by_one_s: float
    whole_s: float
    new_tokens: int
    overshoots_ms: list[float]


def show_local_model(console: Console, routes: tuple[Route, ...]) -> None:
    """Measure, and print a table."""
    table = Table(title="local models with random weights: a decision about seven routes")
    for column in (
        "shape",
        "file",
        "reads",
        "decision",
        "token by token",
        "ratio",
        "without prefix",
        "formula",
        "late by",
    ):
        table.add_column(column, justify="left" if column == "shape" else "right")
    rates: tuple[float, float] | None = None
    with tempfile.TemporaryDirectory(prefix="plano-bench-") as folder:
        for name, shape in (("Qwen2.5-0.5B", QWEN_05B), ("Qwen2.5-1.5B", QWEN_15B)):
            path = write_gguf(Path(folder) / f"{name}.gguf", shape, name=name)
            found = _measure(path, routes)
            size = path.stat().st_size
            if rates is None:
                rates = found.tokens_per_s * 2 * parameters(shape), size / _one_token_s(found)
            predicted_s = found.new_tokens * 2 * parameters(shape) / rates[0] + size / rates[1]
            table.add_row(*_row(name, size, found, predicted_s))
            path.unlink()
    console.print(table)


def _one_token_s(found: _Figures) -> float:
    """What a step costs that reads all weights for one token."""
    return max(1e-3, found.one_by_one_s / _STEPS - found.decision_s / _STEPS)


def _row(name: str, size: int, found: _Figures, predicted_s: float) -> list[str]:
    return [
        name,
        f"{size / 1e9:.2f} GB",
        f"{found.tokens_per_s:.0f} tokens/s",
        f"{found.decision_s:.2f} s",
        f"{found.one_by_one_s:.2f} s",
        f"{found.decision_s / found.one_by_one_s:.2f}",
        f"{found.whole_s:.2f} s",
        f"{predicted_s:.2f} s ({found.decision_s / predicted_s:.2f})",
        f"{max(found.overshoots_ms):.0f} ms",
    ]


def _measure(path: Path, routes: tuple[Route, ...]) -> _Figures:
    decider = LlamaDecider(LlamaSettings(str(path), 0), routes)
    try:
        decider.warm_up()
        question = Question(_PROMPT, timeout_s=60)
        before = decider.context.evaluated
        decider.decide(question, _never)
        new_tokens = decider.context.evaluated - before
        decisions = [_seconds(lambda: decider.decide(question, _never)) for _ in range(_ROUNDS)]
        one_by_one = [_seconds(lambda: _token_by_token(decider)) for _ in range(_ROUNDS)]
        overshoots = [_overshoot_ms(decider, deadline_s) for deadline_s in _DEADLINES_S]
        tokens_per_s = len(decider._configured.prefix) / _seconds(lambda: _forgetful(decider))
        return _Figures(
            tokens_per_s=tokens_per_s,
            decision_s=_median(decisions),
            one_by_one_s=_median(one_by_one),
            whole_s=len(decider._configured.prefix) / tokens_per_s + _median(decisions),
            new_tokens=new_tokens,
            overshoots_ms=overshoots,
        )
    finally:
        decider.close()


def _token_by_token(decider: LlamaDecider) -> None:
    """The prompt, then each token of the longest answer in a step of its own: what generating it would cost."""
    plan, context = decider._configured, decider.context
    prompt = decider._prompt(plan.routes, [Turn("user", _PROMPT)])
    answer = max((decider.model.tokens(each) for each in plan.answers), key=len)
    for end in range(len(answer)):
        # What was evaluated before is kept, as in generating.
        context.keep(0, [*prompt, *answer[:end]], _never)
        context.score(0, [*prompt, *answer[:end]], Trie((), (), (((-1, answer[end]),), ((-1, 0),))), _never)
    context.keep(0, plan.prefix, _never)


def _forgetful(decider: LlamaDecider) -> None:
    decider.context.forget(0)
    decider.context.keep(0, decider._configured.prefix, _never)


def _overshoot_ms(decider: LlamaDecider, deadline_s: float) -> float:
    """By how much a decision that is given up outlives its deadline."""
    decider.context.forget(0)
    started_s = time.monotonic()
    try:
        decider.decide(Question(_PROMPT, timeout_s=60), lambda: time.monotonic() - started_s >= deadline_s)
    except TooLateError:
        return (time.monotonic() - started_s - deadline_s) * 1000
    finally:
        _forgetful(decider)
    return 0.0


def _seconds(work: Callable[[], object]) -> float:
    started_s = time.monotonic()
    work()
    return time.monotonic() - started_s


def _median(values: list[float]) -> float:
    found = spread(values)
    assert found is not None
    return found.median


def _never() -> bool:
    return False
