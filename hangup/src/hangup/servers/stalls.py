"""Waiting on a machine that may stand still for seconds: busy, suspended, or stopped in the middle of a test.

After a stall all timers are due at once, before anybody has looked at what came meanwhile: a single one would say of a
message that it did not come. Here time is taken step by step, and a stall costs one. This module imports nothing but
Python's own: it is copied to where servers are asked.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

STEP = 0.05  # seconds
LEAST = 4  # steps, where they must be shorter


class _Steps:
    """Ends a timeout after so many steps; each begins when the last one is over, and is seen to be."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout, self._loop = timeout, asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._left, self._length = 0, 0.0

    def begin(self, seconds: float) -> None:
        self._left, self._length = _steps(seconds)
        self._step()

    def _step(self) -> None:
        self.end()
        if self._left:
            self._left -= 1
            self._timer = self._loop.call_later(self._length, self._step)
        else:
            self._timeout.reschedule(self._loop.time())

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None  # it knows this object


@contextlib.asynccontextmanager
async def patience(seconds: float | None = None) -> AsyncIterator[Callable[[float], None]]:
    """Raise TimeoutError when the block has not ended in so many seconds, or in as many as what it yields is told.

    They are seconds in which the loop turns.
    """
    async with asyncio.timeout(None) as timeout:
        steps = _Steps(timeout)
        if seconds is not None:
            steps.begin(seconds)
        try:
            yield steps.begin
        finally:
            steps.end()


async def rest(seconds: float) -> None:
    """Sleep, step by step: after a stall there is still time in which others do what they do."""
    count, length = _steps(seconds)
    for _ in range(count):
        await asyncio.sleep(length)


def _steps(seconds: float) -> tuple[int, float]:
    """Return how many steps make so many seconds, and how long each is."""
    count = max(round(seconds / STEP), LEAST)
    return count, seconds / count


async def pending(tasks: "Iterable[asyncio.Future[Any]]", seconds: float) -> "list[asyncio.Future[Any]]":
    """Wait until all are done, for so many seconds in which the loop turns; return those that are not."""
    waiting = [task for task in tasks if not task.done()]
    if waiting:
        with contextlib.suppress(TimeoutError):
            async with patience(seconds):
                await asyncio.wait(waiting)
    return [task for task in waiting if not task.done()]
