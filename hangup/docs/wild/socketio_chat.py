"""python-socketio 5.18.1 (python-engineio 4.15.1): a chat over the websocket transport.

hangup explore socketio_chat.py:app --script socketio_chat.py
A handler that is cancelled returns as if nothing had happened. Whether it keeps connections is not known: its own task
that would clean up is stopped with each session.
"""

import re

import socketio

from hangup import Expect, Leave, Send


def make():
    sio = socketio.AsyncServer(async_mode="asgi")

    @sio.on("say")
    async def say(sid, text):
        await sio.emit("said", text)

    return socketio.ASGIApp(sio, on_shutdown=sio.shutdown)


app = make()
OPENED, JOINED = re.compile(r"^0\{"), re.compile(r"^40\{")


def join(by="a"):
    return Expect(OPENED, by), Send("40", by), Expect(JOINED, by)


path = "/socket.io/?EIO=4&transport=websocket"
script = [
    *(*join(), *join("b"), Send('42["say","hi"]'), Expect('42["said","hi"]'), Expect('42["said","hi"]', "b")),
    *(Leave(), Send('42["say","ho"]', "b"), Expect('42["said","ho"]', "b")),
]
