"""Apps that tests serve."""

import asyncio

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from hangup.record.recorder import ASGIApp


def app(endpoint) -> ASGIApp:
    """Return an app whose only route is the endpoint."""
    return Starlette(routes=[WebSocketRoute("/", endpoint)])


async def echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


async def deaf(websocket):
    """Accepts and then never listens."""
    await websocket.accept()
    await asyncio.Event().wait()


async def forgetful(websocket):
    """Leaves a task behind."""
    await websocket.accept()
    websocket.app.state.task = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    async for _ in websocket.iter_text():
        pass


async def failing(websocket):
    """Has a bug of its own."""
    await websocket.accept()
    await websocket.receive_text()
    raise ValueError("a bug")
