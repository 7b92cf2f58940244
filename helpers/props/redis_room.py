"""The chat room of lesson 07, as an app: in memory, or over Redis for as many processes as you like.

It stands in a module of its own because a second process imports it, and should be quick to start.
Broadcaster's backend is mended twice: see Hearing and Lasting.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from broadcaster import Broadcast
from broadcaster._backends.redis import RedisBackend
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets import ConnectionClosed
from websockets.asyncio.client import ClientConnection


class Hearing(RedisBackend):
    """Broadcaster's RedisBackend, mended: it subscribes first, then wakes its listener.

    Broadcaster 0.3.1 wakes its listener before it subscribes. On Python 3.11, with redis-py 8.1, the listener then
    finds no channel and sleeps again for good: the whole room is deaf. On 3.12 and 3.13 it hears.
    """

    async def subscribe(self, channel: str) -> None:
        """Subscribe first, then wake the listener."""
        await self._pubsub.subscribe(channel)
        self._ready.set()


class Lasting(Hearing):
    """Goes on listening when Redis is back; nobody subscribes again."""

    async def _pubsub_listener(self) -> None:
        while True:
            try:
                await super()._pubsub_listener()
            except RedisConnectionError:
                await asyncio.sleep(0.05)


OUTAGE: dict[type[RedisBackend], str] = {
    Hearing: (
        "Down: b is thrown out · a hears nothing\n"
        "Up: a hears nothing · c hears nothing\n"
        "the listener ended with ConnectionError, and nobody asked"
    ),
    Lasting: (
        "Down: b is thrown out · a hears nothing\n"
        "Up: a hears 'Redis is back' · c hears 'Redis is back'\n"
        "the listener listens"
    ),
}
"""What lesson 07 prints when Redis goes away and comes back, for whoever has none; a test compares them."""


def mounted(endpoint: Callable[[WebSocket], Any], broadcast: Broadcast, members: list[Any] | None = None) -> Starlette:
    """Return an app that serves an endpoint at `/`, with the broadcast open while it runs, as its `state.broadcast`.

    When the app starts, `members` is emptied.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if members is not None:
            members.clear()
        async with broadcast:
            yield

    app = Starlette(routes=[WebSocketRoute("/", endpoint)], lifespan=lifespan)
    app.state.broadcast = broadcast
    return app


def chat(url: str, backend: type[RedisBackend] = Hearing) -> Starlette:
    """Return the room as an app: over Redis, or in memory if the URL is memory://."""
    broadcast = Broadcast(url) if url == "memory://" else Broadcast(backend=backend(url))

    async def deliver(websocket: WebSocket, events: Any, scope: anyio.CancelScope) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            async for event in events:
                await websocket.send_text(event.message)
        scope.cancel()

    async def room(websocket: WebSocket) -> None:
        await websocket.accept()
        async with broadcast.subscribe("room") as events, anyio.create_task_group() as group:
            group.start_soon(deliver, websocket, events, group.cancel_scope)
            with suppress(RuntimeError):  # a send has failed: Starlette refuses to read
                async for text in websocket.iter_text():
                    await broadcast.publish("room", text)
            group.cancel_scope.cancel()

    return mounted(room, broadcast)


async def heard(client: ClientConnection, seconds: float = 10.0) -> str:
    """Return what a member hears next: "hears 'hi'", "hears nothing" for so many seconds, or "is thrown out"."""
    try:
        async with asyncio.timeout(seconds):
            return f"hears {await client.recv()!r}"
    except TimeoutError:
        return "hears nothing"
    except ConnectionClosed:
        return "is thrown out"


def fate(app: Starlette) -> str:
    """Return how Broadcaster's own listener to Redis fares: it "listens", or it "ended with …"."""
    listener = getattr(app.state.broadcast._backend, "_listener", None)
    if listener is None or not listener.done() or listener.cancelled():
        return "listens"
    return f"ended with {type(listener.exception()).__name__}, and nobody asked"
