"""A chat service as people have them: a login, rooms, who is there, what was said in SQLite, and a job that tidies up.

It works. Eight of its functions have a fault each, which nobody sees until somebody leaves.

    app = Service().app()          # a FastAPI app; uvicorn and the others serve it

    POST /login {"name": "ann"}    gives a cookie that says who you are
    GET  /rooms/{room}             who is there, and what was said
    WS   /rooms/{room}             {"do": "say", "text": "hi"} is told to everybody in the room,
                                   {"do": "who"} is answered with who is there
"""

import asyncio
import hashlib
import hmac
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Cookie, FastAPI, HTTPException, Response, WebSocket, WebSocketDisconnect
from pydantic import BaseModel

if TYPE_CHECKING:
    import aiosqlite

KEY = b"change me, and keep me to yourself"
HOUR = 3600.0
SLOW = 1.0
"""Seconds after which a member who does not read has missed what was said."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS said (room TEXT, name TEXT, text TEXT, at REAL);
CREATE TABLE IF NOT EXISTS people (name TEXT PRIMARY KEY, said INTEGER DEFAULT 0, seen REAL DEFAULT 0);
"""


class Login(BaseModel):
    """What is posted to /login."""

    name: str


@dataclass(eq=False)
class Member:
    """One connection in a room; somebody who has two tabs open is two members."""

    name: str
    room: str
    websocket: WebSocket


class Service:
    """The chat service; `path` is where its database is. An object serves one app."""

    db: "aiosqlite.Connection"

    def __init__(self, path: str = ":memory:") -> None:
        self.path = path
        self.rooms: dict[str, list[Member]] = defaultdict(list)
        self.turn = asyncio.Lock()
        self.writing = asyncio.Lock()
        self.tidying = 0

    def app(self) -> FastAPI:
        """Return the app. `app.state.service` is this object."""
        app = FastAPI(lifespan=self.lifespan, openapi_url=None)
        app.state.service = self
        app.add_api_route("/login", self.login, methods=["POST"])
        app.add_api_route("/rooms/{room}", self.look, methods=["GET"])
        app.add_api_websocket_route("/rooms/{room}", self.chat)
        return app

    def database(self) -> "aiosqlite.Connection":
        """Return a connection to the database, which is yet to be opened."""
        import aiosqlite  # when the app starts: who imports this module need not wait for it

        return aiosqlite.connect(self.path, isolation_level=None)

    # ---- the app's life ----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Open the database, and start the job that tidies it."""
        async with self.database() as self.db:
            await self.db.executescript(SCHEMA)
            self.job = asyncio.create_task(self.tidy())
            yield

    async def tidy(self) -> None:
        """Forget, every hour, what was said more than a day ago; `tidying` says how many such jobs run."""
        self.tidying += 1
        try:
            while True:
                await asyncio.sleep(HOUR)
                await self.db.execute("DELETE FROM said WHERE at < ?", (time.time() - 24 * HOUR,))
        finally:
            self.tidying -= 1

    # ---- HTTP --------------------------------------------------------------------------------------------------

    async def login(self, who: Login, response: Response) -> dict[str, str]:
        """Take anybody at their word, and say so in a cookie that cannot be forged."""
        await self.db.execute("INSERT OR IGNORE INTO people (name) VALUES (?)", (who.name,))
        response.set_cookie("session", f"{who.name}.{signed(who.name)}", httponly=True)
        return {"name": who.name}

    async def look(self, room: str, session: str = Cookie("")) -> dict[str, Any]:
        """Return who is in a room and what was said there."""
        if who(session) is None:
            raise HTTPException(401)
        said = await self.db.execute_fetchall("SELECT name, text FROM said WHERE room = ? ORDER BY rowid", (room,))
        return {"here": self.here(room), "said": [{"from": name, "text": text} for name, text in said]}

    # ---- the WebSocket -----------------------------------------------------------------------------------------

    async def chat(self, websocket: WebSocket, room: str, session: str = Cookie("")) -> None:
        """Serve one member for as long as it is there."""
        name = who(session)
        if name is None:
            await websocket.close(1008)
            return
        await websocket.accept()
        member = Member(name, room, websocket)
        self.rooms[room].append(member)
        code = 1000
        try:
            while True:
                await self.answer(member, await self.hear(member))
        except WebSocketDisconnect as end:
            code = end.code
        finally:
            if code != 1006:  # a network that blinks: it will be back in a second, so it keeps its place
                await self.leave(member)

    async def answer(self, member: Member, message: dict[str, Any]) -> None:
        """Do what a member asks for."""
        if message.get("do") == "say":
            text = str(message.get("text", ""))
            await self.save(member, text)
            await self.say(member.room, {"from": member.name, "text": text})
        elif message.get("do") == "who":
            await self.tell(member, {"here": self.here(member.room)})

    async def hear(self, member: Member) -> dict[str, Any]:
        """Return a member's next message; what cannot be read is passed over."""
        try:
            message = await member.websocket.receive_json()
        except Exception:  # this is no JSON, the next one may be
            message = await member.websocket.receive_json()
        return message if isinstance(message, dict) else {}

    async def save(self, member: Member, text: str) -> None:
        """Write down what was said, and count it: both or neither."""
        async with self.writing:
            await self.db.execute("BEGIN")
            row = (member.room, member.name, text, time.time())
            await self.db.execute("INSERT INTO said VALUES (?, ?, ?, ?)", row)
            await self.db.execute("UPDATE people SET said = said + 1 WHERE name = ?", (member.name,))
            await self.db.execute("COMMIT")

    async def say(self, room: str, message: dict[str, Any]) -> None:
        """Tell everybody in a room."""
        for member in list(self.rooms[room]):
            await self.tell(member, message)

    async def tell(self, member: Member, message: dict[str, Any]) -> None:
        """Tell one member; one at a time, lest two messages mix."""
        async with self.turn:
            await member.websocket.send_json(message)

    async def leave(self, member: Member) -> None:
        """Write down when a member was last seen, and let it go."""
        await self.db.execute("UPDATE people SET seen = ? WHERE name = ?", (time.time(), member.name))
        self.forget(member)

    def forget(self, member: Member) -> None:
        """Take a member out of its room."""
        self.rooms[member.room] = [each for each in self.rooms[member.room] if each.name != member.name]

    def here(self, room: str) -> list[str]:
        """Return the names of who is in a room, each once."""
        return sorted({each.name for each in self.rooms[room]})


def signed(name: str) -> str:
    """Return a signature of a name, which only this service can write."""
    return hmac.new(KEY, name.encode(), hashlib.sha256).hexdigest()[:32]


def who(session: str) -> str | None:
    """Return the name in a session's cookie, or None if this service has not written it."""
    name, _, signature = session.rpartition(".")
    return name if name and hmac.compare_digest(signature.encode(), signed(name).encode()) else None
