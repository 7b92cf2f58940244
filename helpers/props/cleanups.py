"""What the handlers and registries of lesson 05 clean up with, in memory: an audit, a desk, an office full of work.

Where time is virtual, what takes seconds takes them, and some things never end; on real servers all of it is quick.
`App` mounts a handler, and cancels it twice if its client asks for that.
"""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio.lowlevel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hangup.explorer.awaits import CountedAwaits
from hangup.record.recorder import Message, Receive, Scope, Send, Session, current, note
from hangup.time.virtual import time_is_virtual

AGAIN = "cancel me twice"
"""Once a client has said this, a handler that is cancelled is cancelled again at its next await."""
SECONDS = 5.0
"""How long a cleanup may take."""
BLINK = 0.01  # seconds that something takes on a real server

# ---- what the answers run in --------------------------------------------------------------------------------------


class App:
    """An ASGI app of one handler, which gets `given`; a client that says AGAIN has it cancelled twice, if at all."""

    def __init__(self, handler: Callable[[WebSocket], Awaitable[None]], given: Any, lifespan: Any = None) -> None:
        self.given = given
        self.app = Starlette(routes=[WebSocketRoute("/", handler)], lifespan=lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app for one scope, with an ear to what its client says."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        said: list[Any] = []

        async def heard() -> Message:
            message = await receive()
            said.append(message.get("text"))
            return message

        def again() -> None:
            if AGAIN in said and not counted.cancel_at:
                counted.cancel_at = counted.awaits + 1

        call = self.app(scope, heard, send)
        counted = CountedAwaits(call, 0, on_cancel=lambda: note("is cancelled again"), on_thrown=again)
        await counted


def _time_is_virtual() -> bool:
    return time_is_virtual()


async def _takes(seconds: float | None) -> None:
    """Wait so long, or for ever if it is None; on a real server for a blink."""
    if not _time_is_virtual():
        await asyncio.sleep(BLINK)
    elif seconds is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()


# ---- what they clean up with ------------------------------------------------------------------------------------


class Audit:
    """A table in memory. `await write(count)` takes three steps, as a database does, and keeps the row at the second.

    Cancelled at its first step, a write has done nothing; at its last, the row is kept and nobody says so.
    """

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.writers: list[Session | None] = []

    async def write(self, count: int) -> None:
        """Keep a row that says how many messages came on a connection."""
        note(f"write({count}) begins")
        await anyio.lowlevel.checkpoint()
        await asyncio.sleep(BLINK)
        self.rows.append(count)
        self.writers.append(current())
        note("the row is kept")
        await anyio.lowlevel.checkpoint()

    def of(self, session: Session) -> list[int]:
        """Return the rows that were written in a session."""
        return [row for row, writer in zip(self.rows, self.writers, strict=True) if writer is session]


class Desk:
    """Takes a report, never answers some, refuses others; holds a line that must be given back."""

    def __init__(self) -> None:
        self.calls: dict[Session | None, list[Call]] = {}
        self.closings: dict[Session | None, list[Call]] = {}

    async def report(self, count: int) -> None:
        """Tell the desk how many messages came: up to one, it answers after 2 seconds; two, never; more, it refuses.

        A refusal is a ConnectionError.
        """
        call = Call(count, _now())
        self.calls.setdefault(current(), []).append(call)
        note(f"report({count}) begins")
        try:
            await _takes(None if count == 2 else 2)
            call.how = "refused" if count > 2 else "answered"
            if count > 2:
                raise ConnectionError("the desk takes no more than two")
        except asyncio.CancelledError:
            call.how = "cancelled"
            session = current()
            call.deserted = session is not None and session.finished.is_set()
            raise
        finally:
            call.ended = _now()
            after = f" after {call.lasted:.0f} seconds" if call.how == "cancelled" else ""
            note(f"report({count}) is {call.how}{after}")

    async def close(self) -> None:
        """Give the line back; it takes two steps, and is done after the second."""
        call = Call(0, _now())
        self.closings.setdefault(current(), []).append(call)
        await anyio.lowlevel.checkpoint()
        await asyncio.sleep(BLINK)
        call.how = "answered"
        note("the line is closed")


class Call:
    """A report, or a closing: when it began and ended, and how."""

    def __init__(self, count: int, began: float) -> None:
        self.count = count
        self.began = self.ended = began
        self.how = "still on its way"
        self.deserted = False  # cancelled when its handler had ended

    @property
    def lasted(self) -> float:
        """Seconds that it took."""
        return self.ended - self.began


WORKS: dict[str, float | None] = {"quick": 0, "slow": 3, "follow": 1, "followed": 3, "fails": 0.5, "stuck": None}
"""What a client can ask for, and how many seconds it takes."""


class OutOfInk(Exception):
    """What the work called "fails" raises."""


class Work:
    """Something that the application does after the session: when it began and ended, and how."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.how = "lost"
        self.ended = 0.0
        self.released = False


class Office:
    """Starts works in a registry, and writes down what becomes of them."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.registry: Any = None
        self.works: list[Work] = []
        self.stopping: float | None = None
        self.drained: float | None = None
        self.error: BaseException | None = None
        self.letter: weakref.ref[asyncio.Event] | None = None
        self.first: weakref.ref[asyncio.Task[Any]] | None = None
        self.leaks = self.collected = self.idle = False
        self.left: list[str] = []
        self.virtual = False

    def start(self, name: str) -> None:
        """Let the registry start a work."""
        work = Work(name)
        self.works.append(work)
        coroutine: Any = self.work(work)
        coroutine.__name__ = name  # what a picture calls its task
        self.registry.start(coroutine)

    async def work(self, work: Work) -> None:
        """Do a work, and then take a moment to give back what it has used."""
        try:
            await _takes(WORKS[work.name])
            if work.name == "fails":
                raise OutOfInk("no row from this one")
            if work.name == "follow":
                self.start("followed")
            work.how = "done"
            note(f"{work.name} is done")
        except asyncio.CancelledError:
            work.how = "cancelled"
            raise
        except OutOfInk:
            work.how = "failed"
            raise
        finally:
            work.ended = _now()
            await anyio.lowlevel.checkpoint()
            await asyncio.sleep(BLINK)
            work.released = True

    async def _wait_for_letter(self, work: Work) -> None:
        """Wait for what nobody but this task holds."""
        event = asyncio.Event()
        self.letter = weakref.ref(event)
        work.released = True  # it has nothing to release
        try:
            await event.wait()
            work.how = "done"
        except asyncio.CancelledError:
            work.how = "cancelled"
            raise
        finally:
            work.ended = _now()

    async def _be_first(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.first = weakref.ref(task)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """Make the registry; start two works of the application's own; drain the registry when the server stops."""
        self.virtual = _time_is_virtual()
        gc.freeze()  # what is older need not be searched below
        try:
            self.registry = self.answer()
            letter = Work("letter")
            self.works.append(letter)
            self.registry.start(self._wait_for_letter(letter))
            self.registry.start(self._be_first())
            yield
            await self._stop()
        finally:
            gc.unfreeze()

    async def _stop(self) -> None:
        await anyio.lowlevel.checkpoint()
        gc.collect()
        self.leaks = self.first is not None and self.first() is not None
        event = None if self.letter is None else self.letter()
        self.idle = self.first is None
        self.collected = self.letter is not None and event is None and self.works[0].how == "lost"
        if event is not None:
            event.set()
        await asyncio.sleep(3 * BLINK)  # what is quick is done: there may be nothing left to wait for
        self.stopping = _now()
        try:
            await self.registry.drain(SECONDS)
        except Exception as error:
            self.error = error
        self.drained = _now()
        self.left = [work.name for work in self.works if not work.released]
