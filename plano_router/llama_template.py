"""A conversation as the text that a local model was trained on: by the chat template in its file. Pure."""

import json
from collections.abc import Sequence

from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

Message = dict[str, str]

#: Where a file has no template, or one that cannot be used: what most models know.
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{{ '<|im_start|>assistant\n' }}"
)
_OPEN_THOUGHT = "<think>"


def render_chat(template: str | None, messages: Sequence[Message], bos: str = "", eos: str = "") -> str:
    """The prompt up to where the model's answer begins. Templates come from files of strangers: they run in a sandbox.

    Where a template refuses a system message, its text goes to the front of the user's message.
    """
    attempts = [(template, messages), (template, _without_system(messages)), (CHATML, messages)]
    for source, given in attempts:
        if source is None:
            continue
        try:
            text = _render(source, given, bos, eos)
        except Exception:  # noqa: S112  (a stranger's program may fail in any way; the next attempt is the answer)
            continue
        if all(message["content"].strip() in text for message in given):
            return _with_thoughts_closed(text)
    raise AssertionError("ChatML renders everything")


def _render(source: str, messages: Sequence[Message], bos: str, eos: str) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _to_json
    return environment.from_string(source).render(
        messages=list(messages),
        add_generation_prompt=True,
        # Hybrid models answer at once.
        enable_thinking=False,
        bos_token=bos,
        eos_token=eos,
        tools=None,
        raise_exception=_refuse,
        # A fixed day: a date that changes would make another prompt of it, and throw the evaluated one away.
        strftime_now=lambda form: "1 January 2025" if form else "",
    )


def _without_system(messages: Sequence[Message]) -> list[Message]:
    system = [message["content"] for message in messages if message["role"] == "system"]
    others = [dict(message) for message in messages if message["role"] != "system"]
    if system and others:
        others[0]["content"] = "\n\n".join([*system, others[0]["content"]])
    return others


def _with_thoughts_closed(text: str) -> str:
    """Models that always begin with thoughts are taken to have had them."""
    return f"{text.rstrip()}\n\n</think>\n\n" if text.rstrip().endswith(_OPEN_THOUGHT) else text


def _refuse(message: str) -> None:
    raise ValueError(message)


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
