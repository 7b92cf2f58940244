"""What lesson 03's guard is judged by: a careless app in front of it, a witness behind it.

The careless app breaks the rules of ASGI on purpose and remembers what that raised. The witness stands where the server
would, and notes what should have been kept from it. Both know one connection only.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send, current, describe, note
from helpers.judging.values import scope_of


class Gone(OSError):
    """The connection has ended: there is nothing to receive, and nobody to send to."""


class Misuse(RuntimeError):
    """A message that does not fit the state of the connection: an accept too many, a send before the accept."""


Call = Callable[..., Awaitable[object]]
HI: Message = {"type": "websocket.send", "text": "hi"}
ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close", "code": 1000}


@dataclass
class Tries:
    """What `careless` tried on one connection: what it was, what it should have raised, what it raised."""

    found: list[tuple[str, str, str]] = field(default_factory=list)
    drawn: bool = True

    async def __call__(self, what: str, due: type[Exception], call: Call, *given: Message) -> None:
        """Call what should raise `due`, there or when it is awaited, and remember what it did."""
        got = "nothing"
        try:
            await call(*given)
        except Exception as error:
            got = due.__name__ if isinstance(error, due) else describe(error)
        self.found.append((what, due.__name__, got))
        if self.drawn:
            note(f"{what} raises {got}")


async def careless(scope: Scope, receive: Receive, send: Send) -> None:
    """Echo, and try what an app must not do, with `scope["tries"]`, which remembers what came of it."""
    tries: Tries = scope["tries"]
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})
        return
    if scope["type"] != "websocket":
        await receive()
        await send({"type": f"{scope['type']}.startup.complete"})
        return
    await receive()
    await tries("a send before the accept", Misuse, send, HI)
    await send(ACCEPT)
    await tries("a second accept", Misuse, send, ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        try:
            if message["text"] != "bye":
                await send({"type": "websocket.send", "text": message["text"]})
                continue
            await send(CLOSE)
        except Gone:
            raise
        except OSError:  # the server's way to say so; its disconnect follows
            continue
        await tries("a send after the close", Gone, send, HI)
        await tries("a close after the close", Gone, send, CLOSE)
    await tries("a receive after the disconnect", Gone, receive)
    await tries("a send after the disconnect", Gone, send, HI)
    await tries("a close after the disconnect", Gone, send, CLOSE)


class Witness:
    """Stands between a guard and the server, and notes what should not have come so far."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.reached: list[str] = []
        self._receive, self._send = receive, send
        self._state = "before the accept"

    async def receive(self) -> Message:
        """Pass on what the server gives."""
        if self._state == "after the disconnect":
            self.reached.append("a receive after the disconnect")
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._state = "after the disconnect"
        return message

    async def send(self, message: Message) -> None:
        """Pass on what the app sends."""
        kind = message["type"]
        due = {
            "before the accept": ("websocket.accept", "websocket.close"),
            "open": ("websocket.send", "websocket.close"),
        }
        if kind not in due.get(self._state, ()):
            self.reached.append(f"{kind} {'after the accept' if self._state == 'open' else self._state}")
        if self._state != "after the disconnect":
            self._state = {"websocket.accept": "open", "websocket.close": "after the close"}.get(kind, self._state)
        await self._send(message)


def mount(answer: Any) -> ASGIApp:
    """Put the answer around `careless`, and a witness around the answer, which has seen a connection before."""
    guarded = answer(careless)
    earlier: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if not callable(guarded):
            raise TypeError(f"guard(app) returned {type(guarded).__name__}, which is no app")
        if not earlier:
            earlier.append(await _before(guarded))
        witness, tries = Witness(receive, send), Tries()
        if (session := current()) is not None:
            session.facts |= {"earlier": earlier[0], "reached": witness.reached, "tried": tries.found}
        if earlier[0]:  # the verdict is on that
            return
        await guarded({**scope, "tries": tries}, witness.receive, witness.send)

    return app


async def _before(guarded: ASGIApp) -> str:
    """Let other scopes, one of an unknown type, and then two connections, go through the guard; say what went wrong."""
    hello = ("websocket", ["connect", "receive"])
    scopes = ("lifespan", ["startup"]), ("http", ["request"]), ("telephone", ["startup"]), hello, hello
    places = (
        "in a lifespan scope",
        "in an http scope",
        "in a telephone scope",
        "on the first connection",
        "on the second connection",
    )
    due = {
        "lifespan": ["lifespan.startup.complete"],
        "telephone": ["telephone.startup.complete"],
        "http": ["http.response.start", "http.response.body"],
        "websocket": ["websocket.accept", "websocket.send"],
    }
    for where, (kind, names) in zip(places, scopes, strict=True):
        messages: list[Message] = [{"type": f"{kind}.{name}", "text": "hi"} for name in names]
        got: list[str] = []

        async def receive(kind: str = kind, messages: list[Message] = messages) -> Message:
            return messages.pop(0) if messages else {"type": f"{kind}.disconnect", "code": 1000}

        async def send(message: Message, got: list[str] = got) -> None:
            got.append(message["type"])

        try:
            await guarded({**scope_of(kind), "tries": Tries(drawn=False)}, receive, send)
        except Exception as error:
            return f"{where} it raised {describe(error)}"
        if [each for each in due[kind] if each not in got]:
            return f"{where} the app's {due[kind][-1]} did not come through"
    return ""
