"""What a shield does to a cleanup, without any server: it is cancelled in both ways, early and late, or forgotten."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal

import anyio

from hangup.trace.table import Table

Write = Callable[[], Coroutine[Any, Any, None]]
Cleanup = Callable[[Write], Awaitable[None]]
How = Literal["task.cancel()", "scope.cancel()"]
"""asyncio's cancellation, and AnyIO's."""
When = Literal["before", "in"]
"""Before the cleanup begins, and in the middle of its write."""

MOMENTS: tuple[tuple[How, When], ...] = (
    ("task.cancel()", "before"),
    ("task.cancel()", "in"),
    ("scope.cancel()", "before"),
    ("scope.cancel()", "in"),
)


async def outcomes(*cleanups: Cleanup) -> Table:
    """Return a table that says for each cleanup what got done, however and whenever its handler is cancelled."""
    rows = [(_name(each), *[await outcome(each, how, when) for how, when in MOMENTS]) for each in cleanups]
    return Table(("cleanup", *(" ".join(moment) for moment in MOMENTS)), tuple(rows))


async def outcome(cleanup: Cleanup, how: How, when: When) -> str:
    """Cancel a handler that waits, then runs `cleanup(write)`; return what got done by the time the handler ended."""
    gone, writing, answer, scope = asyncio.Event(), asyncio.Event(), asyncio.Event(), anyio.CancelScope()
    done: list[str] = []

    async def write() -> None:
        writing.set()
        await answer.wait()
        done.append("row")

    async def handler() -> None:
        with scope:
            try:
                await gone.wait()
            finally:
                await cleanup(write)
                done.append("line after")

    task = asyncio.create_task(handler())
    await asyncio.sleep(0)
    if when == "in":
        gone.set()
        await writing.wait()
    (task if how == "task.cancel()" else scope).cancel()
    await _turns()
    if not task.done():
        answer.set()
        await asyncio.wait([task])
    got = list(done)
    answer.set()
    await _turns()  # for a write that has outlived its handler
    return "✓ " + ", ".join(got) if got else "✗ nothing"


async def forgotten(cleanup: Callable[[], Coroutine[Any, Any, None]]) -> str:
    """Cancel a task that waits in `cleanup()`, let go of it, collect the garbage; return what asyncio says then."""
    said: list[str] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: said.append(context["message"]))
    try:
        task = asyncio.create_task(cleanup())
        await _turns()
        task.cancel()
        await asyncio.wait([task])
        del task
        gc.collect()
    finally:
        loop.set_exception_handler(before)
    return ", ".join(said) or "nothing"


def _name(cleanup: Cleanup) -> str:
    return str(getattr(cleanup, "__name__", cleanup))


async def _turns() -> None:
    """Let the loop turn until whatever can happen has happened."""
    for _ in range(20):
        await asyncio.sleep(0)
