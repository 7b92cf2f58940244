"""A scene of lesson 07: somebody says its last words and closes, all in one packet, just as another one speaks.

The server has read the packet, and refuses what is sent to that client from then on. What the client has said still
lies in the server's queue.
"""

import asyncio
import functools
from collections import deque
from typing import Any

from hangup.record.recorder import Message, Receive, Scope, Session, current, note
from hangup.record.recorder import Send as ASGISend
from hangup.servers.script import Expect, Leave, Script, Send, Wait
from helpers.exercises.chat_room.around import TRIP, Around, up_to
from helpers.exercises.race import racing
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


class Packet(Around):
    """Holds the packet until a has gone, and then hands it over `turns` turns of the loop after what b said.

    Until the packet is there, a server takes what is sent to a. `unheard` is added to the facts of who was not sent all
    last words, though the handler that they were said to is done, and was not cancelled. What it raises because
    Starlette refuses to read is excused: that its words were not heard says more.
    """

    def __init__(self, answer: Any, turns: int) -> None:
        super().__init__(answer)
        self.app = racing(self.app)
        self.turns = turns
        self.held = self.done = False
        self._spoken, self._packet = asyncio.Event(), asyncio.Event()

    async def serve(self, scope: Scope, receive: Receive, send: ASGISend) -> None:
        """Run the room for one connection."""
        session, read, leads = current(), deque[Message](), scope is self.first
        owed = [] if leads else [*LAST_WORDS]
        assert session is not None

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
            await self.enter(scope, hear, tell)
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
            session.facts["unheard"] = owed[0]


def what_was_unheard(session: Session) -> str | None:
    """Return in words what client a said in vain, if it did."""
    if (text := session.facts.get("unheard")) is None:
        return None
    said = ", ".join(map(repr, LAST_WORDS))
    return (
        f"client a said {said} and closed, all in one packet, just as client b spoke; client {session.letter} did not "
        f"hear {text!r}"
    )


PACKETS = [
    Case(ONE_PACKET, most=0, mount=functools.partial(Packet, turns=turns), endings=("close",)) for turns in range(TURNS)
]
"""What is judged is the undisturbed session on each model."""
