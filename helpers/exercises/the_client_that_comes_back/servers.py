"""Scripted servers for clients that come back; each keeps book of what rules look at, and is made for one session.

A `Feed` tells news, a `Crowd` tells many clients, a `Book` acknowledges payments; an `Archive` is in `archive`.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextvars import Context
from typing import Any

import websockets
from websockets.asyncio.server import ServerConnection, serve

from hangup.time.loopback import now
from helpers.judging.client_exercise import noting_who_was_asked
from helpers.judging.values import texts

REFUSALS = 12
CLIENTS = 14  # so many are lost together: the pauses of one generator for all have grown long by the last of them
HOST, MOST = "127.0.0.1", 3 * REFUSALS  # connections after which a server plays no further
FOREVER = 7_200.0  # virtual seconds, which is longer than a session lives
LATE = 0.1  # virtual seconds after which a ledger acknowledges what it has
NEWS = ("it rains", "it pours", "the river rises", "the sun is back")
STRANGE = texts()
_quiet = logging.getLogger("helpers.exercises.the_client_that_comes_back")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class Scripted:
    """A websockets handler that keeps book; `give` calls the answer. `came` has the seconds at which it was reached.

    So many clients as `thrown_out` says are closed with `code` before any work; with `for_good` it closes with that
    code in the midst of its work; with `closes`, with that code whenever a little is done. For `absent` seconds nobody
    listens at its port.
    """

    due: Sequence[str] = ()
    """What should be in the `book` in the end."""
    book: list[str]
    needs = 0.0
    """Virtual seconds that its work takes at least."""
    repeated = 0
    """How many messages came that it had already."""

    def __init__(
        self,
        *,
        for_good: int | None = None,
        thrown_out: int = 0,
        code: int = 1011,
        closes: int | None = None,
        absent: float = 0,
    ) -> None:
        self.for_good, self.thrown_out, self.code, self.closes, self.absent = for_good, thrown_out, code, closes, absent
        self.book = []
        self.all_lost: float | None = None
        """When it lost all clients in the same moment."""
        self._crowd: list[ServerConnection] = []
        self.came: list[float] = []
        self.lost_at: float | None = None
        self.away: list[float] = []
        """For how many seconds a client stayed away after each connection that `lose` ended."""
        self.ended_at: float | None = None
        self.stopped_at: float | None = None

    async def __call__(self, websocket: ServerConnection) -> None:
        """Serve one connection."""
        self.came.append(now())
        if self.lost_at is not None:
            self.away.append(now() - self.lost_at)
            self.lost_at = None
        if len(self.came) > MOST:
            await asyncio.sleep(FOREVER)  # enough is known of this client
        if len(self.came) <= self.thrown_out:
            await self.throw_out(websocket)
        await self.serve(websocket)

    async def serve(self, websocket: ServerConnection) -> None:
        """Serve one connection, the last of `came`."""
        raise NotImplementedError

    @property
    def remains(self) -> str:
        """What a client that waits in vain still has to do, in words."""
        return ""

    async def throw_out(self, websocket: ServerConnection) -> None:
        """Close before any work."""
        await websocket.close(self.code)

    async def lose(self, websocket: ServerConnection, code: int) -> None:
        """Close with this code, for which 1005 means a close frame without one, and expect the client back."""
        self.lost_at = now()
        if code == 1005:
            async with websocket.send_context():
                websocket.protocol.send_close()
        else:
            await websocket.close(code)

    async def give(self, answer: Any, url: str) -> Any:
        """Call the answer with what it takes."""
        try:
            async with self._port(url) as port:
                with noting_who_was_asked():
                    return await self.call(answer, port)
        finally:
            self.ended_at = now()

    @contextlib.asynccontextmanager
    async def _port(self, url: str) -> AsyncIterator[str]:
        """Yield where the server is reached: a port of its own if nobody listens there at first."""
        if not self.absent:
            yield url
            return
        with socket.socket() as sock:
            sock.bind((HOST, 0))
            opening = asyncio.get_running_loop().create_task(self._open(sock), context=Context())
            try:
                yield f"ws://{HOST}:{sock.getsockname()[1]}"
            finally:
                opening.cancel()
                await asyncio.wait([opening])

    async def _open(self, sock: socket.socket) -> None:
        await asyncio.sleep(self.absent)
        async with serve(self, sock=sock, compression=None, ping_interval=None, close_timeout=1, logger=_quiet):
            await asyncio.sleep(FOREVER)

    async def lose_all(self, websocket: ServerConnection) -> bool:
        """With many clients, close each with 1012 when all are there, and return whether it has done so."""
        if self.all_lost is not None:
            return False
        self._crowd.append(websocket)
        if len(self._crowd) == CLIENTS:
            self.all_lost = now()
            await asyncio.gather(*(each.close(1012) for each in self._crowd))
        await websocket.wait_closed()
        return True

    def call(self, answer: Any, url: str) -> Awaitable[Any]:
        """Return the answer's coroutine."""
        raise NotImplementedError


class Feed(Scripted):
    """Tells the news, one a second, from where the client says, and closes with 1000 when there are no more.

    With `for_good` it closes after two of them; with `closes`, after each new one.
    """

    def __init__(self, news: Sequence[str] = NEWS, **script: Any) -> None:
        super().__init__(**script)
        self.due = news
        self.told = 0
        self.needs = float(len(news))

    async def serve(self, websocket: ServerConnection) -> None:
        """Hear `after 2`, tell from the third on."""
        word, _, number = str(await websocket.recv()).partition(" ")
        if word != "after" or not number.isdigit():
            await websocket.close(4000, "say after 0, or another number")
        for place, news in enumerate(self.due[int(number) :], int(number) + 1):
            await asyncio.sleep(1)
            await websocket.send(news)
            if self.for_good and place == 2:
                await websocket.close(self.for_good)
            new, self.told = place > self.told, max(place, self.told)
            if self.closes and new:
                await self.lose(websocket, self.closes)

    def call(self, answer: Any, url: str) -> Awaitable[Any]:
        """Give the answer its inbox, which is the book."""
        return answer(url, self.book)  # type: ignore[no-any-return]  # any awaitable will do


class Crowd(Feed):
    """Has many clients, and loses all with 1012 in the same moment, when all are there."""

    async def serve(self, websocket: ServerConnection) -> None:
        """Lose all; later, serve."""
        if not await self.lose_all(websocket):
            await super().serve(websocket)

    async def call(self, answer: Any, url: str) -> Any:
        """Run the clients."""
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(answer(url, [] if number else self.book), context=Context())


class Book(Scripted):
    """Says `have 2` on each connection, hears `3 text`, and says `ack 3` for all that it has, a little later.

    With `for_good` it closes when it has two; with `closes`, when it has acknowledged one, and has `beyond` that are
    not. Whom it throws out has heard `have 0`.
    """

    beyond = 1

    def __init__(self, count: int = 4, *, texts: Sequence[str] = (), **script: Any) -> None:
        super().__init__(**script)
        self.due = [*texts, *(f"payment {number + 1}" for number in range(count))]
        self.acknowledged = 0

    async def serve(self, websocket: ServerConnection) -> None:
        """Write down what is next, in order; close with 4002 at a gap."""
        heard = asyncio.Event()
        await self._say(websocket, "have")
        if self.closes:
            await self._serve_briefly(websocket, self.closes)
            return
        acknowledging = asyncio.create_task(self._acknowledge(websocket, heard))
        try:
            async for text in websocket:
                number, _, payment = str(text).partition(" ")
                if not number.isdigit() or number == "0":
                    await websocket.close(4000, "say a number from 1, a space and the payment")
                await self.take(websocket, int(number), payment)
                heard.set()
                if self.for_good and len(self.book) == 2:
                    await websocket.close(self.for_good)
        finally:
            acknowledging.cancel()

    async def _serve_briefly(self, websocket: ServerConnection, code: int) -> None:
        """Take one message and acknowledge it, take a few more, and close."""
        with contextlib.suppress(websockets.ConnectionClosed):
            for place in range(1 + self.beyond):
                number, _, payment = str(await websocket.recv()).partition(" ")
                await self.take(websocket, int(number), payment)
                if not place:
                    await asyncio.sleep(LATE)
                    await self._say(websocket, "ack")
            await self.lose(websocket, code)

    async def throw_out(self, websocket: ServerConnection) -> None:
        """Say `have 0`, which is no good news, and close."""
        await self._say(websocket, "have")
        await super().throw_out(websocket)

    @property
    def have(self) -> int:
        """The number of the last message that it has."""
        return len(self.book)

    async def take(self, websocket: ServerConnection, number: int, payment: str) -> None:
        """Write a payment down, if it is the next one."""
        if number <= self.have:
            self.repeated += 1
        elif number == self.have + 1:
            self.book.append(payment)
        else:
            await websocket.close(4002, f"{self.have + 1} is missing")

    async def _acknowledge(self, websocket: ServerConnection, heard: asyncio.Event) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await heard.wait()
                await asyncio.sleep(LATE)
                heard.clear()
                await self._say(websocket, "ack")

    async def _say(self, websocket: ServerConnection, word: str) -> None:
        self.acknowledged = max(self.acknowledged, self.have)
        await websocket.send(f"{word} {self.have}")

    def call(self, answer: Any, url: str) -> Awaitable[Any]:
        """Give the answer its messages."""
        return answer(url, tuple(self.due))  # type: ignore[no-any-return]  # any awaitable will do


class CrowdOfPayers(Book):
    """A Book with many clients, all lost with 1012 in the same moment; when they come back it says that it has all."""

    async def serve(self, websocket: ServerConnection) -> None:
        """Greet, and lose all; later, say that all is done."""
        if self.all_lost is not None:
            self.book[:] = self.due
        await self._say(websocket, "have")
        if not await self.lose_all(websocket):
            await websocket.wait_closed()

    async def take(self, websocket: ServerConnection, number: int, payment: str) -> None:
        """Take none."""

    async def call(self, answer: Any, url: str) -> Any:
        """Run the clients."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(answer(url, tuple(self.due)), context=Context())
