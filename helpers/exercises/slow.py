"""A peer that is slow to read: the first text that an app sends to it takes a while, and is lost if it is given up."""

from collections.abc import Callable
from typing import Any

import anyio

from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send
from hangup.servers.script import Script, Step, StopReading, Wait, by, crowd

DEAF = 11  # clients: more than the ten that one would let in, or send to, at once
READING = 20.0  # seconds: longer than the ten that one would wait by eye, and less than a server waits for an app


class Slow:
    """An app around another one, `app`: to each connection the first text takes READING virtual seconds."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection; whoever expects something in it has to wait for READING before."""
        first = True

        async def say(message: Message) -> None:
            nonlocal first
            if first and message["type"] == "websocket.send":
                first = False
                await anyio.sleep(READING)
            await send(message)

        await self.app(scope, receive, say)


def slow(mount: Callable[[Any], ASGIApp]) -> Callable[[Any], ASGIApp]:
    """Return what mounts an answer for peers that are slow to read."""
    return lambda answer: Slow(mount(answer))


def behind_many(said: Script, script: Script) -> list[Step]:
    """Return a script in which one client goes through `script` while DEAF others have `said` this and do not read."""
    return [*crowd((StopReading(), *said), DEAF), Wait(5), *by(chr(ord("a") + DEAF), script)]
