"""The router that asks a language model behind an OpenAI-compatible endpoint."""

import json

import aiohttp

from plano_router.answer import Answer, Route, RouterError
from plano_router.prompts import chat_messages, read_answer
from plano_router.question import Question
from plano_router.settings import RemoteSettings

#: An answer is one short line; a model that thinks aloud needs some more.
_MOST_TOKENS = 512
_MOST_BYTES = 1 << 20


class RemoteBackend:
    """Asks a model with a strict short prompt, and reads its answer leniently."""

    name = "remote"

    def __init__(
        self, settings: RemoteSettings, routes: tuple[Route, ...], context_tokens: int, session: aiohttp.ClientSession
    ) -> None:
        self._settings = settings
        self._routes = routes
        self._context_tokens = context_tokens
        self._session = session

    async def ask(self, question: Question) -> Answer:
        """How well each route suits. Raises RouterError."""
        routes = question.routes or self._routes
        content = await self._complete(chat_messages(question, routes, self._context_tokens), question.timeout_s)
        answer = read_answer(content, routes, self.name)
        if answer is None:
            raise RouterError(f"{self._settings.name} named no route: {content[:80]!r}")
        return answer

    async def _complete(self, messages: list[dict[str, str]], timeout_s: float) -> str:
        settings = self._settings
        headers = dict(settings.headers)
        if settings.key is not None:
            headers["authorization"] = f"Bearer {settings.key}"
        body = {"model": settings.model, "messages": messages, "temperature": 0, "max_tokens": _MOST_TOKENS}
        try:
            async with self._session.post(
                settings.url, json=body, headers=headers, timeout=aiohttp.ClientTimeout(total=timeout_s)
            ) as response:
                raw = await response.content.read(_MOST_BYTES)
                if response.status != 200:
                    raise RouterError(f"{settings.name} answered {response.status}")
        except TimeoutError:
            raise RouterError(f"{settings.name} did not answer within {timeout_s:g} s") from None
        except aiohttp.ClientError as error:
            raise RouterError(f"{settings.name} cannot be reached: {type(error).__name__}") from None
        try:
            content = json.loads(raw)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            raise RouterError(f"{settings.name} answered with something that is no chat completion") from None
        return content if isinstance(content, str) else ""
