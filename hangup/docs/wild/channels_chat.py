"""Django Channels 4.3.2 (Django 5.2.19): a consumer in a group, on the channel layer in memory.

hangup explore channels_chat.py:app --script channels_chat.py
On uvicorn with `--ws websockets` a message to who has just left ends its consumer with an error; on uvicorn in silence.
Either way `disconnect()` is not called, and the channel stays in its group.
"""

import django
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path as at

from hangup import Expect, Leave, Send

LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
settings.configure(SECRET_KEY="-", INSTALLED_APPS=["channels"], CHANNEL_LAYERS=LAYERS)
django.setup()


class Chat(AsyncJsonWebsocketConsumer):
    groups = ["room"]

    async def receive_json(self, content):
        await self.channel_layer.group_send("room", {"type": "said", "text": content["text"]})

    async def said(self, event):
        await self.send_json({"text": event["text"]})


app = ProtocolTypeRouter({"websocket": URLRouter([at("chat", Chat.as_asgi())])})
path = "/chat"
script = [
    *(Send(json={"text": "hi"}), Expect(json={"text": "hi"}), Expect(json={"text": "hi"}, by="b")),
    *(Leave(), Send(json={"text": "ho"}, by="b"), Expect(json={"text": "ho"}, by="b")),
]
