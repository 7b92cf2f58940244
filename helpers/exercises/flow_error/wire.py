"""The server of lesson 03's scenes, in memory: it says what is coming, takes notes, and can hold anything up."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hangup.record.recorder import Message, Receive, Scope, Send
from helpers.exercises.flow_error.guard import Tries
from helpers.judging.values import scope_of

CONNECT: Message = {"type": "websocket.connect"}
LEFT: Message = {"type": "websocket.disconnect", "code": 1001, "reason": "going away"}
HELLO: Message = {"type": "websocket.receive", "text": "hello"}
RESPONSE: Message = {"type": "websocket.http.response.start", "status": 403, "headers": []}
REFUSED: Message = {"type": "websocket.disconnect", "code": 1006}


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
