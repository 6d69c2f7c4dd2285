"""What a local model has evaluated, and the one step that scores all answers.

Constant prefixes stay evaluated, each in a sequence of its own. For a question the prefix is shared with one sequence
for each answer (no copy: the cells of the cache belong to several sequences), then the rest of the prompt and the
answers' tokens go through the model together, and all but the prefix is forgotten.
"""

import ctypes
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from plano_router.answer import RouterError
from plano_router.llama_model import LlamaModel
from plano_router.llama_trie import Trie

#: Tokens that go to llama.cpp at once, and through the model at once. Between the latter a graphics processor can be
#: stopped; a processor stops anywhere.
BATCH, STEP = 1024, 256
_ABORTED = 2


class TooLateError(RouterError):
    """There was no time left."""


class LlamaContext:
    """The key-value cache of a model. Belongs to one thread."""

    def __init__(self, model: LlamaModel, *, cells: int, prefixes: int, answers: int, threads: int) -> None:
        """`cells`: tokens that fit; `prefixes`, `answers`: how many there can be. Raises RouterError."""
        library = model.library
        self._library = library
        self._model = model
        self.prefixes: list[list[int]] = [[] for _ in range(prefixes)]
        """What is evaluated of each."""
        self.begun, self.evaluated = 0, 0
        """Tokens that llama.cpp was given, and that went through the model, so far."""
        self._late: Callable[[], bool] = _never
        most = int(library.llama_max_parallel_sequences())
        if prefixes + answers > most:
            raise RouterError(
                f"{answers - 1} routes are more than a local model can tell apart ({most - prefixes - 1})"
            )
        parameters = library.llama_context_default_params()
        parameters.n_ctx = cells
        parameters.n_batch = BATCH
        parameters.n_ubatch = STEP
        parameters.n_seq_max = prefixes + answers
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = True
        # Sliding windows would lose cells that later questions come back to.
        parameters.swa_full = True
        parameters.no_perf = True
        # Kept: llama.cpp has only its address.
        self._abort = library.ggml_abort_callback(lambda _: self._late())
        parameters.abort_callback = self._abort
        self._pointer = library.llama_init_from_model(model.pointer, parameters)
        if not self._pointer:
            raise RouterError(f"{model.path}: there is not enough memory for {cells} tokens. Take a smaller model")
        self._memory = library.llama_get_memory(self._pointer)
        self._batch = library.llama_batch_init(BATCH, 0, prefixes + answers)
        self._answers = answers
        self.cells = int(library.llama_n_ctx(self._pointer))

    def close(self) -> None:
        """Give the memory back."""
        if self._pointer:
            self._library.llama_batch_free(self._batch)
            self._library.llama_free(self._pointer)
        self._pointer = None

    def free_cells(self) -> int:
        """How many tokens fit beside the prefixes."""
        return self.cells - sum(map(len, self.prefixes))

    def keep(self, slot: int, tokens: Sequence[int], late: Callable[[], bool]) -> None:
        """Evaluate a prefix, as far as it is not. What was done counts even when it is late. Raises RouterError."""
        have = self.prefixes[slot]
        common = _common(have, tokens)
        self._cut(slot, common)
        del have[common:]
        while len(have) < len(tokens):
            part = tokens[len(have) : len(have) + STEP]
            rows = [(token, len(have) + index, (slot,), False) for index, token in enumerate(part)]
            try:
                self._decode(rows, late)
            except RouterError:
                self._cut(slot, len(have))
                raise
            have.extend(part)

    def forget(self, slot: int) -> None:
        """Make room."""
        self.prefixes[slot].clear()
        self._cut(slot, 0)

    def score(self, slot: int, prompt: Sequence[int], trie: Trie, late: Callable[[], bool]) -> list[float]:
        """The log-probability of each answer after the prompt, up to a constant.

        `prompt` begins like the prefix in `slot`, as a rule. Raises RouterError; TooLateError when `late` says so.
        """
        tokens = [*prompt, *trie.shared]
        # The last token has to be evaluated in any case: the answers are read off it.
        start = min(_common(self.prefixes[slot], tokens), len(tokens) - 1)
        if len(trie.nodes) >= BATCH or len(trie.steps) > self._answers:
            raise RouterError(f"{len(trie.steps) - 1} routes are too many for a local model")
        if len(tokens) - start + len(trie.nodes) > self.free_cells():
            raise RouterError(f"{len(tokens)} tokens are too many for a local model with room for {self.cells}")
        first = len(self.prefixes)
        everything = tuple(range(first, first + len(trie.steps)))
        try:
            return self._score(slot, start, tokens, trie, everything, late)
        finally:
            for sequence in everything:
                self._cut(sequence, 0)

    def _score(
        self,
        slot: int,
        start: int,
        tokens: Sequence[int],
        trie: Trie,
        everything: tuple[int, ...],
        late: Callable[[], bool],
    ) -> list[float]:
        share = self._library.llama_memory_seq_cp
        share(self._memory, slot, everything[0], 0, start)
        # A long rest goes ahead in steps, all but what fits beside the answers.
        ahead = max(0, len(tokens) - start - (BATCH - len(trie.nodes)))
        for begin in range(start, start + ahead, STEP):
            end = min(begin + STEP, start + ahead)
            self._decode([(tokens[at], at, everything[:1], False) for at in range(begin, end)], late)
        for sequence in everything[1:]:
            share(self._memory, everything[0], sequence, 0, start + ahead)
        last = len(tokens) - 1
        rows = [(tokens[at], at, everything, at == last) for at in range(start + ahead, len(tokens))]
        root = len(rows) - 1
        rows += [
            (node.token, len(tokens) + node.depth, tuple(everything[each] for each in node.answers), True)
            for node in trie.nodes
        ]
        self._decode(rows, late)
        found = {
            (node, token): value
            for node, wanted in trie.wanted().items()
            for token, value in zip(wanted, self._log_probabilities(root + 1 + node, wanted), strict=True)
        }
        return trie.sums(lambda node, token: found[node, token])

    def _log_probabilities(self, row: int, tokens: list[int]) -> list[float]:
        pointer = self._library.llama_get_logits_ith(self._pointer, row)
        if not pointer:
            raise RouterError(f"{self._model.path}: this model does not generate text. Take an instruct model")
        logits: npt.NDArray[np.float32] = np.ctypeslib.as_array(pointer, (self._model.vocabulary_size,))
        peak = float(logits.max())
        if not np.isfinite(peak):
            raise RouterError(f"{self._model.path}: this model computes nonsense; its file may be damaged")
        total = peak + float(np.log(np.exp(logits - peak).sum(dtype=np.float64)))
        return [float(logits[token]) - total for token in tokens]

    def _decode(self, rows: Sequence[tuple[int, int, tuple[int, ...], bool]], late: Callable[[], bool]) -> None:
        """Tokens, their positions, the sequences that they belong to, and whether something is read off them."""
        if late():
            raise TooLateError("there was no time left")
        batch = self._batch
        batch.n_tokens = len(rows)
        for index, (token, position, sequences, wanted) in enumerate(rows):
            batch.token[index] = token
            batch.pos[index] = position
            batch.n_seq_id[index] = len(sequences)
            ctypes.memmove(batch.seq_id[index], (ctypes.c_int32 * len(sequences))(*sequences), 4 * len(sequences))
            batch.logits[index] = wanted
        self.begun += len(rows)
        self._late = late
        try:
            outcome = self._library.llama_decode(self._pointer, batch)
        finally:
            self._late = _never
        if outcome == _ABORTED:
            raise TooLateError("there was no time left")
        if outcome != 0:
            raise RouterError(f"llama.cpp could not evaluate {len(rows)} tokens ({outcome})")
        self.evaluated += len(rows)

    def _cut(self, sequence: int, position: int) -> None:
        self._library.llama_memory_seq_rm(self._memory, sequence, position, -1)


def _never() -> bool:
    return False


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
