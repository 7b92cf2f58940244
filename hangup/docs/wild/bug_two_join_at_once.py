"""Two people open a new document at the same moment; the second is let in and never served.

The first one starts the room under a lock, which it holds for as long as the room runs; the second waits for that lock.

Seen in pycrdt-websocket 0.16.5: YRoom.start() holds `_start_lock` until the room ends. Its users see an empty document
that never loads when several browsers come back at once, as they do when a server is restarted.
Not found reported.
"""

import asyncio
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from hangup import Expect, Leave


@asynccontextmanager
async def run(app):
    app.state.started, app.state.lock = False, asyncio.Lock()
    async with asyncio.TaskGroup() as app.state.group:
        yield
        app.state.room.cancel()


async def run_room(state, ready):
    async with state.lock:  # two must not run it
        state.started, state.room = True, asyncio.current_task()
        ready.set()
        await asyncio.Event().wait()  # the room's own work


async def join(websocket):
    state, ready = websocket.app.state, asyncio.Event()
    await websocket.accept()
    if not state.started:
        state.group.create_task(run_room(state, ready))
        await ready.wait()
    await websocket.send_text("the document")
    async for _ in websocket.iter_text():
        pass


app = Starlette(routes=[WebSocketRoute("/", join)], lifespan=run)
lifespan = "on"
SCRIPT = [Expect("the document"), Expect("the document", by="b"), Leave()]
RULE = "while the peer is there, every message gets its answer"
SCHEDULE = "uvicorn/close@end"
