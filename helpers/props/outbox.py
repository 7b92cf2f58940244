"""What a sender keeps until it is acknowledged: numbered messages, and a rule for when there are too many of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Literal

Policy = Literal["wait", "drop oldest", "drop newest"]


class Outbox:
    """Holds at most `limit` messages, numbered from 1 in the order in which they were put.

    When it is full, `put` waits, or the oldest or the newest message is dropped; `dropped` counts those. A dropped
    message's number is not given again, so that whoever reads the numbers sees what is missing.
    """

    def __init__(self, limit: int, when_full: Policy = "wait") -> None:
        self.limit = limit
        self.when_full = when_full
        self.dropped = 0
        self.closed = False
        self._messages: dict[int, str] = {}
        self.last = 0
        """The number of the last message."""
        self._changed = asyncio.Event()

    async def put(self, message: str) -> None:
        """Take a message; with "wait", when there is room."""
        while self.when_full == "wait" and len(self._messages) >= self.limit:
            await self._change()
        self.last += 1
        if self.when_full == "drop newest" and len(self._messages) >= self.limit:
            self.dropped += 1
            return
        self._messages[self.last] = message
        if len(self._messages) > self.limit:
            del self._messages[min(self._messages)]
            self.dropped += 1
        self._wake()

    def close(self) -> None:
        """Say that no more messages come."""
        self.closed = True
        self._wake()

    def acknowledge(self, number: int) -> None:
        """Forget every message up to this number."""
        self._messages = {each: text for each, text in self._messages.items() if each > number}
        self._wake()

    async def after(self, number: int) -> AsyncIterator[tuple[int, str]]:
        """Yield number and text of each message above `number` in order, and wait for more; end when it is closed."""
        while True:
            later = min((each for each in self._messages if each > number), default=None)
            if later is not None:
                number = later
                yield later, self._messages[later]
            elif self.closed:
                return
            else:
                await self._change()

    @property
    def done(self) -> bool:
        """Whether no more messages come and every one is acknowledged."""
        return self.closed and not self._messages

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[str]:
        """Return an iterator over what is not acknowledged, oldest first."""
        return iter(tuple(self._messages.values()))

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _change(self) -> None:
        await self._changed.wait()
