"""A server that forgets: a Book that hears readings, and loses at a restart what it has not acknowledged."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextvars import Context
from typing import Any

from websockets.asyncio.server import ServerConnection

from hangup.record.recorder import Session, current
from hangup.time.loopback import now
from hangup.trace.events import Event
from helpers.exercises.the_client_that_comes_back.servers import CLIENTS, Book
from helpers.props.outbox import Outbox


class Archive(Book):
    """A Book that forgets at a restart what it has not acknowledged, and minds no gaps: an outbox may drop messages.

    A reading a second is put into the outbox, `count` in all, and `later` seconds after the last one it is closed. With
    `stop_at` more might come, but none does: the client is told to stop then.
    """

    def __init__(
        self,
        count: int = 4,
        *,
        stop_at: float | None = None,
        texts: Sequence[str] = (),
        later: float = 0,
        **script: Any,
    ) -> None:
        super().__init__(count, **script)
        self.due = [*texts, *(f"reading {number + 1}" for number in range(count))]
        self.later = later
        self.needs = len(self.due) + later
        self.stop_at = stop_at
        self.beyond = 0  # it would forget them
        self.outbox = Outbox(1_000)
        self.stop = asyncio.Event()
        self.closed_at: float | None = None
        self._numbers: list[int] = []

    async def serve(self, websocket: ServerConnection) -> None:
        """Forget what was not acknowledged, then go on as a Book."""
        kept = self._kept
        del self.book[kept:], self._numbers[kept:]
        await super().serve(websocket)

    @property
    def have(self) -> int:
        """The number of the last message that it has."""
        return self._numbers[-1] if self._numbers else 0

    @property
    def gone(self) -> list[str]:
        """The readings that are neither acknowledged nor in the outbox."""
        kept = Counter([*self.book[: self._kept], *self.outbox])
        return list((Counter(self.due[: self.outbox.last]) - kept).elements())

    @property
    def _kept(self) -> int:
        return sum(number <= self.acknowledged for number in self._numbers)

    @property
    def remains(self) -> str:
        """What the outbox holds, if anything."""
        if not len(self.outbox):
            return ""
        return f"; the outbox still holds {len(self.outbox)}, the server said that it has {self.acknowledged}"

    async def take(self, websocket: ServerConnection, number: int, payment: str) -> None:
        """Write a reading down, if it is new."""
        if number <= self.have:
            self.repeated += 1
        else:
            self.book.append(payment)
            self._numbers.append(number)

    async def call(self, answer: Any, url: str) -> Any:
        """Give the answer its outbox, and readings to the outbox."""
        reading = asyncio.get_running_loop().create_task(self._read(current()), context=Context())
        try:
            return await answer(url, self.outbox, self.stop)
        finally:
            reading.cancel()

    async def _read(self, session: Session | None) -> None:
        for text in self.due:
            await asyncio.sleep(1)
            await self.outbox.put(text)
        if self.stop_at is None:
            await asyncio.sleep(self.later)
            self.outbox.close()
            self.closed_at = now()
            return
        await asyncio.sleep(self.stop_at - now())
        if session is not None:
            session.record(Event(session.app, "note", "is told to stop"))
        self.stopped_at = now()
        self.stop.set()


class CrowdOfMeters(Archive):
    """An Archive with many clients, all lost with 1012 in the same moment; when they come back it has what they have.

    Each has an outbox that holds one reading, and is closed.
    """

    async def serve(self, websocket: ServerConnection) -> None:
        """Greet, and lose all; later, say that all is done."""
        done = self.all_lost is not None
        await websocket.send(f"have {int(done)}")
        if not await self.lose_all(websocket):
            await websocket.wait_closed()

    async def call(self, answer: Any, url: str) -> Any:
        """Run the clients."""
        self.book[:], self.acknowledged = self.due, len(self.due)
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                outbox = Outbox(1)
                await outbox.put("reading 1")
                outbox.close()
                group.create_task(answer(url, outbox, asyncio.Event()), context=Context())
