"""plano_router.llama_prompts: how each kind of model is asked."""

import json

import pytest

from plano_router.answer import Route
from plano_router.llama_prompts import ARCH_ROUTER, GENERIC, PLANO_ORCHESTRATOR, PromptFormat, format_for
from plano_router.prompts import read_answer
from plano_router.reading import Turn

ROUTES = (Route("code", "writing {conversation}", ("a parser", "a lexer")), Route('"q"', "Fragen, 问题"))
TURNS = (Turn("user", "fix {routes} ü"), Turn("assistant", "done"), Turn("user", "thanks"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Arch Router 1.5B", "x"], ARCH_ROUTER),
        (["Models", "arch-router-1.5b.Q4_K_M"], ARCH_ROUTER),
        (["Plano_Orchestrator 4B"], PLANO_ORCHESTRATOR),
        (["Qwen2.5 1.5B Instruct", "qwen"], GENERIC),
        ([], GENERIC),
    ],
)
def test_the_format_follows_from_the_name(names: list[str], expected: PromptFormat) -> None:
    """By what the file says of itself, else by the file's own name."""
    assert expected is format_for(names)


def test_generic_models_read_what_never_changes_first() -> None:
    """Instructions, routes and their examples; the conversation is the last."""
    system, user = GENERIC.messages(ROUTES, TURNS)
    other, _ = GENERIC.messages(ROUTES, TURNS[:1])
    assert ("system", "user", system) == (system["role"], user["role"], other)
    assert '- code: writing {conversation} (e.g. "a parser", "a lexer")' in system["content"]
    assert user["content"].endswith("user: thanks\n</conversation>")


def test_arch_router() -> None:
    """One message; compact JSON; placeholders that a user wrote are text."""
    (message,) = ARCH_ROUTER.messages(ROUTES, TURNS)
    text = message["content"]
    lines = text.splitlines()
    assert [{"name": each.name, "description": each.description} for each in ROUTES] == json.loads(
        lines[lines.index("<routes>") + 2]
    )
    assert '[{"role":"user","content":"fix {routes} ü"},{"role":"assistant","content":"done"}' in text
    assert '{"route": "other"}' in text
    assert ["user", "\n", "\n"] == [message["role"], text[0], text[-1]]


def test_plano_orchestrator() -> None:
    """A tool on each line, the conversation indented by four, doubled braces in the description of the answer."""
    (message,) = PLANO_ORCHESTRATOR.messages(ROUTES, TURNS)
    text = message["content"]
    nothing = '"parameters": {"type": "object", "properties": {}, "required": []}}'
    assert f'<routes>\n{{"name": "code", "description": "writing {{conversation}}", {nothing}\n' in text
    assert '<conversation>\n[\n    {\n        "role": "user",\n        "content": "fix {routes} ü"\n    },' in text
    assert '{{"route": ["route_name_1", "route_name_2", "..."]}}' in text
    assert ["user", "\n", "\n"] == [message["role"], text[0], text[-1]]


@pytest.mark.parametrize(
    ("form", "answers"),
    [
        (GENERIC, ['{"route": "code"}', '{"route": "\\"q\\""}', '{"route": "none"}']),
        (ARCH_ROUTER, ['{"route": "code"}', '{"route": "\\"q\\""}', '{"route": "other"}']),
        (PLANO_ORCHESTRATOR, ['{"route": ["code"]}', '{"route": ["\\"q\\""]}', '{"route": []}']),
    ],
)
def test_answers(form: PromptFormat, answers: list[str]) -> None:
    """One for each route and one for none; all are what the reading of free answers understands."""
    assert answers == form.answers(ROUTES)
    read = [read_answer(each, ROUTES, "x") for each in answers]
    assert [0.9, 0.9] == [each.probabilities[route.name] for each, route in zip(read, ROUTES, strict=False) if each]
    assert read[2] is not None
    assert read[2].none == 0.9


def test_a_text_of_the_user() -> None:
    """In place of ours; it needs both placeholders, once."""
    changed = ARCH_ROUTER.with_text("C {conversation} R {routes} {x}")
    (message,) = changed.messages(ROUTES[1:], TURNS[2:])
    routes = '[{"name":"\\"q\\"","description":"Fragen, 问题"}]'
    assert f'C [{{"role":"user","content":"thanks"}}] R {routes} {{x}}' == message["content"]
    for text in ("{routes}", "{routes}{routes}{conversation}", ""):
        with pytest.raises(ValueError, match="once"):
            GENERIC.with_text(text)
    (own,) = GENERIC.with_text("{routes}|{conversation}").messages(ROUTES[:1], TURNS[2:])
    assert "- code: writing {conversation}|user: thanks" == own["content"]
