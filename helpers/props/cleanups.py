"""What the handlers of lesson 05 clean up with, in memory: an audit, a desk.

Where time is virtual, what takes seconds takes them, and some things never end; on real servers all of it is quick.
`App` mounts a handler, and cancels it more than once if its client asks for that.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio.lowlevel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hangup.explorer.awaits import CountedAwaits
from hangup.record.current import in_session
from hangup.record.recorder import Message, Receive, Scope, Send, Session, current, note
from hangup.time.virtual import VirtualLoop, time_is_virtual

AGAIN = "cancel me twice"
"""Once a client has said this, a handler that is cancelled is cancelled again at its next await."""
LATER = "cancel me later, too"
"""Once a client has said this, a handler that is cancelled is cancelled again after each of PAUSES, while it runs."""
PAUSES = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 3.95)  # seconds
_SHORT = tuple(step * 0.032 for step in range(1, 121))
OFTEN = "cancel me all the time"
"""The same, 120 times in the seconds that a write may take."""
SLOW = "write slowly"
"""Once a client has said this, a write takes LONGEST seconds."""
FULL, LOCKED, CUT = "let the write fail", "let the write time out", "cut the write off"
"""Once a client has said this, a write raises one of FAILURES."""
LONGEST = 4.0
BRISK, CURT, TIGHT = "answer at once", "refuse at once", "answer at the last moment"
"""What a client says so that the desk does so."""
SLOWLY = "close slowly"
"""Once a client has said this, to close the line takes 7 seconds."""
SECONDS = 5.0
"""How long a cleanup may take."""
BLINK = 0.01  # seconds that something takes on a real server

# ---- what the answers run in --------------------------------------------------------------------------------------


class App:
    """An ASGI app of one handler, which gets `given`; what a client says may have it cancelled more than once.

    What was said is in the fact "said", and when the handler had ended in the fact "over".
    """

    def __init__(self, handler: Callable[[WebSocket], Awaitable[None]], given: Any, lifespan: Any = None) -> None:
        self.given = given
        self.app = Starlette(routes=[WebSocketRoute("/", handler)], lifespan=lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app for one scope, with an ear to what its client says."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        said: list[Any] = []
        timers: list[asyncio.TimerHandle] = []
        if (session := current()) is not None:
            session.facts["said"] = said

        async def heard() -> Message:
            message = await receive()
            said.append(message.get("text"))
            return message

        def again() -> None:
            if AGAIN in said and not counted.cancel_at:
                counted.cancel_at = counted.awaits + 1
            if not timers and time_is_virtual():
                pauses = PAUSES if LATER in said else _SHORT if OFTEN in said else ()
                timers.extend(loop.call_later(pause, once_more) for pause in pauses)

        def once_more() -> None:
            with in_session(session):
                note("is cancelled again")
            if task is not None:
                task.cancel()

        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        call = self._timed(scope, heard, send)
        counted = CountedAwaits(call, 0, on_cancel=lambda: note("is cancelled again"), on_thrown=again)
        try:
            await counted
        finally:
            for timer in timers:
                timer.cancel()

    async def _timed(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            if (session := current()) is not None:
                session.facts["over"] = now() - lateness()


async def takes(seconds: float | None) -> None:
    """Wait so long, or for ever if it is None; on a real server for a blink."""
    if not time_is_virtual():
        await asyncio.sleep(BLINK)
    elif seconds is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(seconds)


def now() -> float:
    """Return the time of this loop."""
    return asyncio.get_running_loop().time()


def lateness() -> float:
    """Return by how many seconds what ends now may be late, where it is an answer that looks again and again."""
    loop = asyncio.get_running_loop()
    return max(loop.late, loop.grain) if isinstance(loop, VirtualLoop) and not loop.real else 0.0


def was_said() -> list[Any]:
    """Return what the client of this session has said so far."""
    session = current()
    return [] if session is None else session.facts.get("said", [])


# ---- what they clean up with ------------------------------------------------------------------------------------


class Full(Exception):
    """There is no room for a row in the audit."""


FAILURES: dict[str, type[Exception]] = {FULL: Full, LOCKED: TimeoutError, CUT: ConnectionResetError}
"""What a write raises once a client has said this."""


class Audit:
    """A table in memory. `await write(count)` takes three steps, as a database does, and keeps the row at the second.

    Cancelled at its first step, a write has done nothing; at its last, the row is kept and nobody says so. `begun` are
    the sessions in which a write has begun, `failed` those in which it failed, with what it raised; `ended` says when
    their last one had ended.
    """

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.writers: list[Session | None] = []
        self.begun: list[Session | None] = []
        self.failed: dict[Session | None, Exception] = {}
        self.ended: dict[Session | None, float] = {}

    async def write(self, count: int) -> None:
        """Keep a row that says how many messages came on a connection. Raises one of FAILURES if its client says so."""
        said, session = was_said(), current()
        self.begun.append(session)
        note(f"write({count}) begins")
        try:
            await anyio.lowlevel.checkpoint()
            await takes(LONGEST if SLOW in said else BLINK)
            for text in FAILURES.keys() & {*said}:
                self.failed[session] = FAILURES[text]("no room for a row")
                note("the write fails")
                raise self.failed[session]
            self.rows.append(count)
            self.writers.append(current())
            note("the row is kept")
            await anyio.lowlevel.checkpoint()
        finally:
            self.ended[session] = now()

    def of(self, session: Session) -> list[int]:
        """Return the rows that were written in a session."""
        return [row for row, writer in zip(self.rows, self.writers, strict=True) if writer is session]


class Desk:
    """Takes a report, never answers some, refuses others; holds a line that must be given back."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self.calls: dict[Session | None, list[Call]] = {}
        self.hurried: set[Session | None] = set()
        self.closings: dict[Session | None, list[Call]] = {}

    async def report(self, count: int) -> None:
        """Tell the desk how many messages came: up to one, it answers after 2 seconds; two, never; more, it refuses.

        A refusal is a ConnectionError. Its client may have said that it does something else.
        """
        said, session = was_said(), current()
        call = Call(count, now(), self.seconds(session))
        self.calls.setdefault(current(), []).append(call)
        note(f"report({count}) begins")
        try:
            if TIGHT in said:
                await takes(call.allowed - 0.1)
            elif not {BRISK, CURT} & {*said}:
                await takes(None if count == 2 else 2)
            refuses = CURT in said or (count > 2 and not {BRISK, TIGHT} & {*said})
            call.how = "refused" if refuses else "answered"
            if refuses:
                raise ConnectionError("the desk takes no more than two")
        except asyncio.CancelledError:
            call.deserted = session is not None and session.finished.is_set()
            try:
                for _ in range(3):  # to hang up takes a moment
                    await asyncio.sleep(0)
            finally:
                call.how = "cancelled"
            raise
        finally:
            call.ended, call.lateness = now(), lateness()
            after = f" after {call.lasted:.0f} seconds" if call.how == "cancelled" else ""
            note(f"report({count}) is {call.how}{after}")

    def seconds(self, session: Session | None) -> float:
        """Return how many seconds a report has in a session: client b's has less than client a's."""
        return self._seconds if session is None or session.letter == "a" else self._seconds / 2

    async def close(self) -> None:
        """Give the line back; it takes two steps, and is done after the second."""
        call, session = Call(0, now(), 0), current()
        call.lateness = lateness()
        self.closings.setdefault(session, []).append(call)
        if any(each.how == "still on its way" for each in self.calls.get(session, [])):
            self.hurried.add(session)
        await anyio.lowlevel.checkpoint()
        await takes(7 if SLOWLY in was_said() else BLINK)
        call.how, call.ended = "answered", now()
        note("the line is closed")


class Call:
    """A report, or a closing: when it began and ended, and how."""

    def __init__(self, count: int, began: float, allowed: float) -> None:
        self.count = count
        self.allowed = allowed  # seconds
        self.began = self.ended = began
        self.how = "still on its way"
        self.deserted = False  # cancelled when its handler had ended
        self.lateness = 0.0  # of what ends it

    @property
    def lasted(self) -> float:
        """Seconds that it took."""
        return self.ended - self.began
