"""An app for the servers' own commands (support/commands.py): each connection prints what becomes of it.

The path says what it does: `/listens` receives, `/runs` does not. With the environment variable LIFESPAN the app has a
lifespan, without it the server's question goes unanswered.
"""

import asyncio
import os
from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Be an ASGI app."""
    if scope["type"] == "lifespan" and "LIFESPAN" in os.environ:
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    assert scope["type"] == "websocket"
    await _connection(scope["path"], receive, send)


async def _connection(path: str, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    _say(path, "begins")
    try:
        for _ in range(3 if path == "/listens" else 0):
            message = await receive()
            _say(path, f"{message['type']} {int(message['code'])}")
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        _say(path, "is cancelled")
        raise


def _say(path: str, words: str) -> None:
    print(f"{path} {words}", flush=True)  # noqa: T201 - whoever started the server reads it
