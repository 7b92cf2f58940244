"""The server's side of a connection in memory, which an app is given as its receive and send."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hangup.record.recorder import Message
from hangup.servers.memory.drawing import NOTHING_DRAWN, Drawing
from hangup.servers.memory.end import End
from hangup.servers.memory.inbox import Inbox
from hangup.servers.memory.lasting import LASTING, Lasting
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

    `leave` ends it in the way of `ending`, and does so before the call that `moment` names; some endings only begin
    there, and `lasting` is what goes on until another one follows. `trace` gets the picture of the client `letter`.
    """

    def __init__(
        self, model: Model, ending: str, moment: Moment | None = None, trace: Trace | None = None, letter: str = "a"
    ) -> None:
        self.model = model
        self.ending = ending
        """How it will end, one of `hangup.servers.models.ENDINGS` or `FURTHER`."""
        self.moment = moment
        self.letter = letter
        self.outbox: deque[str | bytes] = deque()
        """What the client has not read yet."""
        self.code: int | None = 1001
        """With which code its client closes by itself, None for none."""
        self.yields = False
        """Whether every call gives way once, so that a task can be cancelled there."""
        self.on_change: Callable[[], None] = _nothing
        """Called when the client may have something to read, and when the connection has ended."""
        self.on_spin: Callable[[], None] = _nothing
        """Called when the app is given the same again and again."""
        self.receives = 0
        """How often the app has called receive()."""
        self.sends = 0
        """How often the app has called send()."""
        self.gone = ""
        """The ending that has happened, "own" when the app closed first, or nothing yet."""
        self.done = False
        """Whether the app has ended the session."""
        self.spun = False
        """Whether the app was given the same again and again."""
        self.reads = True
        """Whether the client reads; while it does not, a message to it waits for room, until the connection ends."""
        self.accepted = False
        """Whether the app has accepted it, and in time."""
        self.lasting: Lasting | None = None
        """The end that has begun and takes its time, if it is such a one."""
        self._end: End | None = None
        self._room: asyncio.Future[None] | None = None
        self._inbox = Inbox(self._spins, connects=model.connects_again)
        self._drawing = NOTHING_DRAWN if trace is None else Drawing(trace, letter)

    @property
    def over(self) -> bool:
        """Whether nothing more can be said on it."""
        return bool(self.gone) or self.done

    @property
    def unnoticed(self) -> bool:
        """Whether its client is gone, or is as good as gone, and no server can have noticed so far."""
        return self.lasting is not None and self._end is None

    @property
    def waiting_sends(self) -> int:
        """How many calls of send() wait for the client to read."""
        return 0 if self.lasting is None else self.lasting.waiting

    # ---- what the app calls ------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return the next message, as the model says once the peer is gone."""
        self.receives = number = self.receives + 1
        if number == 1:
            if self.yields:
                await asyncio.sleep(0)
            return {"type": "websocket.connect"}
        if self.moment is not None and self.moment.number == number:
            self._leave_at("receive")
        if self.yields:  # where a server might let others run (a full buffer, a lock); uvicorn does only if it must
            await asyncio.sleep(0)
        model, inbox = self.model, self._inbox
        if model.receive_again is not None and inbox.awaited and self.accepted:
            raise model.receive_again("")
        if model.turns and inbox.ends:
            for _ in range(model.turns):
                await asyncio.sleep(0)
        if (message := inbox.take()) is None:
            message = await inbox.get()
        return message

    async def send(self, message: Message) -> None:
        """Take a message from the app, or do what the model says of one that comes too late."""
        self.sends = number = self.sends + 1
        leaves = self.moment is not None and self.moment.number == number and self._leave_at("send")
        kind: str = message["type"]
        read = self._inbox.read  # a server looks whether it has told the app when it is called, and waits after that
        if self.lasting is not None and kind != "websocket.accept":
            self.lasting.busy()
            await self.lasting.until_read()
            leaves = False
        if not self.reads and kind == "websocket.send" and self.model.full != "takes all":
            await self._until_room()
        if self._end is not None and not self._is_served():
            late = self._end.late(kind, read=read)
            closing = self._end.how == "closing"
            self._end = self._end.after(message, late, self._inbox, read=read)
            if leaves and not closing:
                await asyncio.sleep(0)
            if late is not None:
                raise late(kind)
            return
        self._take(kind, message)
        self.on_change()
        if self.yields:
            await asyncio.sleep(0)

    def _take(self, kind: str, message: Message) -> None:
        """Take a message while the peer is there."""
        if kind == "websocket.accept":
            if self.accepted and self.model.accept_again is not None:
                raise self.model.accept_again(kind)
            self.accepted = True
            self._inbox.connects = False
            self._drawing.accepted()
        elif kind == "websocket.send":
            text = message.get("text")
            self.outbox.append(text if text is not None else message.get("bytes") or b"")
            self._drawing.hears(self.outbox[-1])
        elif kind == "websocket.close":
            code, reason = message.get("code") or 1000, message.get("reason") or ""
            if self.gone != "silence":
                self._see(Seen(403, code), "closing", "" if self.model.drops_reason else reason)
            self._ends("own", code, reason)

    def _spins(self) -> None:
        self.spun = True
        self.on_spin()

    def ended(self, how: str) -> None:
        """Let the client see that the app has "returned", "raised" or been "cancelled", if it has not closed.

        Where the server closes the connection for that, a task that the app has left behind hears of it: as of a client
        whose process dies.
        """
        if self._end is None or self._is_served():
            seen = self.model.ends[how]
            self._see(seen, "ended")
            if self.accepted and seen.open is not None:
                self._ended_by_its_server()

    def _ended_by_its_server(self) -> None:
        if (told := End(self.model, "fin", None, "", accepted=True).told()) is not None:
            self._inbox.tell(*told)

    # ---- what the client does ----------------------------------------------------------------------------------

    def say(self, said: str | bytes) -> None:
        """Let the client send a text or binary message."""
        self._drawing.says(said)
        none = {"bytes": None, "text": None} if self.model.both_keys else {}
        key = "text" if isinstance(said, str) else "bytes"
        self._inbox.put({"type": "websocket.receive", **none, key: said})

    def remark(self, text: str) -> None:
        """Write down what the client thinks."""
        self._drawing.thinks(text)

    def leave(self, code: int | None = 1001, reason: str = "") -> None:
        """End the connection now, in the way of `ending`; if the client closes, with `code`, or with none.

        Before it is accepted a client cannot close (RFC 6455 section 4.1): it ends the TCP connection.
        """
        if self.gone or self.lasting is not None:
            return
        how = "reset" if self.ending == "early" else self.ending
        if not self.accepted and how in {"close", "too-big", "idle", "unread"}:
            how = "fin"
        if how in LASTING:
            self._begin(how)
            return
        if how == "too-big":
            self._too_big()
            return
        if how == "close":
            self._drawing.closes(code, reason)
        elif how in {"fin", "reset", "closing"}:
            self._drawing.cuts("RST" if how == "reset" else "FIN")
        else:
            if self.letter == "a":
                self._drawing.shuts_down()
            if self.model.shuts_down is not None:
                self._see(self.model.shuts_down, "stop")
        self._ends(how, code, reason)
        self.on_change()

    def stop_reading(self) -> None:
        """Let the client read no more: what is sent to it waits for room, until the connection ends."""
        self.reads = False

    def unlink(self) -> None:
        """Let go of the connection at the session's end: what is still to come does not come."""
        if self.lasting is not None:
            self.lasting.unlink()

    # ---- ends that take their time ------------------------------------------------------------------------------

    def _begin(self, how: str) -> None:
        """Let an end begin; but for a proxy that waits, nobody hears from the client any more."""
        words = {"silence": "falls silent", "idle": "has nothing to say", "unread": "stops reading"}
        self._drawing.thinks(words[how])
        self.lasting = Lasting(self.model, how, self._follows)
        if how != "idle":
            self.gone = how
            self.on_change()

    def _follows(self, how: str) -> None:
        """Let the end follow in which another one results."""
        if how == "close":
            self._drawing.closes(1001, "")
        elif how in {"fin", "reset"}:
            self._drawing.cuts("FIN" if how == "fin" else "RST")
        self._ends(how, 1001, "")
        self.on_change()

    def _too_big(self) -> None:
        """Let the client send a message above the limit; the server answers, and tells the app."""
        self._drawing.thinks("sends a message above the server's limit")
        self.gone = "too-big"
        if self.model.after.get("too-big"):
            self.lasting = Lasting(self.model, "too-big", self._refuses)
        else:
            self._refuses("too-big")
        self.on_change()

    def _refuses(self, how: str) -> None:
        self._see(self.model.big_seen, "closing")
        self._ends(how, 1009, "")

    async def _until_room(self) -> None:
        """Wait until the connection has ended, or longer (`Model.full`): its client does not read."""
        while not self.gone:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)  # several tasks may wait for it, and one be cancelled

    # ---- how it ends -------------------------------------------------------------------------------------------

    def _is_served(self) -> bool:
        """Whether the server shuts down and lets this connection be for as long as the app runs."""
        if self._end is None or self._end.how != "shutdown":
            return False
        return "shutdown" not in self.model.told and "shutdown" not in self.model.early

    def _leave_at(self, call: str) -> bool:
        """Let the client leave, with what it has said unheard, if the moment is one of this call; return whether.

        If the connection has ended before, nothing happens: what the app is told of that end stays to be heard.
        """
        if self.moment is None or self.moment.call != call or self.gone or self.lasting is not None:
            return False
        self._inbox.clear()
        self.leave(self.code)
        return True

    def _ends(self, how: str, code: int | None, reason: str) -> None:
        """Take note of an end; of two, a server that shuts down and the app's own close after it, the later counts."""
        self.gone = self.gone or how
        if self._room is not None and not self._room.done() and self.model.full == "waits":
            self._room.set_result(None)
        self._end = End(self.model, how, code, reason, accepted=self.accepted)
        if (told := self._end.told()) is not None:
            self._inbox.tell(*told)

    def _see(self, seen: Seen, cause: str, reason: str = "") -> None:
        self._drawing.sees(seen, cause, reason, accepted=self.accepted)
