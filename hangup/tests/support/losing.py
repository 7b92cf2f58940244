"""A server that loses messages: uvicorn, with something between it and the recorder that drops one of a connection."""

import contextlib
import math
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hangup.record.recorder import Message, Receive, Recorder, Scope, Send
from hangup.servers.running import RUNNERS
from hangup.servers.running.listening import Runner

ALWAYS = math.inf
TYPES = {"up": "websocket.receive", "down": "websocket.send"}
"""What is lost of what a client says, and of what an app does."""


class Losing:
    """Stands between server and recorder, whose attributes it has: loses the first message of so many connections."""

    def __init__(self, direction: str, connections: float) -> None:
        self.kind = TYPES[direction]
        self.connections = connections
        self.recorder: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.recorder, name)

    def loses(self, message: Message, here: list[Message]) -> bool:
        """Return whether this message of a connection is lost; `here` has what it has lost before."""
        if message["type"] != self.kind or here or self.connections <= 0:
            return False
        here.append(message)
        self.connections -= 1
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the app that the server knows."""
        here: list[Message] = []

        async def hear() -> Message:
            while self.loses(message := await receive(), here):
                pass
            return message

        async def say(message: Message) -> None:
            if not self.loses(message, here):
                await send(message)

        await self.recorder(scope, hear, say)


def loses(monkeypatch: pytest.MonkeyPatch, direction: str, connections: float = ALWAYS) -> None:
    """Let uvicorn lose the first message that clients say (`up`) or apps send (`down`) on so many connections."""
    real, losing = RUNNERS["uvicorn"], Losing(direction, connections)

    @contextlib.asynccontextmanager
    async def run(recorder: Recorder, sock: socket.socket, graceful_timeout: float) -> AsyncIterator[None]:
        losing.recorder = recorder
        async with real.run(losing, sock, graceful_timeout):  # type: ignore[arg-type]
            yield

    monkeypatch.setitem(RUNNERS, "uvicorn", Runner(real.extra, real.needs, run))
