"""What an app keeps for as long as its lifespan lasts: for its users that is for ever.

Each session of an exploration has a lifespan of its own, at whose end most is let go. Here many sessions share one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from hangup.explorer.apps import ending
from hangup.explorer.apps.lifespan import Lifespan, NotStarted
from hangup.explorer.keeping import Keeping, Kept
from hangup.explorer.waiting import Wait
from hangup.record.recorder import ASGIApp, Recorder, Session
from hangup.record.rules import keeps_no_connection
from hangup.time.virtual import VirtualLoop, turn
from hangup.trace.trace import Trace

if TYPE_CHECKING:
    from hangup.explorer.apps.exploration import Exploration
    from hangup.explorer.apps.schedules import Schedule

FEW = 30  # schedules and clients that are played: an app that tells all whom it keeps takes longer each time
MANY = 200_000  # turns after which an app is too busy by itself


async def tell_what_lasts(exploration: "Exploration") -> None:
    """Accuse an app that keeps connections while its lifespan lasts, if it is not accused of keeping them already."""
    findings = exploration.findings
    sentence = keeps_no_connection.sentence
    if any(each.rule == sentence for found in findings.broken.values() for each in found):
        return
    kept = await kept_while_it_lasts(exploration, list(exploration.outlived)[:FEW])
    if kept:  # the tasks of the lifespan, which had to be stopped at the end of each session, run on here
        findings.unknown = [each for each in findings.unknown if each.rule != sentence]
        exploration.accuse_of_keeping(kept, sure=True)


async def kept_while_it_lasts(
    exploration: "Exploration", wanted: "Sequence[tuple[Schedule, str]]"
) -> "list[Kept[Schedule]]":
    """Play schedules within one lifespan; return the connections that are kept until it ends."""
    if not wanted:
        return []
    app, began = exploration.make(), turn()
    stopped = False
    async with _running(app) as lifespan:

        async def play(app: ASGIApp, schedule: "Schedule") -> Sequence[Session]:
            nonlocal stopped
            sessions = await exploration.played(app, schedule, beside=lifespan)
            stopped = stopped or any(each.stopped() for each in sessions)
            return sessions

        if not lifespan.spoken or exploration.stopped.keys() - set(lifespan.still_running()):
            return []  # a task of the app's own that was stopped, and that nobody begins again, might let go of it
        keeping: Keeping[Schedule] = Keeping(lambda: app, play, lifespan.state)
        found = await keeping.growing(wanted)
    return [] if stopped or turn() - began > MANY else found


@asynccontextmanager
async def in_one_lifespan(
    exploration: "Exploration", schedule: "Schedule"
) -> AsyncIterator[Callable[[], Awaitable[Sequence[Session]]]]:
    """Give what plays a schedule again, each time on the same app, and in one lifespan if the exploration has those."""
    app = exploration.make()
    if not exploration.lifespan or exploration.lifespan == "off":
        yield lambda: exploration.played(app, schedule)
        return
    async with _running(app) as lifespan:
        yield lambda: exploration.played(app, schedule, beside=lifespan)


@asynccontextmanager
async def _running(app: ASGIApp) -> AsyncIterator[Lifespan]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    wait = Wait(loop)
    loop.alarms = (wait,)
    lifespan = Lifespan(Recorder(app, Trace(silent=True)))
    try:
        with suppress(NotStarted):
            await lifespan.start(wait)
        yield lifespan
    finally:
        loop.alarms, loop.on_idle = (wait,), wait.end
        await ending.until_done(lifespan.stop(), wait)
        await ending.stop((), [lifespan.task], None, wait, None)
