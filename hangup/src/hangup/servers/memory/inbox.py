"""What an app has yet to receive on a connection in memory."""

import asyncio
from collections import deque
from collections.abc import Sequence

from hangup.record.recorder import Message

SPINS = 200  # how often a server repeats its disconnect before we call it a spin


class Inbox:
    """Messages for an app, in order, and the calls of receive() that wait for one.

    `read` says whether the app has been given a disconnect.
    """

    __slots__ = ("_forever", "_messages", "_repeated", "_waiters", "read")

    def __init__(self) -> None:
        self.read = False
        self._forever: int | None = None
        self._repeated = 0
        self._messages: deque[Message] = deque()
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def spins(self) -> bool:
        """Whether the app has been given the same disconnect again so often that it seems not to notice."""
        return self._repeated > SPINS

    @property
    def ends(self) -> bool:
        """Whether what comes next is the first disconnect."""
        return not self.read and bool(self._messages) and self._messages[0]["type"] == "websocket.disconnect"

    @property
    def awaited(self) -> bool:
        """Whether a call of receive() waits."""
        return bool(self._waiters)

    def take(self) -> Message | None:
        """Return the next message, if there is one."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        if message["type"] == "websocket.disconnect":
            self.read = True
        return message

    async def get(self) -> Message:
        """Return the next message; when none will ever come, repeat the last disconnect or wait, as `tell` was told."""
        while (message := self.take()) is None:
            if self._forever is not None:
                await asyncio.sleep(0)
                self._repeated += 1
                self.read = True
                return {"type": "websocket.disconnect", "code": self._forever}
            await self._something()
        return message

    async def _something(self) -> None:
        """Wait until there may be a message."""
        waiter: asyncio.Future[None] = asyncio.Future(loop=asyncio.get_running_loop())
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def put(self, message: Message) -> None:
        """Add a message, which the longest waiting call gets."""
        self._messages.append(message)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
                break

    def tell(self, disconnects: Sequence[Message], forever: int | None) -> None:
        """Add what the app is told of an end: these, and after them the code `forever` for ever, or (None) nothing."""
        self._messages.extend(disconnects)
        self._forever = forever
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Lose what the app has not received yet."""
        self._messages.clear()
