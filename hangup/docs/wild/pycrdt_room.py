"""pycrdt-websocket 0.16.5 (pycrdt 0.14.13): its ASGIServer with shared documents.

hangup explore 'pycrdt_room.py:make()' --script pycrdt_room.py
Of two who join a new room at once the second is never served.
hangup explore 'pycrdt_room.py:prepared()' --script pycrdt_room.py
With the room made beforehand: who leaves while an update goes round ends all rooms for everybody, on uvicorn.
"""

from contextlib import asynccontextmanager

from pycrdt import Doc, Text, create_update_message
from pycrdt.websocket import ASGIServer, WebsocketServer
from starlette.applications import Starlette
from starlette.routing import Mount

from hangup import Client, Expect, Leave, Send, Wait


def make(*rooms):
    server = WebsocketServer()

    @asynccontextmanager
    async def run(app):
        async with server:
            for room in rooms:
                await server.get_room(room)
            yield

    return Starlette(routes=[Mount("/", ASGIServer(server))], lifespan=run)


def prepared():
    return make("/room")


def told(text):
    return create_update_message(Doc({"text": Text(text)}).get_update())


def is_update(data):
    return data[:2] == b"\0\2"


path, lifespan = "/room", "on"
script = [
    Client("c", "/other"),
    *(Expect(), Expect(by="b"), Send(told("hi")), Expect(is_update), Expect(is_update, "b")),
    *(Leave(), Send(told("ho"), "b"), Expect(is_update, "b"), Wait(1), Expect(by="c")),
]
