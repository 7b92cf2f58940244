"""A connection to the server that is installed, in memory: its own code serves it, and no socket is opened.

Below the server's protocol is a `MemoryTransport`, across from it a `Peer`. To whoever plays with it, it is a
MemoryConnection: the same attributes, the same calls. What differs is who decides: there a Model, here the server.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Protocol

from hangup.record.current import reset_current, set_current
from hangup.record.recorder import Message
from hangup.servers.installed.app import App, StandIn, weakly
from hangup.servers.installed.leaving import OPEN, Leaving
from hangup.servers.installed.peer import REQUEST, Peer
from hangup.servers.installed.transport import MemoryTransport
from hangup.servers.memory import Moment
from hangup.servers.memory.sides import Calls, Client, Departure, nobody
from hangup.servers.models.model import Model, Seen
from hangup.trace.trace import Trace

SPINS = 200  # how often a server repeats its disconnect before we call it a spin, as in hangup.servers.memory.inbox
NOTICES = 10  # turns of the loop in which a server has noticed what its peer has done


def _denies(message: Message) -> bool:
    """Return whether this ends the HTTP response by which an app refuses."""
    return message["type"] == "websocket.http.response.body" and not message.get("more_body")


class Start(Protocol):
    """Lets a server take a connection: make its protocol for `app`, connect it with the transport, return its stop."""

    def __call__(self, app: App, transport: MemoryTransport) -> Callable[[], None]:
        """Return what shuts this server down, as far as this connection can tell."""


class SeeingClient(Client):
    """A client that sees what a server's code does."""

    __slots__ = ("closed", "heard")

    def __init__(self, letter: str, trace: Trace | None) -> None:
        super().__init__(letter, trace)
        self.closed: list[int] = []
        """The codes of the close frames, or the HTTP status, that it has seen."""
        self.heard = False
        """Whether it has got something since the app has last sent something: then all have been told."""


class InstalledConnection:
    """The server's side of one connection, played by an installed server that `start` starts.

    `receive` and `send` are what the app gets; `leave` ends it in the way of `ending`, and does so before the call that
    `moment` names. `model` is the row that is known for this server. `trace` gets the picture of the client `letter`.
    """

    __slots__ = (
        "_leaving",
        "_peer",
        "_repeated",
        "_transport",
        "accepted",
        "app",
        "calls",
        "client",
        "departure",
        "done",
        "gone",
        "model",
    )
    lasting = None
    """An end that takes its time is kept by the server's own code: what one on a model says of it, none has here."""
    unnoticed = False
    waiting_sends = 0

    def __init__(
        self,
        model: Model,
        start: Start,
        ending: str,
        moment: Moment | None = None,
        trace: Trace | None = None,
        letter: str = "a",
    ) -> None:
        self.model = model
        self.calls = Calls()
        self.client = SeeingClient(letter, trace)
        self.departure = Departure(ending, moment)
        self.accepted = self.done = False
        self.gone = ""
        loop = asyncio.get_running_loop()
        self.app = StandIn(loop)
        self._repeated = 0
        self._peer = Peer()
        address, own = ("127.0.0.1", ord(letter)), ("127.0.0.1", 2)
        self._transport = MemoryTransport(loop, self._from_server, Context(), peername=address, sockname=own)
        self._leaving = Leaving(self._transport, self._peer, self.client.drawing, self._is_cut)
        self._leaving.stop = self._transport.context.run(start, weakly(self.app.serve), self._transport)
        self._transport.arrive(REQUEST)
        self._transport.settle()

    @property
    def over(self) -> bool:
        """Whether nothing more can be said on it."""
        return bool(self.gone) or self.done

    # ---- what the app calls ------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return what the server gives."""
        calls, app = self.calls, self.app
        calls.receives += 1
        receive, _ = app.calls or await app.callables()
        if app.task is None:
            app.task = asyncio.current_task()
        if calls.receives > 1:
            self._leave_at("receive", calls.receives)
            if calls.yields:
                await asyncio.sleep(0)
            self._transport.pump()
        app.waiting += 1
        try:
            session = set_current(None)  # what the server does in this call is its own
            try:
                message = await receive()
            finally:
                reset_current(session)
        finally:
            app.waiting -= 1
        if message["type"] == "websocket.disconnect":
            self._repeated += 1
            if self._repeated > 1:
                await asyncio.sleep(0)  # a server may hand this out for ever without a pause: let others run
            if self._repeated > SPINS:
                calls.spin()
        return message

    async def send(self, message: Message) -> None:
        """Give the server a message."""
        calls, app = self.calls, self.app
        calls.sends += 1
        _, send = app.calls or await app.callables()
        if app.task is None:
            app.task = asyncio.current_task()
        if self._leave_at("send", calls.sends):
            self._transport.settle()
            await self._noticed()
        if message["type"] == "websocket.close" or _denies(message):
            self.gone = self.gone or "own"
        self.client.heard = False
        session = set_current(None)
        try:
            await send(message)
        finally:
            reset_current(session)
        if message["type"] == "websocket.accept":  # a server may answer the client a few turns later
            for _ in range(NOTICES * (not self.gone)):
                if self.accepted or self._transport.lost:
                    break
                await asyncio.sleep(0)
        if not self.client.heard:
            self.client.on_change()
        if calls.yields:
            await asyncio.sleep(0)

    async def _noticed(self) -> None:
        """Give the server the turns of the loop in which it notices what its peer has done."""
        turns = NOTICES
        while turns:
            await asyncio.sleep(0)
            turns = min(turns - 1, 2) if self._transport.lost else turns - 1

    def ended(self, how: str) -> None:
        """Let the server see that the app has "returned", "raised" or been "cancelled"."""
        self.app.ended(how)

    # ---- what the client does ----------------------------------------------------------------------------------

    def say(self, said: str | bytes) -> None:
        """Let the client send a text or binary message."""
        self.client.drawing.says(said)
        self._peer.message(said)
        self._to_server()
        if self.app.waiting:
            self._transport.pump()

    def remark(self, text: str) -> None:
        """Write down what the client thinks."""
        self.client.drawing.thinks(text)

    def stop_reading(self) -> None:
        """Let the client read no more: what the server sends fills its write buffer, until it must wait."""
        self.client.reads = False
        self._transport.client_reads = False

    def read_on(self) -> None:
        """Let the client read again."""
        self._transport.drain()

    def leave(self, code: int | None = 1001, reason: str = "") -> None:
        """End the connection now, in the way of `ending`; if the client closes, with `code`, or with none.

        Before it is accepted a client cannot close (RFC 6455 section 4.1): it ends the TCP connection.
        """
        if self.gone:
            return
        how = "reset" if self.departure.ending == "early" else self.departure.ending
        how = "fin" if how in OPEN and not self.accepted else how
        self.gone = how if how != "idle" else ""  # one that has nothing to say still hears
        if how == "shutdown" and self.client.letter == "a":
            self.client.drawing.shuts_down()
        self._leaving.begin(how, code, reason)
        self._to_server()
        self._transport.pump()
        self.client.on_change()

    def _is_cut(self, how: str) -> None:
        """Take note of the end of the TCP connection."""
        self.gone = how
        self.client.on_change()

    def unlink(self) -> None:
        """Let go of the connection at the session's end: the server cancels its timers, and its task ends."""
        self.client.on_change = self.calls.on_spin = nobody
        self._leaving.unlink()
        self.app.ended("cancelled")
        self._transport.context.run(self._transport.lose)
        self._transport.unlink()
        self.app.unlink()

    # ---- what the client sees ----------------------------------------------------------------------------------

    def _leave_at(self, call: str, number: int) -> bool:
        """Let the client leave, with what it has said unheard, if this call is the moment for it; return whether."""
        moment = self.departure.moment
        if moment is None or moment.number != number or moment.call != call or self.gone:
            return False  # of an end that came before, the app hears
        self._transport.forget()
        self.leave(self.departure.code)
        return True

    def _to_server(self) -> None:
        for data in self._peer.bytes_out():
            self._transport.arrive(data)

    def _from_server(self, data: bytes | None) -> None:
        if self.gone in {"fin", "reset", "silence"}:
            return  # nobody is there
        self._leaving.busy_at = self._transport.loop.time()
        for heard in self._peer.hear(data):
            if heard.kind == "101":
                self.accepted = True
                self.client.drawing.accepted()
            elif heard.kind in {"text", "bytes"}:
                self.client.outbox.append(heard.text if heard.kind == "text" else heard.data)
                self.client.drawing.hears(self.client.outbox[-1])
            else:
                self._hears_the_end(heard.code or 1006, heard.text)
        self._to_server()  # an answer to a close or a ping
        self._transport.pump()
        self.client.heard = True
        self.client.on_change()

    def _hears_the_end(self, code: int, reason: str) -> None:
        """Take note of the first end that the client sees; of an answer to its own close there is nothing to say."""
        if self.client.closed:
            return
        self.client.closed.append(code)
        if self.gone != "close":
            cause = {"own": "closing", "shutdown": "stop"}.get(self.gone, "ended")
            self.client.drawing.sees(Seen(code, code), cause, reason, accepted=self.accepted)
