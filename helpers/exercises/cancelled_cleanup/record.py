"""Exercise 1 of lesson 05: an audit record that every connection leaves once, however its handler is cancelled."""

from typing import Any

from starlette.websockets import WebSocket

from hangup.explorer.apps.explore import explore
from hangup.explorer.report import Report
from hangup.record import rules
from hangup.record.recorder import ASGIApp, Session, describe, leaves
from hangup.record.rules import rule
from hangup.servers.script import beside, crowd
from helpers.exercises.cancelled_cleanup.handlers import EACH, FURTHER, HANDLER, LESSON, TALK, counted, lingers, said
from helpers.judging.app_exercise import AppExercise, Case
from helpers.props.cleanups import AGAIN, CUT, FULL, LATER, LOCKED, OFTEN, SLOW, App, Audit
from helpers.props.shields import Cleanup


def audited(handler: Any, audit: Any = None) -> ASGIApp:
    """Return an app that calls `handler(websocket, audit)`, by default with an Audit of its own."""
    given = Audit() if audit is None else audit

    async def call(websocket: WebSocket) -> None:
        await handler(websocket, given)

    return App(call, given)


def look(app: Any, session: Session) -> None:
    """Add the rows that a session has left to its facts."""
    audit: Audit = app.given
    session.facts["rows"] = audit.of(session)
    session.facts["begun"] = audit.begun.count(session)
    failure = session.facts["failed"] = audit.failed.get(session)
    session.facts["written"] = audit.ended.get(session)
    if failure is None:
        return
    session.facts["allowed"] = (type(failure),)
    unseen = [words for words in session.never_retrieved if type(failure).__name__ in words]
    # the CancelledError may come out in its place, and either of them in place of what the session raised before
    session.never_retrieved = [] if session.ended == "cancelled" else unseen


@rule
def loses_no_row(session: Session) -> str | None:
    """Every connection leaves a row, unless its write fails."""
    kept = session.facts["rows"] or session.facts.get("failed")
    return None if kept else "the session is over and there is no row"


@rule
def keeps_it_once(session: Session) -> str | None:
    """No connection leaves two rows."""
    rows = session.facts["rows"]
    return f"{len(rows)} rows for one connection" if len(rows) > 1 else None


@rule
def fails_once(session: Session) -> str | None:
    """When `write()` raises, nobody writes again, and the error comes out of the handler."""
    if not session.facts.get("failed"):
        return None
    if session.facts["begun"] > 1:
        return f"write() was called {session.facts['begun']} times, though it had raised"
    name = type(session.facts["failed"]).__name__
    if session.ended == "returned":
        return f"write() raised {name}, and the handler returned"
    error = session.error if session.ended == "raised" else None
    if error is not None and not _tells_of(error, session.facts["failed"]):
        return f"write() raised {name}, and of that nothing came out: the handler raised {describe(error)}"
    return None


def _tells_of(error: BaseException | None, failure: BaseException) -> bool:
    """Whether an error is this one, or in a group with it, or was raised when that one had been."""
    while error is not None:
        if any(leaf is failure for leaf in leaves(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


@rule
def ends_with_its_row(session: Session) -> str | None:
    """The handler ends when its row is there."""
    return lingers(session, session.facts["written"], "the write had ended")


@rule
def counts_right(session: Session) -> str | None:
    """The row says how many messages came."""
    rows = session.facts["rows"]
    if rows and not counted(session, rows[0]):
        return f"{session.received} messages came, the row says {rows[0]}"
    return None


RECORD = (loses_no_row, keeps_it_once, counts_right)
"""The rules for the audit record, without those that hold for every handler."""

ex1 = AppExercise(
    lesson=LESSON,
    number=1,
    title="Record",
    kind="handler",
    parameters=("websocket", "audit"),
    mount=audited,
    facts=look,
    most=EACH,
    scripts=(
        TALK,
        said(AGAIN),
        beside(TALK[:2], TALK[:2]),
    ),
    also=(
        Case((*said(SLOW), *said(LATER)), most=142),
        Case((*said(FULL), *said(AGAIN)), most=142),
        *(Case(said(failure), most=12) for failure in (LOCKED, CUT)),
        Case((*said(""), *said("again"), *said("again")), most=24),
        Case((*said(SLOW), *said(OFTEN)), most=60),
        Case(crowd((*said(SLOW), *said(LATER)), 3), most=142),
        *FURTHER,
    ),
    rules=(
        rules.answers_everything,
        *RECORD,
        *HANDLER,
        fails_once,
        ends_with_its_row,
    ),
    without=(rules.heeds_cancellation,),
    hints=(
        "A handler can be cancelled in `accept()`, and in its cleanup as well. What must stand inside the `try`? "
        "And whom does a cancellation hit while the row is written?",
        "Let a task of its own write the row. Between `finally:` and `asyncio.create_task(...)` there is no await, "
        "so nothing comes between; and whoever cancels you does not cancel that task, unless you `await task`. "
        "Wait with `asyncio.wait([task])`.",
        "Wait for the task in a loop, `while not task.done()`: each `await asyncio.wait([task])` may be cancelled. "
        "Remember the CancelledError, and raise it when the row is there. `asyncio.wait` raises nothing: whether the "
        "write has failed, `task.result()` says.",
    ),
    why="A cancellation hits whoever waits for the row, never whoever writes it, and is let "
    "through when the row is there.",
    helps={
        loses_no_row: 1,
        keeps_it_once: 2,
        fails_once: 3,
        rules.heeds_every_cancellation: 3,
        rules.leaves_no_task: 3,
    },
)


def ending_in(cleanup: Cleanup, audit: Any = None) -> ASGIApp:
    """Return an app whose handler counts and answers, and at its end awaits `cleanup(write)`.

    `write()` writes the count to the audit, by default an Audit of the app's own.
    """

    async def talk(websocket: WebSocket, audit: Any) -> None:
        count = 0

        async def write() -> None:
            await audit.write(count)

        try:
            await websocket.accept()
            async for text in websocket.iter_text():
                count += 1
                await websocket.send_text(text)
        finally:
            await cleanup(write)

    return audited(talk, audit)


def tried(cleanup: Cleanup) -> Report:
    """Explore an app that ends in a cleanup, and judge the rows that it leaves."""
    return explore(make=lambda: ending_in(cleanup), rules=RECORD, probe=look)
