"""A connection to the server that is installed, in memory: its own code serves it, and no socket is opened.

Below the server's protocol is a `MemoryTransport`, across from it a `Peer`. To whoever plays with it, it is a
MemoryConnection: the same attributes, the same calls. What differs is who decides: there a Model, here the server.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol

from hangup.record.current import reset_current, set_current
from hangup.record.recorder import Message, Receive, Send
from hangup.servers.installed.app import App, AppEndedError, weakly
from hangup.servers.installed.leaving import OPEN, Leaving
from hangup.servers.installed.peer import REQUEST, Peer
from hangup.servers.installed.transport import MemoryTransport
from hangup.servers.memory import Moment
from hangup.servers.memory.drawing import Drawing
from hangup.servers.memory.lasting import Lasting
from hangup.servers.models.model import Model, Seen
from hangup.trace.trace import Trace

SPINS = 200  # how often a server repeats its disconnect before we call it a spin, as in hangup.servers.memory.inbox
NOTICES = 10  # turns of the loop in which a server has noticed what its peer has done


class Start(Protocol):
    """Lets a server take a connection: make its protocol for `app`, connect it with the transport, return its stop."""

    def __call__(self, app: App, transport: MemoryTransport) -> Callable[[], None]:
        """Return what shuts this server down, as far as this connection can tell."""


def _nothing() -> None:
    """Stand for a callback that nobody has set."""


class InstalledConnection:
    """The server's side of one connection, played by an installed server that `start` starts.

    `receive` and `send` are what the app gets; `leave` ends it in the way of `ending`, and does so before the call that
    `moment` names. `model` is the row that is known for this server. `trace` gets the picture of the client `letter`.
    """

    def __init__(
        self,
        model: Model,
        start: Start,
        ending: str,
        moment: Moment | None = None,
        trace: Trace | None = None,
        letter: str = "a",
    ) -> None:
        self.model, self.ending, self.moment, self.letter = model, ending, moment, letter
        self.reads = True
        """Whether its client reads what is sent to it."""
        self.code: int | None = 1001
        """With which code its client closes by itself, None for none."""
        self.yields = False
        self.on_change: Callable[[], None] = _nothing
        self.on_spin: Callable[[], None] = _nothing
        self.receives = self.sends = 0
        self.gone = ""
        self.done = self.spun = self.accepted = False
        self.outbox: deque[str | bytes] = deque()
        self.lasting: Lasting | None = None
        """Of an end that takes its time the server's own code knows: there is none here."""
        self.unnoticed = False
        self.waiting_sends = 0
        self.closed: list[int] = []
        """The codes of the close frames, or the HTTP status, that the client has seen."""
        loop = asyncio.get_running_loop()
        self._drawing = Drawing(trace, letter)
        self._called: asyncio.Future[None] | None = None
        """What waits until the server has called the app, if anything does."""
        self._calls: tuple[Receive, Send] | None = None
        """The server's receive and send, when it has called the app."""
        self._app_ended: asyncio.Future[None] = loop.create_future()
        self._ended = ""
        self.task: asyncio.Task[Any] | None = None
        """The app's task, which is cancelled when the server cancels its own; the first to call, if nobody sets it."""
        self._waiting = self._repeated = 0
        self._changed = False
        """Whether the client has got something since the app has last sent something: then all have been told."""
        self._peer = Peer()
        address, own = ("127.0.0.1", ord(letter)), ("127.0.0.1", 2)
        self._transport = MemoryTransport(loop, self._from_server, Context(), peername=address, sockname=own)
        self._leaving = Leaving(self._transport, self._peer, self._drawing, self._is_cut)
        self._stop = self._transport.context.run(start, weakly(self._serve), self._transport)
        self._transport.arrive(REQUEST)
        self._transport.settle()

    @property
    def over(self) -> bool:
        """Whether nothing more can be said on it."""
        return bool(self.gone) or self.done

    # ---- what the app calls ------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return what the server gives."""
        self.receives += 1
        receive, _ = self._calls or await self._callables()
        if self.task is None:
            self.task = asyncio.current_task()
        if self.receives > 1:
            self._leave_at("receive", self.receives)
            if self.yields:
                await asyncio.sleep(0)
            self._transport.pump()
        self._waiting += 1
        try:
            session = set_current(None)  # what the server does in this call is its own
            try:
                message = await receive()
            finally:
                reset_current(session)
        finally:
            self._waiting -= 1
        if message["type"] == "websocket.disconnect":
            self._repeated += 1
            if self._repeated > 1:
                await asyncio.sleep(0)  # a server may hand this out for ever without a pause: let others run
            if self._repeated > SPINS:
                self.spun = True
                self.on_spin()
        return message

    async def send(self, message: Message) -> None:
        """Give the server a message."""
        self.sends += 1
        _, send = self._calls or await self._callables()
        if self.task is None:
            self.task = asyncio.current_task()
        if self._leave_at("send", self.sends):
            self._transport.settle()
            await self._noticed()
        if message["type"] == "websocket.close":
            self.gone = self.gone or "own"
        self._changed = False
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
        if not self._changed:
            self.on_change()
        if self.yields:
            await asyncio.sleep(0)

    async def _noticed(self) -> None:
        """Give the server the turns of the loop in which it notices what its peer has done."""
        turns = NOTICES
        while turns:
            await asyncio.sleep(0)
            turns = min(turns - 1, 2) if self._transport.lost else turns - 1

    async def _callables(self) -> tuple[Receive, Send]:
        """Return the server's receive and send, when it has called the app."""
        if self.task is None:
            self.task = asyncio.current_task()
        if self._called is None:
            self._called = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._called)  # several tasks may wait for it, and one be cancelled
        assert self._calls is not None
        return self._calls

    def ended(self, how: str) -> None:
        """Let the server see that the app has "returned", "raised" or been "cancelled"."""
        self._ended = self._ended or how
        if self._app_ended.done():
            return
        if how == "returned":
            self._app_ended.set_result(None)
        elif how == "cancelled":
            self._app_ended.cancel()
        else:
            self._app_ended.set_exception(AppEndedError(how))
            self._app_ended.exception()  # if the server is gone, nobody asks

    async def _serve(self, scope: Any, receive: Receive, send: Send) -> None:
        """Be the app for the server: the real one runs in a task of its own, which is cancelled if the server says."""
        if self._calls is None:
            self._calls = receive, send
            if self._called is not None:
                self._called.set_result(None)
        try:
            await self._app_ended
        except asyncio.CancelledError:
            if not self._ended and self.task is not None:
                self.task.cancel()
            raise

    # ---- what the client does ----------------------------------------------------------------------------------

    def say(self, said: str | bytes) -> None:
        """Let the client send a text or binary message."""
        self._drawing.says(said)
        self._peer.message(said)
        self._to_server()
        if self._waiting:
            self._transport.pump()

    def remark(self, text: str) -> None:
        """Write down what the client thinks."""
        self._drawing.thinks(text)

    def stop_reading(self) -> None:
        """Let the client read no more: what the server sends fills its write buffer, until it must wait."""
        self.reads = False
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
        how = "reset" if self.ending == "early" else self.ending
        how = "fin" if how in OPEN and not self.accepted else how
        self.gone = how if how != "idle" else ""  # one that has nothing to say still hears
        if how == "shutdown" and self.letter == "a":
            self._drawing.shuts_down()
        self._leaving.begin(how, code, reason, self._stop)
        self._to_server()
        self._transport.pump()
        self.on_change()

    def _is_cut(self, how: str) -> None:
        """Take note of the end of the TCP connection."""
        self.gone = how
        self.on_change()

    def unlink(self) -> None:
        """Let go of the connection at the session's end: the server cancels its timers, and its task ends."""
        self.on_change = self.on_spin = _nothing
        self._leaving.unlink()
        self.ended("cancelled")
        self._transport.context.run(self._transport.lose)
        self._transport.unlink()
        self._stop = _nothing
        if not self._app_ended.cancelled() and (error := self._app_ended.exception()) is not None:
            error.__traceback__ = None  # its frames hold this connection

    # ---- what the client sees ----------------------------------------------------------------------------------

    def _leave_at(self, call: str, number: int) -> bool:
        """Let the client leave, with what it has said unheard, if this call is the moment for it; return whether."""
        moment = self.moment
        if moment is None or moment.number != number or moment.call != call or self.gone:
            return False  # of an end that came before, the app hears
        self._transport.forget()
        self.leave(self.code)
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
                self._drawing.accepted()
            elif heard.kind in {"text", "bytes"}:
                self.outbox.append(heard.text if heard.kind == "text" else heard.data)
                self._drawing.hears(self.outbox[-1])
            else:
                self._hears_the_end(heard.code or 1006, heard.text)
        self._to_server()  # an answer to a close or a ping
        self._transport.pump()
        self._changed = True
        self.on_change()

    def _hears_the_end(self, code: int, reason: str) -> None:
        """Take note of the first end that the client sees; of an answer to its own close there is nothing to say."""
        if self.closed:
            return
        self.closed.append(code)
        if self.gone != "close":
            cause = {"own": "closing", "shutdown": "stop"}.get(self.gone, "ended")
            self._drawing.sees(Seen(code, code), cause, reason, accepted=self.accepted)
