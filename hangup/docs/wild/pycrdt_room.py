"""PLACEHOLDER"""

from contextlib import asynccontextmanager

from pycrdt import Doc, Text, create_sync_message, create_update_message
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
