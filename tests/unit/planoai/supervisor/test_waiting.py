"""Whichever comes first."""

import asyncio

import pytest

from planoai.supervisor.waiting import first_of


async def test_the_first_one_wins_and_the_others_are_cancelled() -> None:
    """The number of the one that ended; nothing goes on behind it."""
    cancelled = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def at_once() -> None:
        await asyncio.sleep(0)

    assert 1 == await first_of(forever(), at_once())
    assert cancelled.is_set()


async def test_none_when_the_time_is_over() -> None:
    """A timeout is not an error."""
    assert await first_of(asyncio.Event().wait(), timeout_s=0) is None


async def test_an_error_is_not_lost() -> None:
    """What a wait raises comes out, as a task group raises it."""

    async def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ExceptionGroup) as caught:
        await first_of(fail(), asyncio.Event().wait())
    assert caught.group_contains(ValueError, match="broken")
