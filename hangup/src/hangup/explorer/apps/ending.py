"""The end of a session: whatever of the app still runs is stopped as a server does that stops, and is written down."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hangup.explorer.apps.lifespan import Lifespan
from hangup.explorer.further.held import before_or_after
from hangup.explorer.waiting import Wait
from hangup.record.evidence import something_failed, write_down
from hangup.record.internals import drop_from_all_tasks, never_collect
from hangup.record.recorder import Session
from hangup.record.threads import Stuck
from hangup.trace.events import Event

LINGER = 30.0  # virtual seconds that an app has to end once it is told to, or its peers are gone
LONG = 600.0  # virtual seconds in which a task that its handler has left behind may end by itself
VERY_LONG = 7 * 86_400.0  # for one that does little meanwhile, such as a timer
SHORT, TURNS, SURE = 60.0, 2_000, 3  # less time, and turns, for one that has never ended in so many sessions


def cancel_as_a_server(sessions: Sequence[Session]) -> None:
    """Cancel the app where it runs, as a server does whose graceful shutdown has lasted long enough."""
    for session in sessions:
        if session.main is not None and session.ended == "running":
            session.cancelled_by = "shutdown"
            session.main.cancel()


class Patience:
    """For how long the tasks of an app are waited for that its handlers left behind: one for a whole exploration.

    A task that ticks for ever costs thousands of turns; one of a name that never ended before gets fewer.
    """

    def __init__(self) -> None:
        self._never: Counter[str] = Counter()

    async def spend(self, sessions: Sequence[Session], wait: Wait) -> None:
        """Let time pass for the tasks that run on, and let each session take note of those that do not end.

        When a handler runs on as well, nothing is known of its tasks, nor of the others'.
        """
        known = not any(session.cancelled_by == "server" for session in sessions)
        names = {name for session in sessions for name in session.still_running()}
        if names and known:
            sure = all(self._never[name] >= SURE for name in names)
            tasks = [task for session in sessions for task in session.tasks if not task.done()]
            await until_done(tasks, wait, SHORT if sure else LONG, TURNS if sure else None)
            if not sure and not all(task.done() for task in tasks):
                await until_done(tasks, wait, VERY_LONG, TURNS)
        for session in sessions:
            session.left_for_good = session.still_running() if known else ()
        self._never.update({name for session in sessions for name in session.left_for_good})


async def stop(
    sessions: Sequence[Session],
    tasks: "Iterable[asyncio.Task[None]]",
    lifespan: Lifespan | None,
    wait: Wait,
    patience: Patience | None,
) -> None:
    """Stop the app in each session, then its lifespan, then the tasks that it has spawned; leave none on the loop.

    Without `patience`, tasks that their handlers have left behind are cancelled at once.
    Raises Stuck when a task goes on though it is cancelled again and again.
    """
    for session in sessions:
        if session.ended == "running":
            session.cancelled_by = "server"
            session.record(Event(session.app, "never returns", "(it is cancelled now)"), final=True)
    if lifespan is not None:
        await _shut_down(sessions, tasks, lifespan, wait)
    if patience is not None and any(session.tasks for session in sessions):
        await patience.spend(sessions, wait)
    for session in sessions:
        session.stops()
    if something_failed(wait.loop):
        await write_down(wait.loop, sessions[0])
    if lifespan is not None:
        await _cancel([lifespan.task], wait, ())
    spawned = [task for session in sessions for task in session.tasks]
    if left := [task for task in (*spawned, *tasks) if not task.done()]:
        await _cancel(left, wait, sessions)


async def _shut_down(
    sessions: Sequence[Session], tasks: "Iterable[asyncio.Task[None]]", lifespan: Lifespan, wait: Wait
) -> None:
    """Let the app's lifespan end, once it serves nobody any more."""
    await _cancel(tasks, wait, sessions)
    for session in sessions[1:]:
        session.stops()
    sessions[0].stops(beside=lifespan.still_running())
    with before_or_after():
        await until_done(lifespan.stop(), wait)
    for session in sessions:
        session.shut_down()


async def _cancel(tasks: "Iterable[asyncio.Task[Any]]", wait: Wait, sessions: Sequence[Session]) -> None:
    left = [task for task in tasks if not task.done()]
    for _ in range(3):
        if not left:
            return
        for each in left:
            each.cancel()
        await until_done(left, wait)
        left = [task for task in left if not task.done()]
    if left:
        for each in left:
            drop_from_all_tasks(each)  # the loop's end would wait for it
            never_collect(each)
        raise Stuck(loop_runs=True, tasks=tuple(sorted({_name_of(each, sessions) for each in left})))


def _name_of(task: "asyncio.Task[Any]", sessions: Sequence[Session]) -> str:
    session = next((session for session in sessions if task in session.tasks), None)
    if session is not None:
        return session.name_of(task)
    return "the handler" if sessions else "the lifespan"


async def until_done(
    tasks: "list[asyncio.Task[Any]]", wait: Wait, seconds: float = LINGER, turns: int | None = None
) -> None:
    """Wait until all tasks are done, or nothing can happen any more, or time is up, or turns are if they are given."""
    wait.begin(seconds)
    if turns is not None:
        wait.loop.turns = wait.loop.most_turns - turns

    def done(_: object) -> None:
        if all(task.done() for task in tasks):
            wait.end()

    for task in tasks:
        task.add_done_callback(done)
    await wait.over()
    for task in tasks:
        task.remove_done_callback(done)  # the next wait is for others
