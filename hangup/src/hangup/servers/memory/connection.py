"""The server's side of a connection in memory, which an app is given as its receive and send."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hangup.record.recorder import Message
from hangup.servers.memory.drawing import Drawing
from hangup.servers.memory.end import End
from hangup.servers.memory.inbox import Inbox
from hangup.servers.models.model import Model, Seen
from hangup.trace.trace import Trace


@dataclass(frozen=True)
class Moment:
    """When the connection ends: before the app's `number`-th call of `call` ("receive" or "send") returns."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call}#{self.number}"


def _nothing() -> None:
    """Stand for a callback that nobody has set."""


class MemoryConnection:
    """The server's side of one connection; `receive` and `send` are what the app gets.

    `leave` ends it in the way of `ending`, and does so before the call that `moment` names. `trace` gets the picture
    of the client `letter`.
    """

    def __init__(
        self, model: Model, ending: str, moment: Moment | None = None, trace: Trace | None = None, letter: str = "a"
    ) -> None:
        self.model = model
        self.ending = ending
        """How it will end, one of `hangup.servers.models.ENDINGS`."""
        self.moment = moment
        self.letter = letter
        self.yields = False
        """Whether every call gives way once, so that a task can be cancelled there."""
        self.on_change: Callable[[], None] = _nothing
        """Called when the client may have something to read, and when the connection has ended."""
        self.on_spin: Callable[[], None] = _nothing
        """Called when the app is given the same disconnect again and again."""
        self.receives = 0
        """How often the app has called receive()."""
        self.sends = 0
        """How often the app has called send()."""
        self.gone = ""
        """The ending that has happened, "own" when the app closed first, or nothing yet."""
        self.done = False
        """Whether the app has ended the session."""
        self.spun = False
        """Whether the app was given the same disconnect again and again."""
        self.reads = True
        """Whether the client reads; while it does not, a message to it waits for room, until the connection ends."""
        self.accepted = False
        """Whether the app has accepted it, and in time."""
        self.outbox: deque[str] = deque()
        """What the client has not read yet."""
        self._inbox = Inbox()
        self._end: End | None = None
        self._room: asyncio.Future[None] | None = None
        self._drawing = Drawing(trace, letter)

    @property
    def over(self) -> bool:
        """Whether nothing more can be said on it."""
        return bool(self.gone) or self.done

    # ---- what the app calls ------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return the next message, as the model says once the peer is gone."""
        self.receives += 1
        if self.receives == 1:
            if self.yields:
                await asyncio.sleep(0)
            return {"type": "websocket.connect"}
        self._leave_at("receive", self.receives)
        if self.yields:  # where a server might let others run (a full buffer, a lock); uvicorn does only if it must
            await asyncio.sleep(0)
        message = await self._inbox.get()
        if self._inbox.spins:
            self.spun = True
            self.on_spin()
        return message

    async def send(self, message: Message) -> None:
        """Take a message from the app, or do what the model says of one that comes too late."""
        self.sends += 1
        leaves = self._leave_at("send", self.sends)
        kind: str = message["type"]
        if not self.reads and kind == "websocket.send":
            await self._until_room()
        if self._end is not None and not self._served:
            late = self._end.late(kind, read=self._inbox.read)  # a server looks when it is called, and waits after that
            if (told := self._end.answered(kind)) is not None:
                self._inbox.tell(*told)
            if leaves:
                await asyncio.sleep(0)
            if late is not None:
                raise late(kind)
            return
        if kind == "websocket.accept":
            self.accepted = True
            self._drawing.accepted()
        elif kind == "websocket.send":
            text = message.get("text")
            self.outbox.append(text if text is not None else repr(message.get("bytes")))
            self._drawing.hears(self.outbox[-1])
        elif kind == "websocket.close":
            code, reason = message.get("code") or 1000, message.get("reason") or ""
            self._see(Seen(403, code), "closing", "" if self.model.drops_reason else reason)
            self._ends("own", code, reason)
        self.on_change()
        if self.yields:
            await asyncio.sleep(0)

    def ended(self, how: str) -> None:
        """Let the client see that the app has "returned", "raised" or been "cancelled", if it has not closed."""
        if self._end is None or self._served:
            self._see(self.model.ends[how], "ended")

    # ---- what the client does ----------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Let the client send a text message."""
        self._drawing.says(text)
        self._inbox.put({"type": "websocket.receive", "text": text})

    def remark(self, text: str) -> None:
        """Write down what the client thinks."""
        self._drawing.thinks(text)

    def leave(self, code: int | None = 1001, reason: str = "") -> None:
        """End the connection now, in the way of `ending`; if the client closes, with `code`, or with none.

        Before it is accepted a client cannot close (RFC 6455 section 4.1): it ends the TCP connection.
        """
        if self.gone:
            return
        how = "fin" if self.ending == "close" and not self.accepted else self.ending
        if how == "close":
            self._drawing.closes(code, reason)
        elif how in {"fin", "reset"}:
            self._drawing.cuts("FIN" if how == "fin" else "RST")
        else:
            if self.letter == "a":
                self._drawing.shuts_down()
            if self.model.shuts_down is not None:
                self._see(self.model.shuts_down, "stop")
        self._ends(how, code, reason)
        self.on_change()

    async def _until_room(self) -> None:
        """Wait until the connection has ended: its client does not read."""
        while not self.gone:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)  # several tasks may wait for it, and one be cancelled

    # ---- how it ends -------------------------------------------------------------------------------------------

    @property
    def _served(self) -> bool:
        """Whether the server shuts down and lets this connection be for as long as the app runs."""
        if self._end is None or self._end.how != "shutdown":
            return False
        return "shutdown" not in self.model.told and "shutdown" not in self.model.early

    def _leave_at(self, call: str, number: int) -> bool:
        """Let the client leave, with what it has said unheard, if this call is the moment for it; return whether."""
        moment = self.moment
        if moment is None or moment.number != number or moment.call != call:
            return False
        self._inbox.clear()
        self.leave()
        return True

    def _ends(self, how: str, code: int | None, reason: str) -> None:
        """Take note of an end; of two, a server that shuts down and the app's own close after it, the later counts."""
        self.gone = self.gone or how
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._end = End(self.model, how, code, reason, accepted=self.accepted)
        if (told := self._end.told()) is not None:
            self._inbox.tell(*told)

    def _see(self, seen: Seen, cause: str, reason: str = "") -> None:
        self._drawing.sees(seen, cause, reason, accepted=self.accepted)
