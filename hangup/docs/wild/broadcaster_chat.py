"""broadcaster 0.3.1 with Starlette 1.10.0: a chat in one task group, shaped like the example in its README.

    hangup explore broadcaster_chat.py:app --script broadcaster_chat.py

What comes out: a send ends the group; with --invariant broadcaster_chat.py:problem, queues that stay for ever.
"""

import contextlib
from collections.abc import AsyncIterator

import anyio
from broadcaster import Broadcast
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hangup import Expect, Leave, Send

broadcast = Broadcast("memory://")


async def chat(websocket: WebSocket) -> None:
    await websocket.accept()

    async def listen() -> None:
        async with broadcast.subscribe("room") as subscriber:
            async for event in subscriber:
                await websocket.send_text(event.message)

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        async for text in websocket.iter_text():
            await broadcast.publish("room", text)
        group.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[None]:
    async with broadcast:
        yield


app = Starlette(routes=[WebSocketRoute("/ws", chat)], lifespan=running)
path = "/ws"
script = [
    *(Send("hi"), Expect("hi"), Expect("hi", by="b"), Leave()),
    *(Send("ho", by="b"), Expect("ho", by="b")),
]


def problem(app: object) -> str | None:
    """Say what the broadcast still keeps when all have left."""
    left = sum(map(len, broadcast._subscribers.values()))
    return f"{left} queues of listeners that are gone are still filled" if left else None
