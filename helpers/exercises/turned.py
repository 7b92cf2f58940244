"""Lets the second connection's handler begin first: who leaves is then not the first of a list that they share."""

from collections.abc import Callable
from typing import Any

import anyio

from hangup.record.recorder import ASGIApp, Receive, Scope, Send

SOON = 0.05  # seconds that the first connection waits for another one


class Turned:
    """An app around another one, `app`: the handler of the second connection begins before that of the first."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._began = False
        self._came = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection, the first one not before another has come, if one comes soon."""
        if self._began:
            self._came.set()
        elif scope["type"] == "websocket":
            self._began = True
            with anyio.move_on_after(SOON):
                await self._came.wait()
        await self.app(scope, receive, send)


def turned(mount: Callable[[Any], ASGIApp]) -> Callable[[Any], ASGIApp]:
    """Return what mounts an answer so that the second connection is served first."""
    return lambda answer: Turned(mount(answer))
