"""plano_router.llama_context: what a model has evaluated, and the one step that scores all answers."""

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plano_router.answer import RouterError
from plano_router.llama_context import BATCH, LlamaContext, TooLateError
from plano_router.llama_model import LlamaModel
from plano_router.llama_runtime import load_library
from plano_router.llama_trie import Trie, shares

PREFIX = "You assign requests to routes. Read the conversation. " * 20
PROMPT = PREFIX + "user: why does the server crash please"
ANSWERS = [
    '{"route": "code generation"}',
    '{"route": "code understanding"}',
    '{"route": "quick tasks"}',
    '{"route": "写代码"}',
    '{"route": "none"}',
]
#: llama.cpp computes with 16 bits, in another order when other numbers of tokens go through the model together.
ROUNDING = 0.2


@pytest.fixture
def model(tiny_model: Path) -> Iterator[LlamaModel]:
    """The tiny model."""
    opened = LlamaModel(load_library(), tiny_model, 0)
    yield opened
    opened.close()


@pytest.fixture
def open_context(model: LlamaModel) -> Iterator[Callable[..., LlamaContext]]:
    """Contexts of the tiny model, closed at the end."""
    opened: list[LlamaContext] = []

    def create(*, cells: int = 4096, prefixes: int = 2, answers: int = 8) -> LlamaContext:
        opened.append(LlamaContext(model, cells=cells, prefixes=prefixes, answers=answers, threads=1))
        return opened[-1]

    yield create
    for each in opened:
        each.close()
        each.close()


def never() -> bool:
    """There is time."""
    return False


def trie_of(model: LlamaModel, answers: list[str]) -> Trie:
    """The answers as a tree."""
    return Trie.build([model.tokens(answer) for answer in answers])


def one_by_one(context: LlamaContext, prompt: list[int], answer: list[int]) -> float:
    """The log-probability of an answer, its tokens evaluated one after the other, each read off the one before."""
    total = 0.0
    for end, token in enumerate(answer):
        one_of_two = Trie((), (), (((-1, token),), ((-1, 0),)))
        total += context.score(0, [*prompt, *answer[:end]], one_of_two, never)[0]
    return total


def test_one_step_scores_as_many_steps_do(model: LlamaModel, open_context: Callable[..., LlamaContext]) -> None:
    """All answers at once have the probabilities that each has on its own, token by token."""
    prompt = model.tokens(PROMPT)
    trie = trie_of(model, ANSWERS)
    together = open_context().score(0, prompt, trie, never)
    alone = [one_by_one(open_context(), prompt, model.tokens(answer)) for answer in ANSWERS]
    # What all answers begin with is not counted in one step: it is the same for each.
    offset = alone[0] - together[0]
    assert [pytest.approx(each - offset, abs=1e-3) for each in alone] == together
    assert pytest.approx(1.0) == sum(shares(together))
    assert len({round(each, 2) for each in together}) == len(ANSWERS)


def test_a_prefix_is_evaluated_once(model: LlamaModel, open_context: Callable[..., LlamaContext]) -> None:
    """Questions cost what is new in them, and the answers' tree; the scores are those without a prefix."""
    trie = trie_of(model, ANSWERS)
    prefix, prompt = model.tokens(PREFIX), model.tokens(PROMPT)
    context = open_context()
    context.keep(0, prefix, never)
    assert len(prefix) == context.evaluated
    context.keep(0, prefix, never)
    assert len(prefix) == context.evaluated
    common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(prefix, prompt, strict=False)))
    new = len(prompt) - common + len(trie.shared) + len(trie.nodes)
    first = context.score(0, prompt, trie, never)
    assert len(prefix) + new == context.evaluated
    assert first == context.score(0, prompt, trie, never)
    assert len(prefix) + 2 * new == context.evaluated
    assert pytest.approx(open_context().score(0, prompt, trie, never), abs=ROUNDING) == first


def test_prefixes_do_not_mix(model: LlamaModel, open_context: Callable[..., LlamaContext]) -> None:
    """Each slot has its own; one that changes keeps what it has in common with the old one."""
    context = open_context()
    one, other = model.tokens(PREFIX), model.tokens("user: " + PREFIX)
    context.keep(0, one, never)
    context.keep(1, other, never)
    trie = trie_of(model, ANSWERS)
    alone = open_context().score(0, [*other, *model.tokens("please")], trie, never)
    assert pytest.approx(alone, abs=ROUNDING) == context.score(1, [*other, *model.tokens("please")], trie, never)
    before = context.evaluated
    context.keep(0, [*one[:30], *model.tokens("please")], never)
    assert len(model.tokens("please")) == context.evaluated - before
    context.forget(1)
    assert ([], context.cells - len(context.prefixes[0])) == (context.prefixes[1], context.free_cells())


def test_a_long_rest_is_evaluated_in_steps(model: LlamaModel, open_context: Callable[..., LlamaContext]) -> None:
    """What does not fit beside the answers goes ahead, with the same result."""
    context = open_context()
    prompt = model.tokens(PROMPT + " please explain the parser" * 600)
    assert len(prompt) > 2 * BATCH
    trie = trie_of(model, ANSWERS)
    at_once = context.score(0, prompt, trie, never)
    context.keep(0, prompt[:-5], never)
    assert pytest.approx(context.score(0, prompt, trie, never), abs=ROUNDING) == at_once


def test_nothing_is_begun_when_it_is_late(model: LlamaModel, open_context: Callable[..., LlamaContext]) -> None:
    """No token goes through the model."""
    context = open_context()
    with pytest.raises(TooLateError):
        context.score(0, model.tokens(PROMPT), trie_of(model, ANSWERS), lambda: True)
    assert 0 == context.evaluated


def test_what_is_given_up_leaves_no_trace(model: LlamaModel, open_context: Callable[..., LlamaContext]) -> None:
    """At whichever moment: the model stops there, and the next question gets the scores that it gets in any case."""
    context = open_context()
    prefix, prompt = model.tokens(PREFIX), model.tokens(PROMPT)
    trie = trie_of(model, ANSWERS)
    context.keep(0, prefix, never)
    expected = context.score(0, prompt, trie, never)
    asked = itertools.count()
    context.score(0, prompt, trie, lambda: next(asked) < 0)
    moments = next(asked)
    assert moments > 3
    for moment in range(0, moments, max(1, moments // 12)):
        calls = itertools.count()
        with pytest.raises(TooLateError):
            context.score(0, prompt, trie, lambda calls=calls, moment=moment: next(calls) >= moment)  # type: ignore[misc]
        # llama.cpp asks before each node of its graph, and stops at the first "yes".
        assert next(calls) <= moment + 3
        assert expected == context.score(0, prompt, trie, never)


def test_a_warm_up_that_is_given_up_goes_on_where_it_was(
    model: LlamaModel, open_context: Callable[..., LlamaContext]
) -> None:
    """Steps of the prefix that were evaluated count."""
    context = open_context()
    prefix = model.tokens(PREFIX * 3)
    with pytest.raises(TooLateError):
        context.keep(0, prefix, lambda: context.evaluated > 0)
    done = context.evaluated
    assert 0 < done < len(prefix)
    context.keep(0, prefix, never)
    assert len(prefix) == context.evaluated


def test_what_does_not_fit_is_refused(model: LlamaModel, open_context: Callable[..., LlamaContext]) -> None:
    """Too many routes, too long a prompt: errors that say so, and no harm done."""
    context = open_context(cells=512, prefixes=1, answers=2)
    two = trie_of(model, ANSWERS[:2])
    with pytest.raises(RouterError, match="2 routes are too many"):
        context.score(0, model.tokens("a"), trie_of(model, ANSWERS[:3]), never)
    with pytest.raises(RouterError, match=r"\d+ tokens are too many .* room for 512"):
        context.score(0, model.tokens("please explain " * 600), two, never)
    assert all(map(math.isfinite, context.score(0, model.tokens("a"), two, never)))
    with pytest.raises(RouterError, match="more than a local model can tell apart"):
        open_context(prefixes=4, answers=100_000)
