"""planoai.simulator.event_loop: a loop that runs."""

import asyncio

from planoai.simulator.event_loop import loop_factory


def test_loop_runs() -> None:
    """Whatever loop there is, asyncio.Runner can use it."""

    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        assert runner.run(answer()) == 42
