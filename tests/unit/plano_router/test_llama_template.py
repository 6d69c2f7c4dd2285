"""plano_router.llama_template: chat templates of model files."""

import pytest

from plano_router.llama_template import CHATML, render_chat

MESSAGES = [{"role": "system", "content": "Decide."}, {"role": "user", "content": "hi "}]
AS_CHATML = "<|im_start|>system\nDecide.<|im_end|>\n<|im_start|>user\nhi <|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    "template",
    [
        None,
        CHATML,
        "{{ not jinja",
        "{{ 1 / 0 if false else unknown.attribute }}",
        "{{ raise_exception('no') }}",
        "loses {{ messages | length }} of them",
        "{% for m in messages %}{% for x in range(99999999) %}{{ m.content }}{% endfor %}{% endfor %}",
        "{{ ''.__class__.__mro__ }}",
    ],
)
def test_without_a_usable_template_it_is_chatml(template: str | None) -> None:
    """None, a broken one, one that refuses or loses messages, and one that tries to get out of its sandbox."""
    assert AS_CHATML == render_chat(template, MESSAGES)


def test_the_template_of_the_model_is_used() -> None:
    """With its tokens for beginning and end, JSON as it is, no thinking, and a day that does not change."""
    template = (
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}{{ enable_thinking }}{{ {'ä': 1} | tojson }}"
        "{{ strftime_now('%d %b %Y') }}"
    )
    expected = '<s>[system]Decide.</s>[user]hi</s>[assistant]False{"ä": 1}1 January 2025'
    assert expected == render_chat(template, MESSAGES, "<s>", "</s>")


def test_a_template_without_system_messages() -> None:
    """Gemma's refuses them: the instructions go to the front of the user's message."""
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    assert "<user>Decide.\n\nhi " == render_chat(template, MESSAGES)


def test_models_that_always_think() -> None:
    """Their thoughts are closed: an answer is scored at once."""
    assert "Decide.hi <think>\n\n</think>\n\n" == render_chat(
        "{% for m in messages %}{{ m.content }}{% endfor %}<think>\n", MESSAGES
    )
