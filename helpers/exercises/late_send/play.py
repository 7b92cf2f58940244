"""Plays one scene against an answer, in virtual time, and makes a Session of what came of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

from hangup.explorer.clients.play import ClientSession
from hangup.explorer.clients.trouble import settle
from hangup.record.current import in_session
from hangup.record.errors import describe, stack
from hangup.record.session import Session
from hangup.record.threads import Stuck
from hangup.time.loopback import LoopbackLoop
from hangup.trace.events import Event
from helpers.exercises.late_send.scenes import TIDY, Line, Scene, Script
from helpers.judging.client_exercise import noting_who_was_asked
from helpers.props.peer import Peer, peer

LIMIT = 7_200.0  # virtual seconds that a scene may take
TURNS = 150_000  # how often the loop may turn in one scene: who asks five times a second for an hour does not spin
GRACE = 30.0  # virtual seconds in which what is on the wire may still arrive


Call = Callable[[Any, str, Line], Awaitable[Any]]


class Play:
    """Plays one scene against an answer: `call` calls it with a URL and a Line, `script` is what the server does."""

    def __init__(self, call: Call, script: Script, answer: Any, scene: Scene) -> None:
        self.call, self.answer, self.scene = call, answer, scene
        self.line = Line(script, scene)
        self.trace = self.line.trace
        self.session = ClientSession(self.trace, "a", schedule=scene.when)
        self.line.on_message, self.line.drawn = self._on_message, True
        self.ended_at: float | None = None
        self.due = False
        self._opened: list[asyncio.BaseProtocol] = []
        """What reads and writes each connection that the client has opened, in a scene in which there is no room."""

    async def play(self) -> Session:
        """Run the scene to its end, and return what came of it."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LoopbackLoop)
        over = loop.create_future()

        def give_up() -> None:
            if not over.done():
                over.set_result(None)

        loop.turns, loop.most_turns, loop.on_idle = 0, TURNS, give_up
        async with (
            peer(self.line, trace=self.trace, seconds=self.scene.seconds) as self.peer,
            self._knowing_what_is_opened(loop),
        ):
            self.task = loop.create_task(self._client(self.peer))
            limit = loop.call_later(LIMIT, give_up)
            await asyncio.wait([self.task, over], return_when=asyncio.FIRST_COMPLETED)
            limit.cancel()
            self.session.facts["spun"] = not self.task.done() and loop.turns > loop.most_turns
            loop.turns, loop.on_idle = 0, lambda: None
            await self._finish()
            await asyncio.sleep(GRACE)
            drawn, left_open = len(self.trace.entries), self.peer.now_open
        del self.trace.entries[drawn:]  # what the server does when all is over
        self.trace.ordered = True
        self._lose_what_is_lost()
        facts = facts_of(self.line, self.scene) | {"opened": self.peer.opened, "open": left_open}
        self.session.facts |= facts
        self.session.retrieve_exceptions()
        return self.session

    async def _client(self, here: Peer) -> None:
        with contextlib.suppress(Exception):  # _noted has taken note of it
            await self.call(self._noted, here.url, self.line)

    async def _noted(self, *given: Any) -> Any:
        """Call the answer, and take note of how it ends; what runs until then is the learner's."""
        session, loop = self.session, asyncio.get_running_loop()
        session.main = asyncio.current_task()
        try:
            with in_session(session), noting_who_was_asked():
                session.facts["value"] = value = await self.answer(*given)
        except asyncio.CancelledError as error:
            session.ended, session.error = "cancelled", error
            self._note("is cancelled")
            raise
        except BaseException as error:
            session.ended, session.error = "raised", error
            session.where = stack(error)[1:]
            self._note("raises", describe(error))
            raise
        else:
            session.ended = "returned"
            self._note("returns", repr(value))
            return value
        finally:
            session.facts["took"] = None if self.ended_at is None else loop.time() - self.ended_at
            failed, over = self.line.messages.failed_at, self.line.messages.over_at
            self.line.failed = None if failed is None else loop.time() - failed
            self.line.lingered = None if over is None else loop.time() - max(over, self.line.acknowledged_at)
            self.line.measure()
            await settle()  # a task that is gone within a few turns does not run on
            session.left = [session.name_of(task) for task in session.tasks if not task.done()]

    def _note(self, action: str, detail: str = "") -> None:
        if self.ended_at is not None and action != "raises" and self.scene.ending != "cancel":
            detail += f"{', ' * bool(detail)}{asyncio.get_running_loop().time() - self.ended_at:.3g} s after the end"
        self.session.record(Event(self.session.app, action, detail), final=True)

    @contextlib.asynccontextmanager
    async def _knowing_what_is_opened(self, loop: LoopbackLoop) -> AsyncIterator[None]:
        """Keep the protocol of each connection that is opened within the block, if the scene asks for it."""
        create = loop.create_connection

        async def opening(*given: Any, **options: Any) -> Any:
            transport, protocol = await create(*given, **options)
            self._opened.append(protocol)
            return transport, protocol

        if self.scene.full or self.scene.stalls:
            vars(loop)["create_connection"] = opening
        try:
            yield
        finally:
            vars(loop).pop("create_connection", None)

    def _on_message(self, count: int) -> None:
        if self.scene.ending and count >= self.scene.after and not self.due:
            self.due = True
            asyncio.get_running_loop().call_later(self.scene.wait, self._end)
        if self.scene.stalls and count == 1:
            for protocol in self._opened:
                protocol.pause_writing()  # as a full buffer would, which takes megabytes
                asyncio.get_running_loop().call_later(self.scene.stalls, protocol.resume_writing)

    def _end(self) -> None:
        self.ended_at = asyncio.get_running_loop().time()
        if self.scene.ending == "cancel":
            self.session.cancelled_by = "schedule"
            self.session.facts["interrupted"] = "while it worked"
            self.task.cancel()
            if self.scene.again:
                asyncio.get_running_loop().call_later(TIDY / 2, self.task.cancel)
        else:
            self.peer.end(self.scene.ending, code=self.scene.code)
            for protocol in self._opened:
                protocol.pause_writing()

    async def _finish(self) -> None:
        """Cancel what is left."""
        session = self.session
        if not self.task.done():
            session.cancelled_by = "server"
            self._note("never returns", "(it is cancelled now)")
        for _ in range(3):
            left = [task for task in (*session.tasks, self.task) if not task.done()]
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=60)
        if not self.task.done():
            raise Stuck(loop_runs=True)
        if not self.task.cancelled():
            self.task.exception()

    def _lose_what_is_lost(self) -> None:
        """Let what was sent into a silent wire end at the network, in the picture."""
        silent, entries = False, self.trace.entries
        for number, entry in enumerate(entries):
            silent = silent or "(BlackHole)" in entry.event.detail
            if silent and entry.event.to in {"server", "client a"}:
                entries[number] = replace(entry, event=replace(entry.event, to="network"))


def facts_of(line: Line, scene: Scene) -> dict[str, Any]:
    """Return what rules ask about."""
    return {"scene": scene, "got": line.got, "sent": line.sent, "heard": line.heard} | {
        "called": line.called,
        "failed": line.failed,
        "lingered": line.lingered,
    }
