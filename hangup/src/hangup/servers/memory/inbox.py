"""What an app has yet to receive on a connection in memory."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from hangup.record.recorder import Message
from hangup.servers.models.model import Call

SPINS = 200  # how often a server gives the same again before we call it a spin


class Inbox:
    """Messages for an app, in order, and the calls of receive() that wait for one.

    `read` says whether the app has been told of the end; while `connects` is true, it is given websocket.connect and
    nothing else. `on_spin` is called when the app was given the same so often that it seems not to notice.
    """

    __slots__ = ("_forever", "_messages", "_on_spin", "_repeated", "_waiters", "connects", "read")

    def __init__(self, on_spin: Callable[[], None], connects: bool = False) -> None:
        self.read = False
        self.connects = connects
        self._on_spin = on_spin
        self._forever: int | Call = None
        self._repeated = 0
        self._messages: deque[Message] = deque()
        self._waiters: list[asyncio.Future[None]] = []

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
        if not self._messages or self.connects:
            return None
        message = self._messages.popleft()
        if message["type"] == "websocket.disconnect":
            self.read = True
        return message

    async def get(self) -> Message:
        """Return the next message; when none will ever come, repeat the last one, raise or wait, as `tell` was told."""
        while (message := self.take()) is None:
            if self.connects:
                await self._again()
                return {"type": "websocket.connect"}
            if self._forever is not None:
                await self._again()
                self.read = True
                if isinstance(self._forever, int):
                    return {"type": "websocket.disconnect", "code": self._forever}
                raise self._forever("")
            waiter: asyncio.Future[None] = asyncio.Future()
            self._waiters.append(waiter)
            try:
                await waiter  # until there may be a message
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return message

    async def _again(self) -> None:
        """Take note that the app is given the same again, and let others run."""
        await asyncio.sleep(0)
        self._repeated += 1
        if self._repeated > SPINS:
            self._on_spin()

    def put(self, message: Message) -> None:
        """Add a message, which the longest waiting call gets."""
        self._messages.append(message)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
                break

    def tell(self, disconnects: Sequence[Message], forever: int | Call, *, before_last: bool = False) -> None:
        """Add what the app is told of an end: these, and then `forever` for ever.

        That is a code, or what receive() raises; of None it waits. `before_last`: the last one is still to come.
        """
        last = [self._messages.pop()] if before_last and self._messages else []
        self._messages.extend((*disconnects, *last))
        self._forever = forever
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Lose what the app has not received yet."""
        self._messages.clear()
