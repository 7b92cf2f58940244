"""The chat service under observation: what it has told, and what it leaves in its database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from json import loads
from typing import Any

from fastapi import FastAPI

from hangup.record.recorder import Message, Receive, Scope, Send, Session, current
from helpers import lessons
from helpers.props.chat_service import SLOW, Service

NAME = "your-own-app"
LESSON = next(path.stem for path in lessons.sources() if path.stem.partition("-")[2] == NAME)
"""By its name: it stays the last when others come before it."""


class Watched(Service):
    """Mixed in before a service: it looks into the database before that is closed.

    `said` are the rows of what was said, `people` each name's count and when it was last seen, `open` tells whether a
    transaction was open, `ran` whether the job has run, `over` whether the service has shut down by itself.
    """

    said: list[tuple[str, str]]
    people: dict[str, tuple[int, float]]
    open = ran = over = False

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Start the service, and look at what it has written when it stops."""
        async with super().lifespan(app):
            yield
            self.ran, self.open = self.tidying > 0, self.db.in_transaction
            self.said = [tuple(row) for row in await self.db.execute_fetchall("SELECT name, text FROM said")]
            people = await self.db.execute_fetchall("SELECT name, said, seen FROM people")
            self.people = {name: (said, seen) for name, said, seen in people}
        self.over = True


class Observed:
    """An ASGI app around a service, which takes note of what members are told.

    Each message to the client `slow` takes a quarter of the seconds after which it may miss something.
    """

    def __init__(self, answer: Any, *, slow: str = "") -> None:
        self.slow = slow
        self.service = type(answer.__name__, (Watched, answer), {})()
        self.app = self.service.app()
        self.state = self.app.state
        self.told: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app."""
        await self.app(scope, receive, self._noting(send) if scope["type"] == "websocket" else send)

    def _noting(self, send: Send) -> Send:
        session = current()
        slow = session is not None and session.letter == self.slow

        async def tell(message: Message) -> None:
            if slow and message["type"] == "websocket.send":
                await asyncio.sleep(SLOW / 4)
            await send(message)
            with suppress(TypeError, KeyError, ValueError):
                said = loads(message["text"])
                self.told.add((said["from"], said["text"]))

        return tell


def observe(app: Any, session: Session) -> None:
    """Add what an Observed app has left behind to the facts of client a's session."""
    if session.letter == "a":
        session.facts |= {"service": app.service, "told": app.told}
