"""What the rooms of lesson 07 have in common: the talk that they hear, and an app around handlers that share a list."""

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from hangup.record.recorder import Receive, Scope, Session
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


class Around:
    """An ASGI app around a room whose handlers share a list. `serve` runs the room for one connection."""

    def __init__(self, answer: Any) -> None:
        self.shared: list[Any] = []
        self.app = Starlette(routes=[WebSocketRoute("/", lambda websocket: answer(websocket, self.shared))])
        self.first: Scope | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Serve a WebSocket connection, and remember which was the first; leave all else to the app."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        self.first = self.first or scope
        await self.serve(scope, receive, send)

    async def serve(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Run the room for one connection."""
        raise NotImplementedError


def what_is_left(app: Any, session: Session) -> None:
    """Add how many members, or inboxes, the shared list holds to a session's facts."""
    session.facts["left"] = len(app.shared)
