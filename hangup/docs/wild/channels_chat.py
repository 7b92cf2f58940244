"""PLACEHOLDER"""

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
