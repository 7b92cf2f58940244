"""The end of a session: whatever of the app still runs is stopped as a server does that stops, and is written down."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hangup.explorer.apps.lifespan import Lifespan
from hangup.explorer.further.held import before_or_after
from hangup.explorer.waiting import Wait
from hangup.record.evidence import something_failed, write_down
from hangup.record.evidence.timers import Timer, cancel_timers, own_timers
from hangup.record.internals import drop_from_all_tasks, has_timers, never_collect
from hangup.record.recorder import Session
from hangup.record.threads import Stuck
from hangup.trace.events import Event

LINGER = 30.0  # virtual seconds that an app has to end once it is told to, or its peers are gone
LONG = 600.0  # virtual seconds in which a task that its handler has left behind may end by itself
VERY_LONG = 7 * 86_400.0  # for one that does little meanwhile, such as a timer
SHORT, TURNS, SURE = 60.0, 2_000, 3  # less time, and turns, for one that has never ended in so many sessions
RINGS, OFTEN, MANY = 10, 300, 2_000  # how often a timer rings that is set anew for ever: at least, and in LONG, or not
ALL_TURNS, MOMENT = 10_000, 0.001  # of the loop for the timers of a session; virtual seconds in which one has rung


def cancel_as_a_server(sessions: Sequence[Session]) -> None:
    """Cancel the app where it runs, as a server does whose graceful shutdown has lasted long enough."""
    for session in sessions:
        if session.main is not None and session.ended == "running":
            session.cancelled_by = "shutdown"
            session.main.cancel()


class Patience:
    """For how long the tasks and timers of an app are waited for that its handlers left: one for a whole exploration.

    A task that ticks for ever costs thousands of turns; one of a name that never ended before gets fewer.
    """

    def __init__(self) -> None:
        self._never: Counter[str] = Counter()
        self._anew: Counter[str] = Counter()
        self._vain: Counter[str] = Counter()
        """Of which timers it was not seen what becomes of them: the app is too busy meanwhile."""
        self.grown: set[str] = set()
        """What timers call of which each session leaves one more: they are cancelled once a session is over."""

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

    async def outlast(self, sessions: Sequence[Session], wait: Wait) -> None:
        """Let time pass for the timers that the app has set; let each session take note of those set anew for ever."""
        if any(session.ended == "running" or session.cancelled_by == "server" for session in sessions):
            return  # a handler that runs on may cancel them
        loop, began, turns = wait.loop, wait.loop.now, 0
        rung: dict[Timer, float] = {}
        anew: Counter[Timer] = Counter()
        coming, tasks = own_timers(loop, sessions), _tasks_of(sessions)
        while coming and not self._settled(coming.values(), anew, loop.now - began):
            handle = min(coming, key=lambda each: each.when())
            first, (_, name) = handle.when(), coming[handle]
            if first - began > VERY_LONG or self._vain[name] >= SURE:
                break
            wait.begin(max(first - loop.now, 0.0) + MOMENT)
            await wait.over()
            turns += loop.turns
            if loop.now < first or turns > ALL_TURNS:
                self._vain[name] += 1
                break
            before, coming = coming, own_timers(loop, sessions)
            if not coming and (begun := _tasks_of(sessions) - tasks):  # which may set the next one
                await until_done([*begun], wait)
                coming = own_timers(loop, sessions)
            rung.update({of: first - began for handle, of in before.items() if handle not in coming})
            anew.update({of for handle, of in coming.items() if handle not in before and of in rung})
        never = {of for of in coming.values() if self._settled((of,), anew, loop.now - began)}
        for session, name in never:
            session.timers = (*session.timers, name)
        self._anew.update({name for _, name in never})
        for session, name in anew.keys() - set(coming.values()):
            words = f"{float(f'{rung[session, name]:.3g}'):g} s"
            said = f"a timer of the handler ({name}) is set anew until {words} after it"
            session.facts["remarks"] = [*session.facts.get("remarks", ()), said]
        cancel_timers(loop, self.grown)

    def _settled(self, timers: Iterable[Timer], anew: "Counter[Timer]", passed: float) -> bool:
        """Return whether those of these timers that have been set anew go on for ever, if there are any."""
        often = [(anew[each], self._anew[each[1]] >= SURE) for each in timers if anew[each]]
        return bool(often) and all(
            times >= MANY or (times >= (RINGS if sure or passed >= VERY_LONG else OFTEN) and (sure or passed >= LONG))
            for times, sure in often
        )


def _tasks_of(sessions: Sequence[Session]) -> "set[asyncio.Task[Any]]":
    """Return the tasks of sessions that run now."""
    return {task for session in sessions for task in session.tasks if not task.done()}


def at_rest(
    sessions: Sequence[Session], tasks: "Iterable[asyncio.Task[None]]", lifespan: Lifespan | None, wait: Wait
) -> bool:
    """Return whether nothing of the app runs any more, nor may: of most sessions there is nothing to stop."""
    if lifespan is not None or has_timers(wait.loop) or something_failed(wait.loop):
        return False
    for session in sessions:
        if session.tasks or session.ended == "running":
            return False
    return all(map(asyncio.Task.done, tasks))


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
        await _cancel(tasks, wait, sessions)
    if patience is not None and has_timers(wait.loop):
        await patience.outlast(sessions, wait)
    if lifespan is not None:
        await _stop_lifespan(sessions, lifespan, wait)
    if patience is not None and any(session.tasks for session in sessions):
        await patience.spend(sessions, wait)
    for session in sessions:
        session.stops()
    if something_failed(wait.loop):
        await write_down(wait.loop, sessions[0])
    if lifespan is not None:
        await _cancel([lifespan.task], wait, ())
    spawned = [task for session in sessions for task in session.tasks]
    await _cancel((*spawned, *tasks), wait, sessions)


async def _stop_lifespan(sessions: Sequence[Session], lifespan: Lifespan, wait: Wait) -> None:
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
