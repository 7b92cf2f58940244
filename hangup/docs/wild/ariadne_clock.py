"""ariadne 1.1.1: a subscription over graphql-transport-ws.

hangup explore ariadne_clock.py:app --script ariadne_clock.py
Who leaves while the connection is acknowledged, or subscribes and leaves, leaves two tracebacks, on uvicorn.
"""

import asyncio

from ariadne import QueryType, SubscriptionType, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLTransportWSHandler

from hangup import Client, Expect, Leave, Send

TYPES = "type Query { hello: String } type Subscription { ticks: Int! }"
query, subscription = QueryType(), SubscriptionType()


@subscription.source("ticks")
async def count(*_):
    for n in range(1_000):
        yield n
        await asyncio.sleep(1)


@subscription.field("ticks")
def ticks(n, *_):
    return n


app = GraphQL(make_executable_schema(TYPES, query, subscription), websocket_handler=GraphQLTransportWSHandler())


def subscribe(by="a"):
    asked = {"id": "1", "type": "subscribe", "payload": {"query": "subscription { ticks }"}}
    yield from (Send(json={"type": "connection_init"}, by=by), Expect(json={"type": "connection_ack"}, by=by))
    yield from (Send(json=asked, by=by), Expect(json={"type": "next"}, by=by))


protocol = ["graphql-transport-ws"]
script = [
    *(Client("a", subprotocols=protocol), Client("b", subprotocols=protocol)),
    *(*subscribe(), *subscribe("b"), Leave(), Expect(json={"type": "next"}, by="b")),
]
