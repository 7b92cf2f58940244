"""An ASGI wrapper that writes what passes between server and app into a Trace, and keeps it as Sessions.

`Recorder(app)` is an ASGI app. Each connection becomes a Session: the facts that rules judge. What the app is given as
`receive` and `send` is a channel that records each call and hands it on.
"""

import asyncio
import sys
import weakref
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from hangup.record.current import current, in_session, note, set_current, watch_tasks
from hangup.record.errors import describe, leaves, stack
from hangup.record.internals import running_task
from hangup.record.session import Ended, Session
from hangup.trace.events import Event
from hangup.trace.trace import Trace

__all__ = [
    "ASGIApp",
    "Interrupted",
    "Message",
    "Receive",
    "Recorder",
    "Scope",
    "Send",
    "Session",
    "current",
    "describe",
    "leaves",
    "note",
    "watch_tasks",
]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Interrupted(BaseException):
    """Raised into an app that holds the event loop while the interrupt button is pressed."""


class Recorder:
    """Wraps an ASGI app; itself an ASGI app. `sessions` holds one Session for each WebSocket connection, in order.

    `loop` is the one on which it runs, for whoever knows.
    """

    def __init__(
        self,
        app: ASGIApp,
        trace: Trace | None = None,
        excuse: Collection[str] = (),
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.app = app
        self._loop = loop
        self.excuse = excuse
        self.trace = Trace() if trace is None else trace
        self.sessions: list[Session] = []
        self.lifespan_error: BaseException | None = None
        self._channels: list[_Channel] = []

    def cut(self) -> None:
        """Let go of the server, when it has stopped."""
        for channel in self._channels:
            channel.cut()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app for one scope; exceptions pass through to the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app for one connection, which becomes a Session."""
        address, trace = scope.get("client"), self.trace
        session = Session(trace, trace.peer(int(address[1]) if address else len(self.sessions)))
        session.excuse = self.excuse
        session.main = running_task(self._loop or asyncio.get_running_loop())
        self.sessions.append(session)
        set_current(session)  # for good: what the server logs in this task afterwards belongs to the session too
        channel = (_SilentChannel if trace.silent else _Channel)(session, receive, send)
        session.connection = weakref.ref(channel)
        if not trace.silent:
            self._channels.append(channel)
        try:
            await self.app(scope, channel.receive, channel.send)
        except asyncio.CancelledError as error:
            _ended(session, "cancelled", error)
            raise
        except Interrupted as error:  # the server need not hear of it
            _ended(session, "cancelled", error, describe(error))
        except BaseException as error:
            _ended(session, "raised", error)
            raise
        else:
            _ended(session, "returned")
        finally:
            session.end()

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the lifespan protocol on, but let an app that takes it for a connection fail at once.

        Without this, an app that loops over receive() would keep its server from starting, for ever.
        """
        answered = asked = False

        async def once() -> Message:
            nonlocal asked
            if asked and not answered:
                await asyncio.sleep(0)  # an app that catches this and asks again must let others run
                raise RuntimeError("this app does not speak the lifespan protocol")
            asked = True
            return await receive()

        async def lifespan_only(message: Message) -> None:
            nonlocal answered
            if not message["type"].startswith("lifespan."):
                raise RuntimeError("this app does not speak the lifespan protocol")
            answered = True
            if message["type"] == "lifespan.startup.failed":
                self.lifespan_error = sys.exception()  # frameworks say so while they handle it
            await send(message)

        try:
            await self.app(scope, once, lifespan_only)
        except BaseException as error:
            self.lifespan_error = self.lifespan_error or error
            raise


_IN_WORDS = {"returned": "returns", "raised": "raises", "cancelled": "is cancelled"}


def _ended(session: Session, how: Ended, error: BaseException | None = None, said: str = "") -> None:
    """Write down how the app has ended a session."""
    session.ended, session.error = how, error
    if not session.trace.silent:
        if error is not None and how == "raised":
            session.where, said = stack(error), describe(error)
        session.record(Event(session.app, _IN_WORDS[how], said), gives=f"{session.letter}.ended", final=True)


# ---- what an app is given ----------------------------------------------------------------------------------------


_GIVES = {
    "websocket.accept": "accept",
    "websocket.close": "closing",
    "websocket.http.response.body": "closing",
}
"""What a picture waits for of an app's answers, by the message's type."""


class _Channel:
    """What the app gets as `receive` and `send`: the server's own, with every call recorded."""

    def __init__(self, session: Session, receive: Receive, send: Send) -> None:
        self.session = session
        self._receive = receive
        self._send = send

    def cut(self) -> None:
        """Forget the server's callables; an exception that keeps this channel alive must not keep the server too."""

        async def gone(*_: object) -> Message:
            raise RuntimeError("the server of this connection has stopped")

        self._receive = self._send = gone  # type: ignore[assignment]

    async def receive(self) -> Message:
        session, caller = self.session, current() or self.session
        session.asking += 1
        try:
            with in_session(None):
                message = await self._receive()
        except Exception as error:
            session.record(Event(caller.lifeline(), "receive raises", describe(error)), caller=caller)
            raise
        finally:
            session.asking -= 1
        kind = message["type"]
        needs = [f"{session.letter}.open"]
        if kind == "websocket.receive":
            session.received += 1
            needs = [f"{session.letter}.up.{session.received}"]
        elif kind == "websocket.disconnect":
            session.hears_goodbye(message.get("code"))
            needs = ["stop", f"{session.letter}.end"]
            if len(session.codes) % 100 == 0:
                await asyncio.sleep(0)  # a server may hand this out for ever without a pause: let others run
        session.record(Event("server", kind, _detail(message), caller.lifeline()), needs=needs, caller=caller)
        return message

    async def send(self, message: Message) -> None:
        session, caller = self.session, current() or self.session
        kind = message["type"]
        told = bool(session.codes or session.closes)
        session.sends_after_close += session.closes > 0
        session.closes += kind == "websocket.close"
        session.sent += kind == "websocket.send"
        token = _GIVES.get(kind, f"down.{session.sent}")
        # One member of a chat room may write to another's connection: then say whose.
        detail = _detail(message) + ("" if caller is session else f" to {session.letter}")
        event = Event(caller.lifeline(), kind, detail.strip(), "server")
        session.record(event, gives=f"{session.letter}.{token}", caller=caller)
        if kind == "websocket.send":
            session.said = session.said or []
            session.said.append(_hash(message))
        try:
            with in_session(None):
                await self._send(message)
        except Exception as error:
            session.refused(error, told=told)
            needs = ["stop", f"{session.letter}.end"]
            session.record(Event(caller.lifeline(), "send raises", describe(error)), needs=needs, caller=caller)
            raise
        session.taken += kind == "websocket.send"


class _SilentChannel(_Channel):
    """Counts what passes, as its base does, and draws nothing.

    An exploration goes through thousands of sessions: to share the counting would cost it 3 % of its speed.
    """

    async def receive(self) -> Message:
        message = await self._receive()
        kind = message["type"]
        if kind == "websocket.receive":
            self.session.received += 1
        elif kind == "websocket.disconnect":
            self.session.hears_goodbye(message.get("code"))
        return message

    async def send(self, message: Message) -> None:
        session, kind = self.session, message["type"]
        told = bool(session.codes or session.closes)
        if session.closes:
            session.sends_after_close += 1
        if kind == "websocket.send":
            session.sent += 1
        elif kind == "websocket.close":
            session.closes += 1
        try:
            await self._send(message)
        except Exception as error:
            session.refused(error, told=told)
            raise


def _hash(message: Message) -> int:
    """Return the hash of the repr of what is sent; a server that is given text and bytes takes one of them."""
    said = message.get("bytes") if message.get("text") is None else message["text"]
    if isinstance(said, str):
        return hash(str.__repr__(said))  # that of an enum's member is another
    return hash(repr(bytes(said) if isinstance(said, bytearray | memoryview) else said))


def _detail(message: Message) -> str:
    """Return the fields of an ASGI message that say something, as `key=value`."""
    said = {k: v for k, v in message.items() if k != "type" and v not in (None, "", b"", [], ())}
    return " ".join(f"{k}={int(v) if isinstance(v, int) else v!r}" for k, v in said.items())
