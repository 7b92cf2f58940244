"""The end of a session: whatever of the app still runs is stopped as a server does that stops, and is written down."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from hangup.explorer.apps.lifespan import Lifespan
from hangup.explorer.waiting import Wait
from hangup.record.internals import drop_from_all_tasks
from hangup.record.recorder import Session
from hangup.record.threads import Stuck
from hangup.trace.events import Event

LINGER = 30.0  # virtual seconds that an app has to end once it is told to, or its peers are gone
_given_up: "list[asyncio.Task[Any]]" = []


def cancel_as_a_server(sessions: Sequence[Session]) -> None:
    """Cancel the app where it runs, as a server does whose graceful shutdown has lasted long enough."""
    for session in sessions:
        if session.main is not None and not session.finished.is_set():
            session.cancelled_by = "shutdown"
            session.main.cancel()


async def stop(
    sessions: Sequence[Session], tasks: "Iterable[asyncio.Task[None]]", lifespan: Lifespan | None, wait: Wait
) -> None:
    """Stop the app in each session, then its lifespan, then the tasks that it has spawned; leave none on the loop.

    Raises Stuck when a task goes on though it is cancelled again and again.
    """
    for session in sessions:
        if not session.finished.is_set():
            session.cancelled_by = "server"
            session.record(Event(session.app, "never returns", "(it is cancelled now)"), final=True)
    if lifespan is not None:
        await _cancel(tasks, wait)
        await _until_done(lifespan.stop(), wait)
        for session in sessions:
            session.left_at_shutdown = [session.name_of(task) for task in session.tasks if not task.done()]
        await _cancel([lifespan.task], wait)
    await _cancel([*(task for session in sessions for task in session.tasks), *tasks], wait)


async def _cancel(tasks: "Iterable[asyncio.Task[Any]]", wait: Wait) -> None:
    left = [task for task in tasks if not task.done()]
    for _ in range(3):
        if not left:
            return
        for each in left:
            each.cancel()
        await _until_done(left, wait)
        left = [task for task in left if not task.done()]
    if left:
        for each in left:
            drop_from_all_tasks(each)  # the loop's end would wait for it
        _given_up.extend(left)  # what ignores even the end of its coroutine must not be collected
        raise Stuck(loop_runs=True)


async def _until_done(tasks: "list[asyncio.Task[Any]]", wait: Wait) -> None:
    """Wait until all tasks are done, or nothing can happen any more, or time is up."""
    wait.begin(LINGER)
    for task in tasks:
        task.add_done_callback(lambda _: wait.end() if all(t.done() for t in tasks) else None)
    await wait.over()
