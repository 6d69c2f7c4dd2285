"""What the demo shows: the recommended configuration, pointed at a simulated provider, and four requests. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from planoai.simulator import Behaviour, Match, Rule

#: The four keys of the recommended configuration; the simulated provider takes any.
DEMO_KEYS: Mapping[str, str] = {
    "CLAUDE_API_KEY": "demo-claude",
    "CLAUDE_AWS_API_KEY": "demo-claude-aws",
    "CLAUDE_OFFCIAL_API_KEY": "demo-claude-official",
    "CODEX_API_KEY": "demo-codex",
}


@dataclass(frozen=True)
class Step:
    """One request of the demo."""

    title: str
    model: str
    prompt: str
    stream: bool = False
    rules: tuple[Rule, ...] = ()
    """How the simulated provider behaves during this step."""
    by_intent: bool = False
    """Whether the gateway chooses the model by what is asked; else it is the one that is named."""

    @property
    def headers(self) -> dict[str, str]:
        """What the request has beside its content type."""
        return {} if self.by_intent else {"x-plano-route": "off"}

    @property
    def body(self) -> dict[str, object]:
        """The chat completion that is asked for."""
        messages = [{"role": "user", "content": self.prompt}]
        return {"model": self.model, "messages": messages, **({"stream": True} if self.stream else {})}


_RATE_LIMITED = Rule(
    Match(key=DEMO_KEYS["CLAUDE_API_KEY"]), [Behaviour(status=429, headers={"retry-after": "30"})], name="rate-limited"
)
_SLOWLY = Rule(behaviours=[Behaviour(chunks=8, delay_between_tokens_s=0.1)], name="slowly")

STEPS = (
    Step(
        "Routed by intent: code goes to the strong model",
        "auto",
        "Write a Python function that merges overlapping intervals, with type hints.",
        by_intent=True,
    ),
    Step(
        "Routed by intent: a small question goes to the quick one",
        "auto",
        "What is the capital of Australia?",
        by_intent=True,
    ),
    Step("A plain request", "custom/claude-opus-4-6", "Hello!"),
    Step("A stream", "custom/gpt-5.4", "Count slowly.", stream=True, rules=(_SLOWLY,)),
    Step(
        "The first channel is rate-limited (429): the next one answers, and the client notices nothing",
        "custom/claude-opus-4-6",
        "Are you still there?",
        rules=(_RATE_LIMITED,),
    ),
    Step(
        "The next request: the channel said to come back in 30 s, so it is not even asked",
        "custom/claude-opus-4-6",
        "And now?",
        rules=(_RATE_LIMITED,),
    ),
)


def demo_config(recommended: str, provider_url: str, port: int) -> str:
    """The recommended configuration with the provider's URL, on loopback, on `port`; otherwise unchanged."""
    text = re.sub(r"base_url: .*", f"base_url: {provider_url}", recommended)
    text = re.sub(r"address: .*", "address: 127.0.0.1", text)
    return re.sub(r"port: .*", f"port: {port}", text)


def curl_line(port: int) -> str:
    """What to type in another terminal."""
    return (
        f"curl http://localhost:{port}/v1/chat/completions -H 'Content-Type: application/json' \\\n"
        '    -d \'{"model": "custom/claude-opus-4-6", "messages": [{"role": "user", "content": "Hello!"}]}\''
    )


def text_of(line: bytes) -> str:
    """The text in one line of a streamed chat completion; empty for everything else."""
    found = re.search(rb'"delta":.*?"content":\s*("(?:[^"\\]|\\.)*")', line)
    return str(json.loads(found.group(1))) if found else ""
