"""Scenes of lesson 07: two leave one after the other; all are silent; one is slow to hear."""

import asyncio
from typing import Any

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send
from hangup.servers.script import Expect, Leave, Script, Wait, by
from hangup.servers.script import Send as Say

LEAVES = "b is off"  # what the second client says last
SILENT = 4_000  # virtual seconds: longer than any limit for the idle that one would choose by eye
SLOW_FROM, LAST = "c is slow now", "5"  # what the third client hears last at once, and what all hear before it goes on
SLOW = 60.0  # virtual seconds that it takes after that: longer than one would wait for it by eye

ONE_AFTER_THE_OTHER: Script = (
    Say("one"),
    *(Expect("one", by=each) for each in "abcd"),
    Leave(),
    Say("two", by="d"),
    *(Expect("two", by=each) for each in "bcd"),
    Say(LEAVES, by="b"),
    Wait(1),
    Say("three", by="d"),
    *(Expect("three", by=each) for each in "cd"),
)
"""Who came first leaves first, then who came second; the others stay."""
LONG_SILENCE: Script = (
    Wait(SILENT),
    *(Say("late"), Expect("late"), Expect("late", by="b")),
    Wait(SILENT),
    *by("b", (Say("later"), Expect("later"))),
    Expect("later"),
)
SLOW_TO_HEAR: Script = (
    Say(SLOW_FROM),
    *(Expect(SLOW_FROM, by=each) for each in "abc"),
    *(step for text in "1234" for step in (Say(text, by="b"), Expect(text), Expect(text, by="b"))),
    *(Say(LAST, by="b"), Expect(LAST, by="b"), Expect(LAST)),
    Wait(SLOW + 1),
    *(Expect(text, by="c") for text in ("1", "2", "3", "4", LAST)),
)
"""What is sent to client c waits until a has heard all that b says, and SLOW more."""


class _Room:
    """An app around a room, that knows as which number each client came. All else is the app's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.coming = app, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket connection in the scene, and leave all else to the app."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        self.coming += 1
        await self.serve(self.coming, scope, receive, send)

    async def serve(self, number: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the client that came as this number, from 1."""
        raise NotImplementedError


class SecondLeaves(_Room):
    """The second client has left once it has said LEAVES: its handler is told so, and what it is sent is lost."""

    async def serve(self, number: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a client."""
        gone = False

        async def hear() -> Message:
            nonlocal gone
            if not gone:
                message = await receive()
                gone = number == 2 and message.get("text") == LEAVES
            return {"type": "websocket.disconnect", "code": 1001, "reason": ""} if gone else message

        async def tell(message: Message) -> None:
            if not gone:
                await send(message)

        await self.app(scope, hear, tell)


class ThirdIsSlow(_Room):
    """What is sent to the third client, after SLOW_FROM, waits until SLOW seconds after the first one was sent LAST."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self._passed = asyncio.Event()
        self._slow = False

    async def serve(self, number: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a client."""

        async def tell(message: Message) -> None:
            text = message.get("text")
            if number == 3 and self._slow and text is not None:
                await self._passed.wait()
            await send(message)
            self._slow = self._slow or (number == 3 and text == SLOW_FROM)
            if number == 1 and text == LAST:
                asyncio.get_running_loop().call_later(SLOW, self._passed.set)

        await self.app(scope, receive, tell)
