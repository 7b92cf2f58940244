"""Quart 0.22.0: a chat, a reader task beside the subscription, shaped like its tutorial.

    hangup explore quart_chat.py:app --script quart_chat.py

What comes out: ERROR logs of clients that leave before they are accepted (uvicorn);
tasks that run on when hypercorn stops.
"""

import asyncio

from quart import Quart, websocket

from hangup import Expect, Leave, Send

app = Quart(__name__)
queues: set[asyncio.Queue[str]] = set()


async def read() -> None:
    while True:
        message = await websocket.receive()
        for queue in queues:
            await queue.put(message)


@app.websocket("/ws")
async def ws() -> None:
    queues.add(queue := asyncio.Queue())
    task = asyncio.ensure_future(read())
    try:
        while True:
            await websocket.send(await queue.get())
    finally:
        queues.remove(queue)
        task.cancel()
        await task


path = "/ws"
script = [
    *(Send("hi"), Expect("hi"), Expect("hi", by="b"), Leave()),
    *(Send("still here", by="b"), Expect("still here", by="b")),
]
