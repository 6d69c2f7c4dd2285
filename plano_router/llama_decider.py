"""A local language model that decides: prompts, budget, prefixes and scores put together. No threads here."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from plano_router.answer import Answer, Route, RouterError
from plano_router.llama_budget import MOST_TOKENS, Pace, choose_turns
from plano_router.llama_context import BATCH, LlamaContext, TooLateError
from plano_router.llama_model import LlamaModel
from plano_router.llama_prompts import PromptFormat, format_for
from plano_router.llama_runtime import load_library, log, thread_number
from plano_router.llama_template import render_chat
from plano_router.llama_trie import Trie, shares
from plano_router.question import Question
from plano_router.reading import Turn
from plano_router.settings import LlamaSettings

#: Prefixes that are kept beside the configured one, for routes that come with requests.
_OTHER_PREFIXES = 3
#: Room for them: their tokens together may be so many times those of the configured one, and so many more.
_OTHERS_TIMES, _OTHERS_MORE = 2, 512
#: Answers that requests with routes of their own may have, where the configuration has fewer.
_ANSWERS = 32
#: A first measurement shorter than this is repeated: it contains what is done once only.
_TELLING_S = 0.5
#: Two conversations that have nothing in common: what their prompts begin with is the constant part.
_PROBES = ("A", "好")

Late = Callable[[], bool]


@dataclass
class _Plan:
    """What is the same for every question about a set of routes."""

    routes: tuple[Route, ...]
    prefix: list[int]
    tail: int
    """Tokens after the conversation, those of the answers among them."""
    answers: list[str]
    trie: Trie
    slot: int = 0


class LlamaDecider:
    """A model with its cache. Belongs to the thread that uses it."""

    def __init__(self, settings: LlamaSettings, routes: tuple[Route, ...], stopped: Late = lambda: False) -> None:
        """Load the model. Raises RouterError."""
        self._routes = routes
        path = Path(settings.model)
        self.model = LlamaModel(load_library(), path, settings.gpu_layers, stopped)
        try:
            self.format = _format_of(self.model)
            plan = self._plan_for(routes)
            constant = len(plan.prefix) + plan.tail
            cells = constant + MOST_TOKENS + BATCH // 2 + _OTHERS_TIMES * len(plan.prefix) + _OTHERS_MORE
            cells = min(cells, max(self.model.trained_context, constant + BATCH // 2))
            answers = max(len(routes) + 1, _ANSWERS)
            self.context = LlamaContext(
                self.model, cells=cells, prefixes=1 + _OTHER_PREFIXES, answers=answers, threads=thread_number()
            )
        except BaseException:
            self.model.close()
            raise
        self._configured = plan
        self._others: OrderedDict[tuple[Route, ...], _Plan] = OrderedDict()
        self.pace = Pace(0.0)

    def close(self) -> None:
        """Give the memory back."""
        self.context.close()
        self.model.close()

    def warm_up(self, stopped: Late = lambda: False) -> None:
        """Evaluate the constant prefix, and measure the speed. Raises RouterError."""
        started_s = time.monotonic()
        took_s = self._evaluate_prefix(stopped)
        if took_s < _TELLING_S:
            # A first evaluation may contain what a graphics processor does only once.
            self.context.forget(0)
            took_s = self._evaluate_prefix(stopped)
        self.pace = Pace(len(self._configured.prefix) / max(took_s, 1e-6))
        self._score(self._configured, self._prompt(self._routes, [Turn("user", _PROBES[0])]), stopped)
        log.info(
            "the llama router is ready: %s (%s prompt, %s, %d threads), %d tokens of prompt evaluated, "
            "%.0f tokens/s, warm after %.1f s",
            self.model.path.name,
            self.format.name,
            "graphics processor" if self.model.on_gpu else "processor",
            thread_number(),
            len(self._configured.prefix),
            self.pace.tokens_per_s,
            time.monotonic() - started_s,
        )

    def decide(self, question: Question, late: Late) -> Answer:
        """How well each route suits. Raises RouterError; TooLateError when `late` says so first."""
        plan = self._plan(question.routes)
        budget = min(
            self.pace.budget(question.timeout_s, plan.tail),
            self.context.cells - len(self._configured.prefix) - len(plan.prefix) - plan.tail - len(plan.trie.nodes),
        )
        turns = question.turns or (Turn("user", question.text),)
        neutral = [Turn(turn.role, self.model.neutral(turn.text)) for turn in turns]
        chosen = choose_turns(neutral, budget, self.model.count)
        prompt = self._prompt(plan.routes, chosen)
        if plan is not self._configured:
            self._make_room(plan, len(prompt) + len(plan.trie.nodes) + len(plan.trie.shared))
            self.context.keep(plan.slot, plan.prefix, late)
        probabilities = self._timed_score(plan, prompt, late)
        best = max(range(len(probabilities)), key=probabilities.__getitem__)
        names = [route.name for route in plan.routes]
        return Answer(dict(zip(names, probabilities, strict=False)), probabilities[-1], "llama", plan.answers[best])

    def _evaluate_prefix(self, stopped: Late) -> float:
        started_s = time.monotonic()
        self.context.keep(0, self._configured.prefix, stopped)
        return time.monotonic() - started_s

    def _timed_score(self, plan: _Plan, prompt: Sequence[int], late: Late) -> list[float]:
        before, started_s = self.context.begun, time.monotonic()
        try:
            found = self._score(plan, prompt, late)
        except TooLateError:
            self.pace.missed(self.context.begun - before, time.monotonic() - started_s)
            raise
        self.pace.saw(self.context.begun - before, time.monotonic() - started_s)
        return found

    def _score(self, plan: _Plan, prompt: Sequence[int], late: Late) -> list[float]:
        return shares(self.context.score(plan.slot, prompt, plan.trie, late))

    def _prompt(self, routes: Sequence[Route], turns: Sequence[Turn]) -> list[int]:
        model = self.model
        plain = [Route(model.neutral(r.name), model.neutral(r.description), r.examples) for r in routes]
        text = render_chat(model.template, self.format.messages(plain, turns), model.bos, model.eos)
        return model.tokens(text, whole_prompt=True)

    def _plan_for(self, routes: tuple[Route, ...]) -> _Plan:
        one, other = (self._prompt(routes, [Turn("user", probe)]) for probe in _PROBES)
        prefix = _common(one, other)
        answers = self.format.answers(routes)
        trie = Trie.build([self.model.tokens(answer) for answer in answers])
        tail = len(one) - len(prefix) + len(trie.shared) + len(trie.nodes)
        return _Plan(routes, prefix, tail, answers, trie)

    def _plan(self, routes: tuple[Route, ...]) -> _Plan:
        """The plan for these routes; the configured one where there are none."""
        if not routes or routes == self._routes:
            return self._configured
        plan = self._others.get(routes)
        if plan is None:
            plan = self._plan_for(routes)
            taken = {each.slot for each in self._others.values()}
            if len(taken) == _OTHER_PREFIXES:
                taken.remove(self._drop_oldest())
            plan.slot = next(slot for slot in range(1, 1 + _OTHER_PREFIXES) if slot not in taken)
            self.context.forget(plan.slot)
            self._others[routes] = plan
        self._others.move_to_end(routes)
        return plan

    def _make_room(self, plan: _Plan, tokens: int) -> None:
        """Forget other prefixes, the oldest first, until a prompt of so many tokens fits."""
        while self.context.free_cells() < tokens and next(iter(self._others.values())) is not plan:
            self._drop_oldest()

    def _drop_oldest(self) -> int:
        _, plan = self._others.popitem(last=False)
        self.context.forget(plan.slot)
        return plan.slot


def _format_of(model: LlamaModel) -> PromptFormat:
    """By what the file says of itself; with the text of a file NAME.prompt.txt beside it, where there is one."""
    chosen = format_for(model.names)
    beside = model.path.with_suffix(".prompt.txt")
    try:
        text = beside.read_text("utf-8")
    except FileNotFoundError:
        return chosen
    except (OSError, UnicodeDecodeError) as error:
        raise RouterError(f"{beside} cannot be read: {error}") from None
    try:
        return chosen.with_text(text)
    except ValueError as error:
        raise RouterError(f"{beside}: {error}") from None


def _common(one: Sequence[int], other: Sequence[int]) -> list[int]:
    end = next((index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    return list(one[:end])
