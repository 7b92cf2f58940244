"""Plays one schedule of a client's, and sees to it that nothing is left of the client.

The client talks to a scripted server over real sockets and the proxy of `hangup.network.proxy`, on a loop whose time is
virtual: hours of backoff take no time.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import websockets

from hangup.explorer.awaits import CountedAwaits
from hangup.explorer.clients.limit import Limit
from hangup.explorer.clients.schedules import ClientSchedule
from hangup.explorer.clients.server import LINGER, Handler, ScriptedServer, let_end
from hangup.explorer.clients.trouble import Trouble, settle
from hangup.network.proxy import HOST, proxy
from hangup.network.toxics import Stream
from hangup.record.current import set_current
from hangup.record.errors import describe, stack
from hangup.record.internals import drop_from_all_tasks, never_collect
from hangup.record.session import Session
from hangup.record.threads import Stuck
from hangup.time.loopback import LoopbackLoop
from hangup.trace.events import Event
from hangup.trace.trace import Trace

Client = Callable[[str], Awaitable[Any]]
"""What is explored: it is called with the URL of a server."""

LIFETIME = 3_600.0  # virtual seconds that a session may take
ENOUGH = 30  # refusals of what is too big, after which nothing else is believed to come
_WEBSOCKETS = str(Path(websockets.__file__).parent)


class ClientSession(Session):
    """A client's run: it is drawn on the client's lifeline."""

    @property
    def app(self) -> str:
        """The client's lifeline."""
        return f"client {self.letter}"

    def spawned(self, task: "asyncio.Task[Any]") -> None:
        """Follow a task of the client's; those of websockets are not its doing."""
        if not getattr(task.get_coro(), "cr_code", _call.__code__).co_filename.startswith(_WEBSOCKETS):
            super().spawned(task)


class ClientPlay:
    """One run of a client by a schedule: explorer and replay make one for each, and call `play` once.

    Then `frames` and `awaits` say what the client did.
    """

    def __init__(self, client: Client, handler: Handler, schedule: ClientSchedule, trace: Trace) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LoopbackLoop)
        self.loop = loop
        self.client, self.schedule, self.trace = client, schedule, trace
        limit = Limit(schedule.frame if schedule.fault == "too-big" else 0)
        self.server = ScriptedServer(handler, trace, limit)
        self.trouble = Trouble(schedule, self.server)
        self.session = ClientSession(trace, "a", schedule=str(schedule))
        self.frames: dict[Stream, int] = {}
        """How many frames passed in each stream of the client's first connection."""
        self.awaits = 0

    async def play(self) -> Session:
        """Run the client to its end and return its session, with nothing left of it on the loop."""
        before = asyncio.all_tasks()
        state = random.getstate()
        random.seed(0)  # backoff has jitter: the same in each run
        try:
            async with (
                self.server.listening() as port,
                proxy(f"ws://{HOST}:{port}", *self.trouble.toxics(), trace=self.trace, tapped=True) as url,
            ):
                url.on_open = self._opened
                trouble = self.loop.create_task(self.trouble.happen(url))
                try:
                    await self._run(url)
                finally:
                    trouble.cancel()
                    await asyncio.wait([trouble])
                self.frames = dict(url.frames)
                refused = self.server.limit.times
                fired = bool(self.schedule.cancel_at or url.fired or not self.schedule.fault or refused)
                self.session.facts["refused"] = refused
                self.session.facts |= {"fired": fired, "connections": url.opened}
        finally:
            random.setstate(state)
            await let_end(asyncio.all_tasks() - before)
        self.trace.ordered = True
        self.session.retrieve_exceptions()
        return self.session

    def _opened(self) -> None:
        again = self.server.limit.times > ENOUGH
        self.loop.turns += self.loop.most_turns if again else self.loop.turns_of_a_connection

    async def _run(self, url: str) -> None:
        loop, session = self.loop, self.session
        over = loop.create_future()

        def give_up() -> None:
            if not over.done():
                over.set_result(None)

        loop.turns, loop.on_idle = 0, give_up
        task = loop.create_task(self._client(url))
        limit = loop.call_later(LIFETIME, give_up)
        await asyncio.wait([task, over], return_when=asyncio.FIRST_COMPLETED)
        limit.cancel()
        session.facts["spun"] = not task.done() and loop.turns > loop.most_turns
        session.facts["took"] = None if self.trouble.hit_at is None else loop.time() - self.trouble.hit_at
        if not task.done():
            session.cancelled_by = "server"
            session.record(Event(session.app, "never returns", "(it is cancelled now)"), final=True)
        loop.on_idle, loop.turns = lambda: None, 0
        await settle()
        session.end()
        for _ in range(3):
            left = [each for each in (*session.tasks, task) if not each.done()]
            for each in left:
                each.cancel()
            if left:
                await asyncio.wait(left, timeout=LINGER)
        if not task.done():
            drop_from_all_tasks(task)  # the loop's end would wait for it
            never_collect(task)
            stuck = Stuck(loop_runs=True, tasks=("the client",))
            stuck.schedule = str(self.schedule)
            raise stuck

    async def _client(self, url: str) -> None:
        session = self.session
        session.main = asyncio.current_task()
        set_current(session)
        counted = CountedAwaits(
            _call(self.client, url), self.schedule.cancel_at, on_cancel=self._cancelled, on_thrown=self._thrown
        )
        try:
            session.facts["value"] = value = await counted
        except asyncio.CancelledError as error:
            session.ended, session.error = "cancelled", error
            session.record(Event(session.app, "is cancelled"), final=True)
        except BaseException as error:
            session.ended, session.error = "raised", error
            session.where = [] if self.trace.silent else stack(error)[3:]
            session.record(Event(session.app, "raises", describe(error)), final=True)
            if isinstance(error, (SystemExit, KeyboardInterrupt)):
                raise
        else:
            session.ended = "returned"
            session.record(Event(session.app, "returns", "" if value is None else repr(value)), final=True)
        finally:
            self.awaits = counted.awaits
            session.facts["in a group"] = counted.in_group

    def _cancelled(self) -> None:
        self.trouble.hit_at = self.loop.time()
        self.session.cancelled_by = "schedule"

    def _thrown(self) -> None:
        self.session.facts["interrupted"] = "while it worked"


async def _call(client: Client, url: str) -> Any:
    return await client(url)
