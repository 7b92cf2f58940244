"""A server that reads nothing for a while: what its client sends fills the wire, and `send` waits."""

import asyncio
from typing import Any

from websockets.asyncio.server import ServerConnection

from hangup.record.recorder import current
from helpers.exercises.the_client_that_comes_back.servers import Book

BIG = "x" * 900_000  # characters: twenty of them are more than the buffers between client and server hold
CANCELLED_AT = 5.5  # virtual seconds, before a ping misses its answer


class FullBook(Book):
    """A Book that reads nothing until its client is cancelled; then it does: websockets closes no wire that is full."""

    def __init__(self) -> None:
        super().__init__(0, texts=(BIG,) * 20)
        self._cancelled = asyncio.Event()

    async def serve(self, websocket: ServerConnection) -> None:
        """Greet, and read no more for a while."""
        await self._say(websocket, "have")
        websocket.transport.pause_reading()
        await self._cancelled.wait()
        websocket.transport.resume_reading()
        await websocket.wait_closed()

    async def call(self, answer: Any, url: str) -> Any:
        """Give the answer its messages, and cancel it."""
        session, client = current(), asyncio.current_task()

        def cancel() -> None:
            if session is not None and client is not None:
                session.cancelled_by, session.facts["interrupted"] = "schedule", "while it worked"
                client.cancel()
            self._cancelled.set()

        cancelling = asyncio.get_running_loop().call_later(CANCELLED_AT, cancel)
        try:
            return await super().call(answer, url)
        finally:
            cancelling.cancel()
