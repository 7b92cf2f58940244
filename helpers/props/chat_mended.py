"""The chat service mended: its eight functions once more, without their faults, and variants with one fault each."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import Cookie, FastAPI, WebSocket, WebSocketDisconnect

from helpers.props.chat_service import SCHEMA, SLOW, Member, Service, who


class Mended(Service):
    """The service, with nothing left behind, whoever leaves, and whenever."""

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Open the database, start the job, and end it before the database is closed."""
        async with self.database() as self.db:
            await self.db.executescript(SCHEMA)
            job = asyncio.create_task(self.tidy())
            try:
                yield
            finally:
                job.cancel()
                await asyncio.wait([job])

    async def chat(self, websocket: WebSocket, room: str, session: str = Cookie("")) -> None:
        """Serve one member for as long as it is there."""
        name = who(session)
        if name is None:
            await websocket.close(1008)
            return
        await websocket.accept()
        member = Member(name, room, websocket)
        self.rooms[room].append(member)
        try:
            while True:
                await self.answer(member, await self.hear(member))
        except WebSocketDisconnect:
            pass
        finally:
            await self.leave(member)

    async def hear(self, member: Member) -> dict[str, Any]:
        """Return a member's next message; what cannot be read is an empty one."""
        try:
            message = await member.websocket.receive_json()
        except (ValueError, KeyError, TypeError):  # no JSON, or no text
            return {}
        except RuntimeError:  # somebody's send to it has failed, so Starlette refuses to read
            raise WebSocketDisconnect(1006) from None
        return message if isinstance(message, dict) else {}

    async def save(self, member: Member, text: str) -> None:
        """Write down what was said, and count it: both or neither."""
        async with self.writing:
            try:
                await self.db.execute("BEGIN")
                row = (member.room, member.name, text, time.time())
                await self.db.execute("INSERT INTO said VALUES (?, ?, ?, ?)", row)
                await self.db.execute("UPDATE people SET said = said + 1 WHERE name = ?", (member.name,))
                await self.db.execute("COMMIT")
            except BaseException:
                await self.db.rollback()
                raise

    async def say(self, room: str, message: dict[str, Any]) -> None:
        """Tell everybody in a room; who is gone is passed over."""
        for member in list(self.rooms[room]):
            with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
                await self.tell(member, message)

    async def tell(self, member: Member, message: dict[str, Any]) -> None:
        """Tell one member, and wait for it a second at most."""
        async with asyncio.timeout(SLOW):
            await member.websocket.send_json(message)

    async def leave(self, member: Member) -> None:
        """Let a member go, and write down when it was last seen."""
        self.forget(member)
        await self.db.execute("UPDATE people SET seen = ? WHERE name = ?", (time.time(), member.name))

    def forget(self, member: Member) -> None:
        """Take this member out of its room, and nobody else."""
        self.rooms[member.room].remove(member)


FAULTS = {
    "tunnel": "chat",
    "log": "hear",
    "mute": "save",
    "thrown out": "say",
    "frozen": "tell",
    "deploy": "leave",
    "deaf": "forget",
    "jobs": "lifespan",
}
"""For each of helpers.props.chat.ISSUES the method in which its fault is."""


def only(issue: str) -> type[Service]:
    """Return the mended service with one fault in it again."""
    method = FAULTS[issue]
    return type("Service", (Mended,), {method: vars(Service)[method]})
