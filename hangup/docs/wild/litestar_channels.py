"""Litestar 2.25.0 with its channels plugin: who connects subscribes, and what anybody says is published.

    hangup explore 'litestar_channels.py:make()' --script litestar_channels.py

What comes out: a RuntimeError at each end under uvicorn --ws websockets; nothing on the others.
"""

from litestar import Litestar, WebSocket, websocket
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend

from hangup import Expect, Leave, Send


@websocket("/ws")
async def chat(socket: WebSocket, channels: ChannelsPlugin) -> None:
    await socket.accept()
    async with channels.start_subscription(["chat"]) as subscriber, subscriber.run_in_background(socket.send_text):
        while True:
            channels.publish(await socket.receive_text(), ["chat"])


def make() -> Litestar:
    plugin = ChannelsPlugin(backend=MemoryChannelsBackend(), channels=["chat"])
    return Litestar([chat], plugins=[plugin])


path = "/ws"
script = [
    *(Send("hi"), Expect("hi"), Expect("hi", by="b"), Leave()),
    *(Send("ho", by="b"), Expect("ho", by="b")),
]
