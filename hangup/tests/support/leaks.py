"""An honest look at what a run leaves behind."""

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest


def threads() -> int:
    """Return how many threads this process has, those of extension modules included where the system tells."""
    return sum(1 for _ in Path("/proc/self/task").iterdir()) if sys.platform == "linux" else threading.active_count()


def files() -> int:
    """Return how many file descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd").iterdir())


@pytest.fixture
def leaves_nothing() -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Run a coroutine function on a new loop, twice, and assert that the second run leaves nothing.

    The first run may import packages and start what they keep. A thread that has been told to end gets time to do so.
    """

    async def run(work: Callable[[], Awaitable[None]]) -> None:
        await work()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def check(work: Callable[[], Awaitable[None]]) -> None:
        asyncio.run(run(work))
        gc.collect()
        before = threads(), files()
        asyncio.run(run(work))
        gc.disable()  # what goes away must do so without the collector
        try:
            deadline = time.monotonic() + 60
            while (threads() > before[0] or files() > before[1]) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert threads() <= before[0]
            assert files() <= before[1]
        finally:
            gc.enable()

    return check
