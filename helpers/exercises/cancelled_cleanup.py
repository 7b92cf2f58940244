"""The exercises of lesson 05: an audit record that is kept once, a cleanup with an end, a registry that drains."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from helpers import rules
from helpers.exercises.exercise import Exercise
from helpers.recorder import ASGIApp, Message, Receive, Scope, Session, note
from helpers.recorder import Send as SendMessage
from helpers.rules import rule
from helpers.sessions import Expect, Send

LESSON = "05-cancelled-cleanup"
AGAIN = "cancel me twice"
"""Once a client has said this, a handler that is cancelled is cancelled again at its next await."""


# ---- what shields do -----------------------------------------------------------------------------------------------


async def outcome(cleanup: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]], how: str, when: str) -> str:
    """Cancel a handler that waits and then runs `cleanup(write)`; return what got done by the time the handler ended.

    `how` is "task.cancel()" or "scope.cancel()", AnyIO's; `when` is "before" the cleanup or "in" the middle of it.
    """
    gone, writing, answer, scope = asyncio.Event(), asyncio.Event(), asyncio.Event(), anyio.CancelScope()
    done: list[str] = []

    async def write() -> None:
        writing.set()
        await answer.wait()
        done.append("row")

    async def handler() -> None:
        with scope:
            try:
                await gone.wait()
            finally:
                await cleanup(write)
                done.append("line after")

    task = asyncio.create_task(handler())
    await asyncio.sleep(0)
    if when == "in":
        gone.set()
        await writing.wait()
    (task if how == "task.cancel()" else scope).cancel()
    await _turns()
    if not task.done():
        answer.set()
        await asyncio.wait([task])
    got = list(done)
    answer.set()
    await _turns()  # for a write that has outlived its handler
    return "✓ " + ", ".join(got) if got else "✗ nothing"


async def _turns() -> None:
    """Let the loop turn until whatever can happen has happened."""
    for _ in range(20):
        await asyncio.sleep(0)


# ---- 1: the audit record -------------------------------------------------------------------------------------------


class Audit:
    """A table in memory. `await write(count)` takes three steps, as a database does, and keeps the row at the second.

    Cancelled at its first step, a write has done nothing; at its last, the row is kept and nobody says so.
    """

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.writes = 0

    async def write(self, count: int) -> None:
        """Keep a row that says how many messages came on a connection."""
        self.writes += 1
        note(f"write({count}) begins")
        await anyio.lowlevel.checkpoint()
        await anyio.sleep(0.01)
        self.rows.append(count)
        note("the row is kept")
        await anyio.lowlevel.checkpoint()


class _Again:
    """Awaits a coroutine; when it is cancelled and `wanted()` says so, cancels it once more at its next await."""

    def __init__(self, coroutine: Any, wanted: Callable[[], bool]) -> None:
        self.coroutine = coroutine
        self.wanted = wanted

    def __await__(self) -> Generator[Any, Any, None]:
        steps, task = self.coroutine.__await__(), asyncio.current_task()
        assert task is not None
        resume: tuple[Callable[[Any], Any], Any] = steps.send, None
        cancelled = 0
        try:
            while True:
                waited_for = resume[0](resume[1])
                if cancelled == 1 and self.wanted():
                    note("is cancelled again")
                    task.get_loop().call_soon(task.cancel)
                try:
                    resume = steps.send, (yield waited_for)
                except GeneratorExit:  # the task is given up
                    steps.close()
                    raise
                except BaseException as error:
                    cancelled += isinstance(error, asyncio.CancelledError)
                    resume = steps.throw, error
        except StopIteration:
            return


def _insisting(app: ASGIApp) -> ASGIApp:
    """Wrap an app: a client that says AGAIN has it cancelled twice, if it is cancelled."""

    async def insisting(scope: Scope, receive: Receive, send: SendMessage) -> None:
        said: list[Any] = []

        async def heard() -> Message:
            message = await receive()
            said.append(message.get("text"))
            return message

        await _Again(app(scope, heard, send), lambda: AGAIN in said)

    return insisting


class _Mounted:
    """An app of one handler, which gets one more argument; `given` is that argument."""

    def __init__(self, answer: Any, given: Any) -> None:
        self.given = given
        route = WebSocketRoute("/", partial(self._call, answer))
        self.app = _insisting(Starlette(routes=[route]))

    async def _call(self, answer: Any, websocket: WebSocket) -> None:
        await answer(websocket, self.given)

    async def __call__(self, scope: Scope, receive: Receive, send: SendMessage) -> None:
        await self.app(scope, receive, send)


def audited(handler: Any) -> ASGIApp:
    """Return an app that calls `handler(websocket, audit)`, with an Audit of its own."""
    return _Mounted(handler, Audit())


def look(app: Any, session: Session) -> None:
    """Add what became of the audit to the session's facts."""
    session.facts["audit"] = app.given


@rule
def loses_no_row(session: Session) -> str | None:
    """Every connection leaves a row."""
    audit: Audit = session.facts["audit"]
    if audit.rows or not session.facts.get("fired", True):
        return None
    return "the session is over and there is no row" + ("" if audit.writes else ": nobody called write()")


@rule
def keeps_it_once(session: Session) -> str | None:
    """No connection leaves two rows."""
    rows = session.facts["audit"].rows
    return f"{len(rows)} rows for one connection" if len(rows) > 1 else None


@rule
def counts_right(session: Session) -> str | None:
    """The row says how many messages came."""
    rows = session.facts["audit"].rows
    if rows and rows[0] not in (session.received, session.received - 1):
        return f"{session.received} messages came, the row says {rows[0]}"
    return None


record = (loses_no_row, keeps_it_once, counts_right)
"""The rules for the audit record, without those that hold for every handler."""

ex1 = Exercise(
    lesson=LESSON,
    number=1,
    title="Record",
    kind="handler",
    parameters=("websocket", "audit"),
    mount=audited,
    facts=look,
    scripts=(
        (Send("hello"), Expect("hello"), Send("bye"), Expect("bye")),
        (Send(AGAIN), Expect(AGAIN)),
        (),
    ),
    rules=(
        rules.answers_everything,
        *record,
        rules.ends_quietly,
        rules.ends,
        rules.leaves_no_task,
        rules.hides_no_error,
    ),
    hints=(
        "A handler can be cancelled in `accept()` already, and in the cleanup as well. What must stand inside the `try`, "
        "and who may be cancelled while the row is written?",
        "Let a task of its own write the row: `asyncio.create_task` is no await, so nothing comes between. "
        "Cancelling you then does not cancel the task.",
        "Wait until the task is done, in a loop: `asyncio.wait([task])` may be cancelled again and again. "
        "Remember the CancelledError, and raise it when the row is there.",
    ),
)
