"""Falcon 4.4.0: one task reads and the responder answers, shaped like the parallel loops in its documentation.

    hangup explore falcon_asgi.py:app --script falcon_asgi.py

What comes out: an IndexError in the log whenever a client leaves, on every server.
"""

import asyncio
import collections

import falcon
import falcon.asgi

from hangup import Expect, Send


class Messages:
    async def on_websocket(self, req: falcon.asgi.Request, ws: falcon.asgi.WebSocket) -> None:
        try:
            await ws.accept()
        except falcon.WebSocketDisconnected:
            return
        heard: collections.deque[str] = collections.deque()

        async def read() -> None:
            try:
                while True:
                    heard.append(await ws.receive_text())
            except falcon.WebSocketDisconnected:
                return

        reader = falcon.create_task(read())
        while not reader.done():
            while ws.ready and not heard and not reader.done():
                await asyncio.sleep(0.01)  # there: sleep(0)
            try:
                await ws.send_text(heard.popleft())
            except falcon.WebSocketDisconnected:
                break
        reader.cancel()


app = falcon.asgi.App()
app.add_route("/messages", Messages())
path = "/messages"
script = [Send("hi"), Expect("hi"), Send("ho"), Expect("ho")]
