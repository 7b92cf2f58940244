"""The server of lesson 03's scenes, in memory: it says what is coming, takes notes, and can hold anything up.

With it: what a guard does with an app's own errors, and with two connections at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send, describe
from helpers.exercises.flow_error.guard import ACCEPT, CLOSE, HI, Gone, Misuse, Tries
from helpers.judging.values import scope_of

CONNECT: Message = {"type": "websocket.connect"}
LEFT: Message = {"type": "websocket.disconnect", "code": 1001, "reason": "going away"}
HELLO: Message = {"type": "websocket.receive", "text": "hello"}
RESPONSE: Message = {"type": "websocket.http.response.start", "status": 403, "headers": []}
REFUSED: Message = {"type": "websocket.disconnect", "code": 1006}
Problem = Literal["passes", "reaches", "raises"]


class Wire:
    """A server of one connection: it says what is `coming`, and keeps what it gets.

    `gate` holds its sends up, `hush` what it says.
    """

    def __init__(self, *coming: Message) -> None:
        self.coming = list(coming)
        self.got: list[Message] = []
        self.gate, self.hush = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.hush.set()
        self.fails: Exception | None = None

    async def receive(self) -> Message:
        """Return the next message; the last one again and again."""
        await asyncio.sleep(0)
        await self.hush.wait()
        return self.coming.pop(0) if len(self.coming) > 1 else self.coming[0]

    async def send(self, message: Message) -> None:
        """Keep a message; raise what `fails` holds."""
        self.got.append(message)
        await asyncio.sleep(0)
        await self.gate.wait()
        if self.fails is not None:
            raise self.fails


Act = Callable[[Receive, Send, Tries, Wire], Awaitable[None]]


@dataclass(frozen=True)
class Scene:
    """What an app does; what the server says, and is due to get."""

    name: str
    act: Act
    coming: tuple[Message, ...]
    due: tuple[Message, ...]


def acting(act: Act, wire: Wire, tries: Tries | None = None) -> Scope:
    """Return a connection's scope that says what its app does."""
    return {**scope_of(), "act": act, "tries": tries, "wire": wire}


async def moment() -> None:
    """Let every other task go on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def drop(call: Awaitable[object]) -> None:
    """Cancel a call if it waits, and drop what it has raised."""
    task = asyncio.ensure_future(call)
    await moment()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def bug(guarded: ASGIApp) -> tuple[Problem, str] | None:
    """Let the app raise, and say which of its errors does not come out."""
    for error in (LookupError("a bug"), FileNotFoundError("another"), Misuse("let out"), Gone("let out")):

        async def act(receive: Receive, send: Send, tries: Tries, wire: Wire, error: Exception = error) -> None:
            raise error

        wire = Wire(CONNECT, LEFT)
        try:
            await guarded(acting(act, wire), wire.receive, wire.send)
        except Exception as raised:
            if raised is error:
                continue
        return "passes", f"the app raised {type(error).__name__}, and it did not come out"
    return None


async def together(guarded: ASGIApp) -> tuple[Problem, str] | None:
    """Let one of two connections end, in each way, while the other one is open; either may have come first."""
    for what, says in (("leaves", (ACCEPT,)), ("is closed", (ACCEPT, CLOSE)), ("is refused", (CLOSE,))):
        for last in (False, True):
            if problem := await _beside(guarded, says, last=last):
                return (
                    "passes",
                    f"two connections at once, of which the {'second' if last else 'first'} {what}: {problem}",
                )
    return None


async def _beside(guarded: ASGIApp, says: tuple[Message, ...], *, last: bool) -> str:
    """Let one connection's app say something and hear the goodbye beside another one; return what is wrong."""
    over, wires = asyncio.Event(), (Wire(CONNECT, LEFT), Wire(CONNECT, LEFT))

    async def ends(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
        await receive()
        for message in says:
            await send(message)
        await receive()

    async def stays(receive: Receive, send: Send, tries: Tries, wire: Wire) -> None:
        await receive()
        await send(ACCEPT)
        await over.wait()
        await send(HI)

    async def call(act: Act, wire: Wire) -> None:
        try:
            await guarded(acting(act, wire), wire.receive, wire.send)
        finally:
            if act is ends:
                over.set()

    calls = [call(act, wire) for act, wire in zip((ends, stays), wires, strict=True)]
    results = await asyncio.gather(*(reversed(calls) if last else calls), return_exceptions=True)
    if errors := [each for each in results if isinstance(each, Exception)]:
        return describe(errors[0])
    for wire, due in zip(wires, ([*says], [ACCEPT, HI]), strict=True):
        if wire.got != due:
            return f"a server got {[each['type'] for each in wire.got]} in place of {[each['type'] for each in due]}"
    return ""
