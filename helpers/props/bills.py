"""A price service and a database of bills, both real and in this process: what handlers of lesson 05 clean up with.

The service is an HTTP app on a port of its own; it answers while its `door` is open, so that a cleanup lasts as long as
a lesson wants it to. The database is SQLite in a file that is deleted at the end.
`left`, `under_test` and `stopped` are three ends of a session with such a handler; `after_a_failure` is what comes
after one whose bill failed.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from websockets.exceptions import InvalidStatus

from hangup.network.client import connect
from hangup.record.recorder import ASGIApp, Message, Receive, Recorder, Scope, Send, note
from hangup.servers.serve import serve
from hangup.trace.trace import Trace

if TYPE_CHECKING:
    import aiosqlite
    import httpx

PRICE = 2  # cents for a message


class Bills:
    """Bills in a database; `door` lets the price service answer."""

    def __init__(self, http: "httpx.AsyncClient", database: "aiosqlite.Connection", door: asyncio.Event) -> None:
        self.http = http
        self.database = database
        self.door = door

    async def write(self, count: int) -> None:
        """Ask the service for the price, then write a bill for so many messages."""
        price = (await self.http.get("/price")).json()
        await self.database.execute("INSERT INTO bills VALUES (?)", [count * price])
        await self.database.commit()
        note("bill written")

    async def rows(self) -> list[int]:
        """Return the cents of every bill."""
        return [row[0] for row in await self.database.execute_fetchall("SELECT cents FROM bills")]


@asynccontextmanager
async def billing() -> AsyncIterator[Bills]:
    """Run service and database while the block runs; yield empty Bills, their door closed."""
    import aiosqlite
    import httpx

    door = asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            serve(_service(door), graceful_timeout=0.1) as url,
            httpx.AsyncClient(base_url=url.replace("ws:", "http:"), trust_env=False) as http,
            aiosqlite.connect(Path(folder) / "bills.db") as database,
        ):
            await database.execute("CREATE TABLE bills (cents)")
            try:
                yield Bills(http, database, door)
            finally:
                door.set()


Make = Callable[[Bills], ASGIApp]
"""Returns an app that writes its bills into these Bills."""


async def left(make: Make, trace: Trace) -> list[int]:
    """Let a client of uvicorn say hello and leave, and only then the service answer; return the cents of each bill."""
    async with billing() as bills:
        async with serve(make(bills), trace=trace) as url, connect(url) as client:
            await client.send("hello")
            await client.recv()
            await client.close(1001)
            bills.door.set()
        return await bills.rows()


async def under_test(test: Callable[[ASGIApp], None], make: Make, trace: Trace) -> list[int]:
    """Run `test(app)` in a thread, and let the service answer when it is over; return the cents of each bill.

    Not earlier: the test has a loop of its own, and a database that answers to a loop that is closed answers no more.
    """
    async with billing() as bills:
        with ThreadPoolExecutor() as pool:
            await asyncio.wrap_future(pool.submit(test, Recorder(make(bills), trace)))
        bills.door.set()
        return await bills.rows()


async def stopped(make: Make, server: str, trace: Trace | None = None) -> tuple[str, str]:
    """Stop a server, which gives its apps 0.1 seconds, after a client's hello; say what became of handler and bill.

    The service answers as soon as the app is told `lifespan.shutdown`.
    """
    async with billing() as bills:
        app = _opens_at_shutdown(make(bills), bills.door)
        async with serve(app, server=server, graceful_timeout=0.1, trace=trace) as url:
            client = await connect(url)
            await client.send("hello")
            await client.recv()
        await client.close()
        told = "disconnect" if url.sessions[0].codes else "–"
        return told, "✓ written" if await bills.rows() else "✗ no bill"


async def after_a_failure(make: Make) -> str:
    """Let a client of uvicorn leave a bill that raises; say how the server receives the next client."""
    async with billing() as bills:
        await bills.http.aclose()  # a closed HTTP client raises whatever it is asked
        async with serve(make(bills), graceful_timeout=0.1) as url:
            async with connect(url) as client:
                await client.send("hello")
                await client.recv()
            await url.sessions[0].finished.wait()
            for _ in range(20):  # turns of the loop: the bill fails, and whatever follows from it
                await asyncio.sleep(0)
            try:
                async with connect(url) as client:
                    await client.send("hello")
                    await client.recv()
            except InvalidStatus as error:
                return f"✗ refused: HTTP {error.response.status_code}"
        return "✓ served"


def _opens_at_shutdown(app: ASGIApp, door: asyncio.Event) -> ASGIApp:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        async def heard() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                door.set()
            return message

        await app(scope, heard, send)

    return call


def _service(door: asyncio.Event) -> FastAPI:
    app = FastAPI()

    @app.get("/price")
    async def price() -> int:
        await door.wait()
        return PRICE

    return app
