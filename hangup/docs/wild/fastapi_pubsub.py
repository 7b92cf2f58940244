"""fastapi-websocket-pubsub 1.0.1: both clients subscribe to a topic, and client b publishes to it.

    hangup explore 'fastapi_pubsub.py:make()' --script fastapi_pubsub.py

What comes out: ValueError and an ERROR log of clients that leave before they are accepted;
a cancellation that is swallowed.
"""

import re

from fastapi import FastAPI
from fastapi_websocket_pubsub import PubSubEndpoint

from hangup import Expect, Leave, Send


def call(method: str, **arguments: object) -> dict[str, object]:
    return {"request": {"method": method, "arguments": arguments, "call_id": method}}


def make() -> FastAPI:
    app = FastAPI()
    PubSubEndpoint().register_route(app, "/pubsub")
    return app


path = "/pubsub"
script = [
    *(Send(json=call("subscribe", topics=["t"])), Expect(json={"response": {"call_id": "subscribe"}})),
    *(Send(json=call("subscribe", topics=["t"]), by="b"), Expect(json={"response": {"call_id": "subscribe"}}, by="b")),
    *(Send(json=call("publish", topics=["t"], data="hi"), by="b"), Expect(re.compile('hi"')), Leave()),
    *(Send(json=call("_get_channel_id_"), by="b"), Expect(json={"response": {}}, by="b")),
]
