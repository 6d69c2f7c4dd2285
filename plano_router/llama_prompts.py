"""How each kind of local router model is asked, and the answers that it may give. Pure.

Models that were trained as routers get the layout that they were trained on; any other instruct model gets the prompt
of the `remote` router, whose constant part comes first and is evaluated only once.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from plano_router.answer import Route
from plano_router.prompts import messages_of
from plano_router.reading import Turn

#: Where a text for one message puts the routes and the conversation.
ROUTES, CONVERSATION = "{routes}", "{conversation}"


@dataclass(frozen=True)
class PromptFormat:
    """A way of asking."""

    name: str
    routes: Callable[[Sequence[Route]], str]
    conversation: Callable[[Sequence[Turn]], str]
    answer: Callable[[str], str]
    """What the model says for a route."""
    none: str
    """What it says where no route fits."""
    text: str | None = None
    """The one message, from the user; None: instructions as system message, the conversation as the user's."""

    def messages(self, routes: Sequence[Route], turns: Sequence[Turn]) -> list[dict[str, str]]:
        """Messages of a chat."""
        if self.text is None:
            return messages_of(turns, routes, examples=True)
        head, _, tail = self.text.partition(CONVERSATION)
        # Each placeholder is looked for in our text only, never in what a user wrote.
        parts = (_filled(head, self.routes(routes)), self.conversation(turns), _filled(tail, self.routes(routes)))
        return [{"role": "user", "content": "".join(parts)}]

    def answers(self, routes: Sequence[Route]) -> list[str]:
        """An answer for each route, and the last for none of them."""
        return [*(self.answer(route.name) for route in routes), self.none]

    def with_text(self, text: str) -> "PromptFormat":
        """The same with a text of the user's own. Raises ValueError where it lacks a placeholder."""
        for placeholder in (ROUTES, CONVERSATION):
            if text.count(placeholder) != 1:
                raise ValueError(f"it must have {placeholder} once")
        return replace(self, text=text)


def _filled(part: str, routes: str) -> str:
    return part.replace(ROUTES, routes)


def _object(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _as_lines(routes: Sequence[Route]) -> str:
    return "\n".join(f"- {route.name}: {' '.join(route.description.split())}" for route in routes)


def _as_dialogue(turns: Sequence[Turn]) -> str:
    return "\n".join(f"{turn.role}: {turn.text}" for turn in turns)


def _as_pairs(turns: Sequence[Turn]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.text} for turn in turns]


def _as_tools(routes: Sequence[Route]) -> str:
    """A JSON object on each line, in the layout of a tool without parameters."""
    nothing = {"type": "object", "properties": {}, "required": []}
    return "\n".join(_object({"name": r.name, "description": r.description, "parameters": nothing}) for r in routes)


GENERIC = PromptFormat(
    name="generic",
    routes=_as_lines,
    conversation=_as_dialogue,
    answer=lambda name: _object({"route": name}),
    none='{"route": "none"}',
)

#: Arch-Router: routes and conversation as compact JSON, one route or "other".
ARCH_ROUTER = PromptFormat(
    name="arch-router",
    routes=lambda routes: _compact([{"name": each.name, "description": each.description} for each in routes]),
    conversation=lambda turns: _compact(_as_pairs(turns)),
    answer=lambda name: _object({"route": name}),
    none='{"route": "other"}',
    text="""
You assign conversations to routes. The routes are described between the <routes></routes> XML tags:
<routes>

{routes}

</routes>

<conversation>

{conversation}

</conversation>

Decide which route suits best what the user wants in the conversation between the <conversation></conversation> XML \
tags. Instructions:
1. When the user's latest intent has nothing to do with any route, or has been fulfilled, answer with the other route \
{"route": "other"}.
2. Compare the route descriptions, and find the one that matches the user's latest intent best.
3. Answer with the name of that route only, exactly as it is written between the <routes></routes> tags.

Give your answer in this JSON format:
{"route": "route_name"}
""",
)

#: Plano-Orchestrator: a tool on each line, the conversation as indented JSON, a list of routes. The doubled braces are
#: what these models saw.
PLANO_ORCHESTRATOR = PromptFormat(
    name="plano-orchestrator",
    routes=_as_tools,
    conversation=lambda turns: json.dumps(_as_pairs(turns), ensure_ascii=False, indent=4),
    answer=lambda name: _object({"route": [name]}),
    none='{"route": []}',
    text="""
You choose the most suitable routes by what the user intends. The available routes are described between the \
<routes></routes> XML tags:
<routes>
{routes}
</routes>

The conversation to be routed stands between the <conversation></conversation> XML tags:
<conversation>
{conversation}
</conversation>

## Instructions
1. Analyse the latest intent of the user in the conversation.
2. Compare it with the descriptions of the routes, and find those that can serve it.
3. Answer with the exact names of the routes only.
4. When no route fits, or the intent has been fulfilled already, answer with an empty list.

## Response Format
Give your answer in this JSON format:
{{"route": ["route_name_1", "route_name_2", "..."]}}
""",
)


def format_for(names: Sequence[str]) -> PromptFormat:
    """The way to ask the model of which a file says these names (general.name, general.basename, …, the file's own)."""
    for name in names:
        key = name.lower().replace("_", "-").replace(" ", "-")
        for known in (ARCH_ROUTER, PLANO_ORCHESTRATOR):
            if known.name in key:
                return known
    return GENERIC
