"""Puts the backend of the settings together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from plano_router.answer import Route, RouterError
from plano_router.backends import AutoBackend, Backend, BuiltinBackend
from plano_router.classifier import Classifier
from plano_router.llama_backend import Decider, open_llama
from plano_router.settings import RouterSettings


@asynccontextmanager
async def open_backend(settings: RouterSettings, *, background: bool = False) -> AsyncIterator[Backend]:
    """The backend, ready to be asked; with `background` a local model is still loading.

    Raises RouterError when the settings ask for one that is not there.
    """
    routes = tuple(Route(each.name, each.description, each.examples) for each in settings.routes)
    kind = settings.backend
    async with AsyncExitStack() as stack:
        model: Backend | None = None
        if settings.llama is not None and kind in ("auto", "llama"):
            # Only now, as below: what other backends need would add a fifth to the memory of the built-in one.
            from plano_router.llama_decider import LlamaDecider  # noqa: PLC0415

            llama = settings.llama

            def load(stopped: Callable[[], bool]) -> Decider:
                return LlamaDecider(llama, routes, stopped)

            model = await stack.enter_async_context(open_llama(load, background=background))
        elif settings.remote is not None and kind in ("auto", "remote"):
            import aiohttp  # noqa: PLC0415

            from plano_router.remote import RemoteBackend  # noqa: PLC0415

            session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=True))
            model = RemoteBackend(settings.remote, routes, settings.context_tokens, session)
        if kind == "builtin" or (kind == "auto" and model is None):
            yield BuiltinBackend(Classifier.load(), routes)
        elif model is None:
            raise RouterError(f"there is no {kind} router in these settings")
        elif kind == "auto":
            yield AutoBackend(BuiltinBackend(Classifier.load(), routes), model, settings.sure)
        else:
            yield model
