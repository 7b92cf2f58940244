"""A scene of lesson 07: somebody says its last words and closes, all in one packet, just as another one speaks.

The server has read the packet, and refuses what is sent to that client from then on. What the client has said still
lies in the server's queue.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Session, current, note
from hangup.record.recorder import Send as ASGISend
from hangup.servers.script import Expect, Leave, Script, Send, Wait
from helpers.exercises.chat_room.around import TRIP, up_to
from helpers.judging.app_exercise import Case

SPOKEN, LAST_WORDS = "hi", ("1", "2", "3")
TURNS = 9  # so many places for the packet: in the turn of the loop in which b is heard, and in each one after it
SOON = 0.05  # seconds that b's word is held at most

ONE_PACKET: Script = (
    Send("one"),
    Expect("one"),
    Expect("one", by="b"),
    Send(SPOKEN, by="b"),
    *map(Send, LAST_WORDS),
    Leave(),
    Wait(1),
)


class Packet:
    """Holds the packet until a has gone, and then hands it over `turns` turns of the loop after what b said.

    Until the packet is there, a server takes what is sent to a. `untold` is added to the facts of who was not sent all
    last words, though the handler that they were said to is done, and was not cancelled. All else is the app's.
    """

    def __init__(self, app: ASGIApp, turns: int) -> None:
        self.app, self.turns = app, turns
        self.first: Scope | None = None
        self.held = self.done = False
        self._spoken, self._packet = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    async def __call__(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Serve a WebSocket connection, of which the first is a's; leave all else to the app."""
        session = current()
        if scope["type"] != "websocket" or session is None:
            await self.app(scope, receive, send)
            return
        self.first = self.first or scope
        read, leads = deque[Message](), scope is self.first
        owed = [] if leads else [*LAST_WORDS]

        async def hear() -> Message:
            if not read:
                read.append(await receive())
            await self._comes(read[0].get("text"))  # who stops to wait here finds the message next time
            if read[0]["type"] == "websocket.disconnect":
                self._ends(session, owed)
            return read.popleft()

        async def tell(message: Message) -> None:
            text = message.get("text")
            if text in owed:
                owed.remove(text)
            if leads and self.held and not self._packet.is_set() and text is not None:
                note(f"{text!r} to a is on its way")
                return
            await send(message)

        try:
            await self.app(scope, hear, tell)
        finally:
            self.done = self.done or (leads and not session.cancelled_by)
            self._ends(session, owed)

    async def _comes(self, text: str | None) -> None:
        """Wait until a message has come as far as its handler."""
        if text == LAST_WORDS[0] and not self.held:
            self.held = True
            asyncio.get_running_loop().call_later(TRIP, self._hand_over, self.turns)  # by then a has left
        comes = {SPOKEN: self._spoken, LAST_WORDS[0]: self._packet}.get(text or "")
        if comes is not None:
            await up_to(SOON, comes)

    def _hand_over(self, turns: int) -> None:
        """Hand over what b said, and so many turns later the packet: whom it wakes runs in the turn after that."""
        self._spoken.set()
        if turns:
            asyncio.get_running_loop().call_soon(self._hand_over, turns - 1)
        else:
            self._packet.set()

    def _ends(self, session: Session, owed: list[str]) -> None:
        """Take note of what a member was not sent before its end."""
        if owed and self.done and self._packet.is_set():
            session.facts["untold"] = owed[0]


def what_was_lost(session: Session) -> str | None:
    """Return in words what client a said in vain, if it did."""
    if (text := session.facts.get("untold")) is None:
        return None
    said = ", ".join(map(repr, LAST_WORDS))
    return (
        f"client a said {said} and closed, all in one packet, just as client b spoke; client {session.letter} did not "
        f"hear {text!r}"
    )


def packets(mount: Callable[[Any], ASGIApp]) -> list[Case]:
    """Return the scene for what `mount` makes of an answer, for each turn; it is judged undisturbed, on each model."""

    def mounting(turns: int) -> Callable[[Any], ASGIApp]:
        return lambda answer: Packet(mount(answer), turns)

    return [Case(ONE_PACKET, most=0, mount=mounting(turns), endings=("close",)) for turns in range(TURNS)]
