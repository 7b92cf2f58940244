"""A connection in memory, on a server that behaves as its Model says. Nothing here touches the network."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from hangup.record.recorder import Message
from hangup.servers.models import SAME, Early, Model, Seen
from hangup.time.virtual import turn
from hangup.trace.events import Event
from hangup.trace.trace import Trace

SPINS = 200  # how often a server repeats its disconnect before we call it a spin


@dataclass(frozen=True)
class Moment:
    """When the connection ends: before the app's `number`-th call of `call` ("receive" or "send") returns."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call}#{self.number}"


@dataclass
class MemoryConnection:
    """The server's side of one connection; `receive` and `send` are what the app gets.

    `leave` ends it, and does so before the call that `moment` names. `on_change` is called when the client may have
    something to read, and when the connection has ended. With `yields` every call gives way once, so that a task can be
    cancelled there.
    """

    model: Model
    ending: str
    moment: Moment | None = None
    trace: Trace | None = None
    letter: str = "a"
    yields: bool = False
    on_change: Callable[[], None] = lambda: None
    on_spin: Callable[[], None] = lambda: None
    receives: int = 0
    sends: int = 0
    gone: str = ""
    """The ending that has happened, "own" when the app closed first, or nothing yet."""
    done: bool = False
    """Whether the app has ended the session."""
    spun: bool = False
    accepted: bool = False
    outbox: deque[str] = field(default_factory=deque)
    """What the client has not read yet."""
    _code: int | None = 1001
    _reason: str = ""
    _early: Early | None = None
    """What the model says of an ending before the app had accepted."""
    _answered: bool = False
    """Whether the app has accepted, or closed instead, though the peer was gone."""
    _forever: int | None = None
    _read: bool = False
    _closes: int = -1
    """Up to which turn of the loop the closing handshake is under way."""
    _closed: bool = False
    _repeated: int = 0
    _ups: int = 0
    _downs: int = 0
    _inbox: deque[Message] = field(default_factory=deque)
    _waiters: deque[asyncio.Future[None]] = field(default_factory=deque)

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
        if self.moment is not None and self.moment.number == self.receives and self.moment.call == "receive":
            self._inbox.clear()
            self.leave()
        if self.yields:  # where a server might let others run (a full buffer, a lock); uvicorn does only if it must
            await asyncio.sleep(0)
        while not self._inbox:
            if self._forever is not None:
                await asyncio.sleep(0)
                return self._again()
            await self._something()
        message = self._inbox.popleft()
        if message["type"] == "websocket.disconnect":
            self._read = True
        return message

    async def _something(self) -> None:
        """Wait until there may be a message."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _again(self) -> Message:
        self._repeated += 1
        if self._repeated > SPINS:
            self.spun = True
            self.on_spin()
        self._read = True
        return {"type": "websocket.disconnect", "code": self._forever}

    async def send(self, message: Message) -> None:
        """Take a message from the app, or do what the model says of one that comes too late."""
        self.sends += 1
        leaves = self.moment is not None and self.moment.number == self.sends and self.moment.call == "send"
        if leaves:
            self._inbox.clear()
            self.leave()
        kind: str = message["type"]
        if self.gone and not self._served:
            late = self._late(kind)  # a server looks when it is called, and waits for the network after that
            if leaves:
                await asyncio.sleep(0)
            if late is not None:
                raise late(kind)
            return
        if kind == "websocket.accept":
            self.accepted = True
            self._say("server", "101", "Switching Protocols", needs="accept")
        elif kind == "websocket.send":
            text = message.get("text")
            self.outbox.append(text if text is not None else repr(message.get("bytes")))
            self._say("server", "text", repr(self.outbox[-1]))
        elif kind == "websocket.close":
            self._close(message.get("code") or 1000, message.get("reason") or "")
        self.on_change()
        if self.yields:
            await asyncio.sleep(0)

    @property
    def _served(self) -> bool:
        """Whether the server shuts down and lets this connection be for as long as the app runs."""
        known = "shutdown" in self.model.told or "shutdown" in self.model.early
        return self.gone == "shutdown" and not known and not self._closed

    def _close(self, code: int, reason: str) -> None:
        """Close for the app: its own close is the ending."""
        self._closed = self._answered = True
        self._code, self._reason = code, reason
        seen = "" if self.model.drops_reason else reason
        self._show(Seen(403, code), "closing", seen)
        self._end("own")

    def _late(self, kind: str) -> Callable[[str], Exception] | None:
        """Return what makes the exception for a message that comes too late, None if it is ignored."""
        word = kind.removeprefix("websocket.")
        call: Callable[[str], Exception] | None
        if self._early is not None:
            call = getattr(self._early, "reject" if word == "close" and not self._answered else word, None)
        elif self._closed:
            call = getattr(self.model, f"{word}_closed", None)
        else:
            closing = self._read and word == "close" and turn() <= self._closes
            moment = "closing" if closing else "read" if self._read else "gone"
            call = getattr(self.model, f"{word}_{moment}", None)
        if word in {"accept", "close"} and not self.accepted and not self._answered:
            self._answered = True
            if self._early is None:
                self._tell(self.gone if word == "accept" else "own", accepted=word == "accept")
        return call

    def ended(self, how: str) -> None:
        """Let the client see that the app has "returned", "raised" or been "cancelled", if it has not closed."""
        if not self.gone or self._served:
            self._show(self.model.ends[how], "ended")

    # ---- what the client does ----------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Let the client send a text message."""
        self._say("client", "text", repr(text))
        self._inbox.append({"type": "websocket.receive", "text": text})
        self._wake()

    def remark(self, text: str) -> None:
        """Write down what the client thinks."""
        if self.trace is not None:
            self.trace.record(Event(f"client {self.letter}", "note", text), chains=(f"client {self.letter}",))

    def leave(self, code: int | None = 1001, reason: str = "") -> None:
        """End the connection now, in the way of `ending`; if the client closes, with `code`, or with none.

        Before it is accepted a client cannot close (RFC 6455 section 4.1): it ends the TCP connection.
        """
        if self.gone:
            return
        self._code, self._reason = code, reason
        how = "fin" if self.ending == "close" and not self.accepted else self.ending
        cuts = {"close": ("close", _frame(code, reason)), "fin": ("TCP FIN", ""), "reset": ("TCP RST", "")}
        if how in cuts:
            self._say("client", *cuts[how], gives=f"{self.letter}.end")
        else:
            if self.letter == "a":
                self._say("server", "note", "shuts down", gives="stop")
            if self.model.shuts_down is not None:
                self._show(self.model.shuts_down, "stop")
        self._end(how)
        self.on_change()

    def _end(self, how: str) -> None:
        self.gone = self.gone or how
        if how in {"close", "shutdown"}:
            self._closes = turn() + 1
        self._early = None if self.accepted else self.model.early.get(how)
        if self.accepted or self._early is not None:
            self._tell(how, accepted=self.accepted)

    def _tell(self, how: str, *, accepted: bool) -> None:
        """Put into the inbox what the app is told of an ending."""
        early = Early() if accepted else self.model.early[how]
        told = self.model.told.get(how, ()) if accepted else early.told
        self._forever = early.forever if not accepted else self.model.forever if how in self.model.told else None
        same = self._code if self._code is not None else self.model.no_code
        for place, code in enumerate(told):
            message: dict[str, object] = {"type": "websocket.disconnect", "code": same if code == SAME else code}
            if accepted and place == 0 and how in self.model.reason:
                message["reason"] = self._reason
            self._inbox.append(message)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
                break

    def _show(self, seen: Seen, cause: str, reason: str = "") -> None:
        """Draw what the client sees of an ending that is not its own, and how it answers."""
        code = seen.open if self.accepted else seen.handshake
        if code is None:
            return
        if code == 1006:
            self._say("server", "TCP FIN", needs=cause)
        elif self.accepted:
            self._say("server", "close", _frame(None if code == 1005 else code, reason), needs=cause)
            self._say("client", "close", _frame(None if code == 1005 else code, reason), gives=f"{self.letter}.end")
        else:
            self._say("server", str(code), HTTPStatus(code).phrase, needs=cause)

    def _say(self, actor: str, action: str, detail: str = "", *, gives: str = "", needs: str = "") -> None:
        """Draw a message between client and server; the app's side is drawn by the recorder."""
        if self.trace is None:
            return
        client, chain = f"client {self.letter}", (f"client {self.letter}",)
        if action == "note":
            self.trace.record(Event("server", action, detail), chains=chain, gives=gives)
        elif actor == "client":
            self._ups += action == "text"
            event, gives = Event(client, action, detail, "server"), gives or f"{self.letter}.up.{self._ups}"
            self.trace.record(event, chains=chain, gives=gives, rank=(2, self.letter))
        else:
            self._downs += action == "text"
            need = needs if needs == "stop" else f"{self.letter}.{needs or f'down.{self._downs}'}"
            event = Event("server", action, detail, client)
            self.trace.record(event, chains=chain, needs=[need], rank=(-1, self.letter))


def _frame(code: int | None, reason: str = "") -> str:
    """Return what a picture says of a close frame."""
    return "without a code" if code is None else f"{code} {reason}".rstrip()
