"""One person closes a tab while an update is sent around; from then on nobody gets anything, in any room.

Each send is a task in the rooms' common group. The one to who has left raises, and the group cancels all others.

Seen in pycrdt-websocket 0.16.5 (ASGIServer, `async with WebsocketServer()`, no exception_handler): its users' documents
are not shared any more, and whoever connects is refused, "The WebsocketServer is not running", until a restart.
Reported: https://github.com/y-crdt/pycrdt-websocket/pull/33 (an exception_handler helps, if it is given).
"""

from contextlib import asynccontextmanager

import anyio
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from hangup import Expect, Leave, Send, Wait


@asynccontextmanager
async def run(app):
    async with anyio.create_task_group() as app.state.group:
        app.state.members = []
        yield


async def join(websocket):
    state = websocket.app.state
    await websocket.accept()
    state.members.append(websocket)
    async for text in websocket.iter_text():
        for member in state.members:
            state.group.start_soon(member.send_text, text)
    state.members.remove(websocket)


app = Starlette(routes=[WebSocketRoute("/", join)], lifespan=run)
lifespan = "on"
SCRIPT = [Send("hi"), Expect("hi"), Expect("hi", "b"), Leave(), Wait(1), Send("ho", "b"), Expect("ho", "b")]
RULE = "while the peer is there, every message gets its answer"
SCHEDULE = "uvicorn/close@send#2"
