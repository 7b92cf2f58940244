"""A task sends and another receives; the first send fails before the other has begun, which then asks all the same.

Starlette refuses that with a RuntimeError, "Need to call "accept" first", which nobody expects.

Seen in marimo 0.25.2 (WebSocketMessageLoop; which of the two errors it looks at first is chance), on uvicorn: its users
find "Exception in ASGI application" in their log when a tab is closed while it is connected to its kernel again.
Not found reported.
"""

import asyncio

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from hangup import Expect


async def attach(websocket):
    await websocket.accept()
    sending = asyncio.create_task(websocket.send_text("ready"))
    receiving = asyncio.create_task(websocket.receive_text())
    try:
        await asyncio.wait({sending, receiving}, return_when="FIRST_EXCEPTION")
        for task in (receiving, sending):
            if task.done():
                task.result()
    except WebSocketDisconnect:
        pass
    finally:
        receiving.cancel()
        await asyncio.gather(sending, receiving, return_exceptions=True)


app = Starlette(routes=[WebSocketRoute("/", attach)])
SCRIPT = [Expect("ready"), Expect("ready", "b")]
RULE = "the handler ends quietly when the peer leaves"
SCHEDULE = "uvicorn/shutdown@receive#2"
