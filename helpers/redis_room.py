"""The chat room of lesson 07 over Redis, for as many processes as you like: Broadcaster's backend, mended twice.

It stands in a module of its own because a second process imports it, and should be quick to start.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from broadcaster import Broadcast
from broadcaster._backends.redis import RedisBackend
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect


class Hearing(RedisBackend):
    """Broadcaster's, which listens once there is something to listen to."""

    async def subscribe(self, channel: str) -> None:
        """Subscribe first, then wake the listener."""
        await self._pubsub.subscribe(channel)
        self._ready.set()


class Lasting(Hearing):
    """And goes on listening when Redis is back: redis-py then subscribes again by itself."""

    async def _pubsub_listener(self) -> None:
        while True:
            try:
                await super()._pubsub_listener()
            except RedisConnectionError:
                await asyncio.sleep(0.05)


BACKENDS: dict[str, type[RedisBackend]] = {backend.__name__: backend for backend in (RedisBackend, Hearing, Lasting)}


def chat(url: str, backend: str) -> Starlette:
    """Return the room as an app: over Redis with a backend of `BACKENDS`, or in memory if the URL is memory://."""
    broadcast = Broadcast(url) if url == "memory://" else Broadcast(backend=BACKENDS[backend](url))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with broadcast:
            yield

    async def room(websocket: WebSocket) -> None:
        await websocket.accept()
        async with broadcast.subscribe("room") as events, anyio.create_task_group() as group:

            async def deliver() -> None:
                with suppress(WebSocketDisconnect, RuntimeError):
                    async for event in events:  # type: ignore[union-attr]
                        await websocket.send_text(event.message)  # type: ignore[union-attr]  # never None
                group.cancel_scope.cancel()

            group.start_soon(deliver)
            async for text in websocket.iter_text():
                await broadcast.publish("room", text)
            group.cancel_scope.cancel()

    app = Starlette(routes=[WebSocketRoute("/", room)], lifespan=lifespan)
    app.state.broadcast = broadcast
    return app


def state_of_listener(app: Starlette) -> str:
    """Return how Broadcaster's own listener to Redis fares: it "listens", or it "ended with …"."""
    listener = getattr(app.state.broadcast._backend, "_listener", None)
    if listener is None or not listener.done() or listener.cancelled():
        return "listens"
    return f"ended with {type(listener.exception()).__name__}, and nobody asked"
