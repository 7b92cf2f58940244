"""A subscription sends in a task of its own; that the peer has left is logged as an error of that task.

Seen in strawberry-graphql 0.341.2 (graphql-transport-ws, Operation tasks), on uvicorn: its users find "Exception in
worker task" in their log for each browser that is closed while a value is on its way, and alarms that mean nothing.
Reported: https://github.com/strawberry-graphql/strawberry/issues/3678 (closed) is the same of a pong.
"""

import asyncio
import logging

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from hangup import Expect, Send

log = logging.getLogger("subscriptions")


async def operation(websocket):
    try:
        await websocket.send_text("0")
    except Exception:
        log.exception("Exception in worker task")


async def subscribe(websocket):
    await websocket.accept()
    operations = []
    async for _ in websocket.iter_text():
        operations.append(asyncio.create_task(operation(websocket)))
    for each in operations:
        await each


app = Starlette(routes=[WebSocketRoute("/", subscribe)])
SCRIPT = [Send("ticks"), Expect("0")]
RULE = "the app logs no error about a peer that has left"
SCHEDULE = "uvicorn/close@receive#3"
