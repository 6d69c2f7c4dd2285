"""How much of a conversation a local model reads: what it can read in the time there is. Pure."""

from collections.abc import Callable, Sequence

from plano_router.reading import Turn

LEAST_TOKENS, MOST_TOKENS = 64, 2048
#: Of the time for a decision, what may be planned; the rest is for a machine that is busy.
_PLANNED = 0.6
#: Of a turn that is cut, so much is taken from its beginning.
_HEAD_SHARE = 0.6
#: A turn of which less than this would remain is left out.
_LEAST_OF_A_TURN = 16
#: Of what the assistant said, one line tells the topic.
_ASSISTANT_CHARACTERS = 160
#: What the marks around a turn take.
_TURN_MARKS = 4
#: How much a new measurement of the speed counts against the old ones.
_NEW_SHARE = 0.3
#: Fewer tokens say more about the overhead than about the speed.
_TELLING_TOKENS = 128


class Pace:
    """How quickly the model reads, in tokens per second: measured at the warm-up, and followed from then on."""

    def __init__(self, tokens_per_s: float) -> None:
        self.tokens_per_s = tokens_per_s

    def budget(self, timeout_s: float, constant_tokens: int) -> int:
        """Tokens of the conversation that can be read beside those that come with every question."""
        readable = int(self.tokens_per_s * timeout_s * _PLANNED) - constant_tokens
        return min(MOST_TOKENS, max(LEAST_TOKENS, readable))

    def saw(self, tokens: int, took_s: float) -> None:
        """A decision that came to its end. A short one is told from a slow one only where it was quicker."""
        if took_s > 0 and (tokens >= _TELLING_TOKENS or tokens / took_s > self.tokens_per_s):
            self.tokens_per_s += _NEW_SHARE * (tokens / took_s - self.tokens_per_s)

    def missed(self, tokens: int, took_s: float) -> None:
        """A decision that was given up: so many tokens were to be read, so the speed is below this."""
        if took_s > 0:
            self.tokens_per_s = min(self.tokens_per_s, max(1.0, tokens / took_s) * (1 - _NEW_SHARE))


def choose_turns(turns: Sequence[Turn], budget: int, count: Callable[[str], int]) -> list[Turn]:
    """The newest turn of the user always, its middle cut where it is too long; then earlier ones, newest first.

    `count` says how many tokens a text has.
    """
    if not turns:
        return []
    newest = Turn(turns[-1].role, cut_middle(turns[-1].text, budget - _TURN_MARKS, count))
    kept = [newest]
    left = budget - _TURN_MARKS - count(newest.text)
    for turn in reversed(turns[:-1]):
        text = turn.text if turn.role == "user" else _first_line(turn.text)
        left -= _TURN_MARKS
        if left < _LEAST_OF_A_TURN:
            break
        text = cut_middle(text, left, count)
        left -= count(text)
        kept.append(Turn(turn.role, text))
    return kept[::-1]


def cut_middle(text: str, most: int, count: Callable[[str], int]) -> str:
    """The text, with no more than `most` tokens, at least one character of head and tail."""
    tokens, characters = count(text), len(text)
    shorter = text
    while tokens > most and characters > 2:
        characters = max(2, min(characters - 1, int(characters * most / tokens)))
        head = max(1, int(characters * _HEAD_SHARE))
        shorter = f"{text[:head]}…{text[len(text) - (characters - head) :]}"
        tokens = count(shorter)
    return shorter


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _ASSISTANT_CHARACTERS else f"{line[:_ASSISTANT_CHARACTERS]}…"
