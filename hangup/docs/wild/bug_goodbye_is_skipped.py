"""A message to the group reaches a member who has just left; its handler ends there, and leaves the group to nobody.

Seen in channels 4.3.2 (AsyncWebsocketConsumer): where a send raises, `disconnect()` is not called and the channel stays
in its groups. Its users' members lists show people who have left, and with `--ws websockets` the log has a traceback.
Reported: https://github.com/django/channels/issues/1466
"""

import asyncio

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from hangup import Expect, Send

room = []


async def consume(websocket):
    await websocket.accept()
    mine = asyncio.Queue()
    room.append((mine, websocket))
    told = asyncio.create_task(websocket.receive()), asyncio.create_task(mine.get())
    receiving, hearing = told
    while True:
        await asyncio.wait({receiving, hearing}, return_when="FIRST_COMPLETED")
        if hearing.done():
            await websocket.send_text(hearing.result())
            hearing = asyncio.create_task(mine.get())
        elif receiving.result()["type"] == "websocket.disconnect":
            break
        else:
            for member, _ in room:
                member.put_nowait(receiving.result()["text"])
            receiving = asyncio.create_task(websocket.receive())
    room.remove((mine, websocket))
    hearing.cancel()


app = Starlette(routes=[WebSocketRoute("/", consume)])
SCRIPT = [Send("hi"), Expect("hi")]
RULE = "a connection that is gone is not kept"
SCHEDULE = "uvicorn/close@send#2"
