"""Puts the backend of the settings together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from plano_router.answer import Route, RouterError
from plano_router.backends import AutoBackend, Backend, BuiltinBackend
from plano_router.classifier import Classifier
from plano_router.remote import RemoteBackend
from plano_router.settings import RouterSettings


@asynccontextmanager
async def open_backend(settings: RouterSettings) -> AsyncIterator[Backend]:
    """The backend, ready to be asked. Raises RouterError when the settings ask for one that is not there."""
    routes = tuple(Route(each.name, each.description, each.examples) for each in settings.routes)
    if settings.backend == "builtin" or (settings.backend == "auto" and settings.remote is None):
        yield BuiltinBackend(Classifier.load(), routes)
        return
    if settings.remote is None:
        raise RouterError(f"there is no {settings.backend} router in these settings")
    async with aiohttp.ClientSession(trust_env=True) as session:
        remote = RemoteBackend(settings.remote, routes, settings.context_tokens, session)
        if settings.backend == "remote":
            yield remote
            return
        yield AutoBackend(BuiltinBackend(Classifier.load(), routes), remote, settings.sure)
