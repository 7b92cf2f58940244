"""What the rooms of lesson 07 have in common: the talk that they hear, and an app around handlers that share a list."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Session, current
from hangup.record.recorder import Send as ASGISend
from hangup.servers.script import Expect, Leave, Script, Send

LESSON = "07-chat-room"
TRIP = 0.002  # seconds; what a trip to Redis and back may take, and time enough for a member to die meanwhile

WORDS = ("bye", "quit")  # which end no talk

TALK = (
    Send("hi"),
    Send(""),
    Send("hi"),
    Expect("hi"),
    Expect(""),
    Expect("hi"),
    Expect("hi", by="b"),
    Expect("", by="b"),
    Expect("hi", by="b"),
    Send("hello", by="b"),
    Expect("hello"),
    Expect("hello", by="b"),
    Leave(),
    Send("alone", by="b"),
    Expect("alone", by="b"),
)


def said(texts: Sequence[str]) -> Script:
    """Return a script in which client a says each of these texts, and both hear it."""
    return [step for text in texts for step in (Send(text), Expect(text), Expect(text, by="b"))]


async def up_to(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, for so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Around:
    """An ASGI app around a room whose handlers share a list. `serve` runs the room for one connection.

    It knows whom each task sends to. A task of a member's inbox may be begun by whoever puts something in there: it is
    that member's, whose handler ends it.
    """

    def __init__(self, answer: Any) -> None:
        self.shared: list[Any] = []
        self.app: ASGIApp = Starlette(routes=[WebSocketRoute("/", lambda websocket: answer(websocket, self.shared))])
        self.first: Scope | None = None
        self._came: list[Session] = []
        self._running: dict[Session, set[asyncio.Task[Any]]] = {}
        """The tasks of all members that ran when a handler ended, in the order of these ends."""
        self._sends_to: dict[asyncio.Task[Any] | None, set[Session]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Serve a WebSocket connection, and remember which was the first; leave all else to the app."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        self.first = self.first or scope
        session = current()
        assert session is not None
        self._came.append(session)
        try:
            await self.serve(scope, receive, send)
        finally:
            self._running[session] = {task for each in self._came for task in each.tasks if not task.done()}

    async def serve(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Run the room for one connection, with nothing in between; others put something there."""
        await self.enter(scope, receive, send)

    async def enter(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Let the answer serve a connection, and take note of who sends to it."""
        member = current()
        assert member is not None

        async def tell(message: Message) -> None:
            self._sends_to.setdefault(asyncio.current_task(), set()).add(member)
            await send(message)

        await self.app(scope, receive, tell)

    def outlives(self, task: "asyncio.Task[Any]", begun_by: Session) -> bool:
        """Return whether a task ran on when the handler had ended that began it, or that of whom alone it sends to."""
        ends = list(self._running)
        later = ends[ends.index(begun_by) + 1 :]
        ended = any(self._sends_to.get(task) == {each} and task not in self._running[each] for each in later)
        return task in self._running[begun_by] and not ended


def what_is_left(app: Any, session: Session) -> None:
    """Add to a session's facts how many members, or inboxes, the shared list holds; tell which tasks are left."""
    session.facts["left"] = len(app.shared)
    if session.left:
        session.left = [session.name_of(task) for task in session.tasks if app.outlives(task, session)]
