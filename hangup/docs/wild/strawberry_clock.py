"""strawberry-graphql 0.341.2: a subscription over graphql-transport-ws, on its router for FastAPI.

hangup explore strawberry_clock.py:app --script strawberry_clock.py
Who leaves while a value is on its way is logged as an error of a worker task, on uvicorn.
"""

import asyncio
from collections.abc import AsyncGenerator

import strawberry
from fastapi import FastAPI
from strawberry.fastapi import GraphQLRouter

from hangup import Client, Expect, Leave, Send


@strawberry.type
class Query:
    hello: str = "hi"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncGenerator[int, None]:
        for n in range(1_000):
            yield n
            await asyncio.sleep(1)


app = FastAPI()
app.include_router(GraphQLRouter(strawberry.Schema(Query, subscription=Subscription)), prefix="/graphql")


def subscribe(by="a"):
    asked = {"id": "1", "type": "subscribe", "payload": {"query": "subscription { ticks }"}}
    yield from (Send(json={"type": "connection_init"}, by=by), Expect(json={"type": "connection_ack"}, by=by))
    yield from (Send(json=asked, by=by), Expect(json={"type": "next"}, by=by))


path, protocol = "/graphql", ["graphql-transport-ws"]
script = [
    *(Client("a", subprotocols=protocol), Client("b", subprotocols=protocol)),
    *(*subscribe(), *subscribe("b"), Leave(), Expect(json={"type": "next"}, by="b")),
]
