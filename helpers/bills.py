"""A price service and a database of bills, both real and in this process: what handlers of lesson 05 clean up with.

The service is an HTTP app on a port of its own; it answers while its `door` is open, so that a cleanup lasts as long as
a lesson wants it to. The database is SQLite in a file that is deleted at the end.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
import httpx
from fastapi import FastAPI

from helpers.recorder import note
from helpers.servers import serve

PRICE = 2  # cents for a message


class Bills:
    """Bills in a database; `door` lets the price service answer."""

    def __init__(self, http: httpx.AsyncClient, database: aiosqlite.Connection, door: asyncio.Event) -> None:
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


def _service(door: asyncio.Event) -> FastAPI:
    app = FastAPI()

    @app.get("/price")
    async def price() -> int:
        await door.wait()
        return PRICE

    return app
