"""The exercises of lesson 05: an audit record that is kept once, a cleanup with an end, a registry that drains."""

import inspect
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from hangup.explorer.apps.explore import explore
from hangup.explorer.report import Report
from hangup.record import rules
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import rule
from hangup.servers.script import Expect, Send, beside
from helpers.judging.answers import Kind
from helpers.judging.exercise import Exercise
from helpers.props.cleanups import AGAIN, BLINK, SECONDS, WORKS, App, Audit, Call, Desk, Office
from helpers.props.shields import Cleanup

LESSON = "05-cancelled-cleanup"

# ---- 1: the audit record -------------------------------------------------------------------------------------------


def audited(handler: Any, audit: Any = None) -> ASGIApp:
    """Return an app that calls `handler(websocket, audit)`, by default with an Audit of its own."""
    given = Audit() if audit is None else audit

    async def call(websocket: WebSocket) -> None:
        await handler(websocket, given)

    return App(call, given)


def look(app: Any, session: Session) -> None:
    """Add the rows that a session has left to its facts."""
    session.facts["rows"] = app.given.of(session)


@rule
def loses_no_row(session: Session) -> str | None:
    """Every connection leaves a row."""
    return None if session.facts["rows"] else "the session is over and there is no row"


@rule
def keeps_it_once(session: Session) -> str | None:
    """No connection leaves two rows."""
    rows = session.facts["rows"]
    return f"{len(rows)} rows for one connection" if len(rows) > 1 else None


@rule
def counts_right(session: Session) -> str | None:
    """The row says how many messages came."""
    rows = session.facts["rows"]
    if rows and not _counted(session, rows[0]):
        return f"{session.received} messages came, the row says {rows[0]}"
    return None


def _counted(session: Session, count: int) -> bool:
    """Whether so many messages came; the last one may be left out if its answer was cut off."""
    cut = bool(session.cancelled_by or session.refusals)
    return session.received - cut <= count <= session.received


RECORD = (loses_no_row, keeps_it_once, counts_right)
"""The rules for the audit record, without those that hold for every handler."""

_HANDLER = (
    rules.ends_quietly,
    rules.ends,
    rules.leaves_no_task,
    rules.heeds_every_cancellation,
    rules.hides_no_error,
)
"""The rules for a handler that holds on to its cleanup and lets every cancellation through."""

TALK = (Send("hello"), Expect("hello"), Send("bye"), Expect("bye"))
ex1 = Exercise(
    lesson=LESSON,
    number=1,
    title="Record",
    kind="handler",
    parameters=("websocket", "audit"),
    mount=audited,
    facts=look,
    scripts=(TALK, (Send(AGAIN), Expect(AGAIN)), beside(TALK[:2], TALK[:2])),
    rules=(
        rules.answers_everything,
        *RECORD,
        *_HANDLER,
    ),
    without=(rules.heeds_cancellation,),
    hints=(
        "A handler can be cancelled in `accept()`, and in its cleanup as well. What must stand inside the `try`? "
        "And whom does a cancellation hit while the row is written?",
        "Let a task of its own write the row. Between `finally:` and `asyncio.create_task(...)` there is no await, "
        "so nothing comes between; and whoever cancels you does not cancel that task, unless you `await task`. "
        "Wait with `asyncio.wait([task])`.",
        "Wait for the task in a loop, `while not task.done()`: each `await asyncio.wait([task])` may be cancelled. "
        "Remember the CancelledError, and raise it when the row is there.",
    ),
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


# ---- 2: a cleanup with an end ----------------------------------------------------------------------------------------


def _desk(answer: Any) -> ASGIApp:
    desk = Desk()

    async def call(websocket: WebSocket) -> None:
        await answer(websocket, desk, SECONDS)

    return App(call, desk)


def _calls(app: Any, session: Session) -> None:
    desk: Desk = app.given
    session.facts["calls"] = desk.calls.get(session, [])
    session.facts["closings"] = desk.closings.get(session, [])


@rule
def reports_once(session: Session) -> str | None:
    """The desk gets one report of every connection, with the right number."""
    calls: list[Call] = session.facts["calls"]
    if len(calls) != 1:
        return f"report() was called {len(calls)} times"
    if not _counted(session, calls[0].count):
        return f"{session.received} messages came, the report says {calls[0].count}"
    return None


@rule
def gets_its_time(session: Session) -> str | None:
    """The report has 5 seconds to be answered, also when the handler is cancelled."""
    for call in session.facts["calls"]:
        if call.how == "cancelled" and call.lasted < SECONDS - BLINK:
            alone = " (your handler had ended; nobody waited for it)" if call.deserted else ""
            return f"the report was cancelled after {call.lasted:g} seconds{alone}"
    return None


@rule
def gives_up(session: Session) -> str | None:
    """A report that is not answered in 5 seconds is given up."""
    for call in session.facts["calls"]:
        if call.lasted > SECONDS + BLINK or call.how == "still on its way":
            return f"the report was still waited for after {SECONDS:g} seconds"
    return None


@rule
def closes_the_line(session: Session) -> str | None:
    """Then the line is closed, once and completely."""
    calls, closings = session.facts["calls"], session.facts["closings"]
    if len(closings) != 1:
        return f"close() was called {len(closings)} times"
    (close,) = closings
    if close.how != "answered":
        return "close() was cancelled on its way"
    waited = close.began - max([call.ended for call in calls], default=close.began)
    if waited < 0:
        return "close() was called before the report was over"
    return f"close() was called {waited:.0f} seconds after the report was over" if waited > 0.5 else None


ex2 = Exercise(
    lesson=LESSON,
    number=2,
    title="Give up",
    kind="handler",
    parameters=("websocket", "desk", "seconds"),
    mount=_desk,
    facts=_calls,
    scripts=(TALK, (Send(AGAIN), Expect(AGAIN)), (*TALK, Send("bye!"), Expect("bye!"))),
    rules=(
        rules.answers_everything,
        reports_once,
        gets_its_time,
        gives_up,
        closes_the_line,
        *_HANDLER,
    ),
    without=(rules.heeds_cancellation,),
    hints=(
        "A deadline around an await in the handler ends with the handler: `task.cancel()` reaches it there. "
        "Put the whole goodbye, the report and the close, where a cancellation of the handler does not reach.",
        "A child of an AnyIO task group can stand in a shield of its own: `anyio.move_on_after(seconds, shield=True)` "
        "for the report, `anyio.CancelScope(shield=True)` for the close. A refused report raises in the first of them.",
        "`finally:`, then `async with anyio.create_task_group() as group:` and nothing in it but "
        "`group.start_soon(goodbye)`. The group waits for its child, also when you are cancelled.",
    ),
)


# ---- 3: a registry that drains ---------------------------------------------------------------------------------------


def _registry(answer: Any) -> ASGIApp:
    office = Office(answer)

    async def talk(websocket: WebSocket) -> None:
        try:
            await websocket.accept()
            async for text in websocket.iter_text():
                office.start(text)
                await websocket.send_text(text)
        except (WebSocketDisconnect, OSError):
            pass
        finally:
            office.start("quick")

    return App(talk, office, office.lifespan)


def _office(app: Any, session: Session) -> None:
    session.facts["office"] = app.given


@rule
def starts_them(session: Session) -> str | None:
    """`start()` starts a task and returns at once."""
    return "the first task has not begun when the server stops" if session.facts["office"].idle else None


@rule
def keeps_hold(session: Session) -> str | None:
    """The registry keeps its tasks from the garbage collector."""
    return "a task was collected while it waited" if session.facts["office"].collected else None


@rule
def cancels_nothing_early(session: Session) -> str | None:
    """Nothing is cancelled before the deadline."""
    office: Office = session.facts["office"]
    for work in office.works:
        if work.how == "cancelled" and work.ended < (office.stopping or 0.0) + SECONDS - BLINK:
            after = work.ended - (office.stopping or work.ended)
            if office.drained is not None and office.drained <= work.ended:
                return f"drain() returned after {after:g} seconds; {work.name!r} was still running"
            return f"the work {work.name!r} was cancelled {after:g} seconds after lifespan.shutdown"
    return None


@rule
def finishes(session: Session) -> str | None:
    """What ends before the deadline is finished, whatever becomes of the others."""
    office: Office = session.facts["office"]
    for work in office.works:
        if work.how == "lost" and WORKS.get(work.name, 0) is not None:
            since = "the app's startup had started" if work.name == "letter" else "a session had started"
            return f"drain() returned while {work.name!r} was still at it, a task that {since}"
        if work.how == "cancelled" and WORKS.get(work.name, 0) is not None:
            return f"the work {work.name!r} was not finished"
    return None


@rule
def cancels_at_the_deadline(session: Session) -> str | None:
    """At the deadline, what is left is cancelled and waited for: its cleanup is complete."""
    office: Office = session.facts["office"]
    if office.left:
        return f"drain() returned and the work {office.left[0]!r} was still at it"
    for work in office.works:
        late = work.ended - (office.stopping or work.ended)
        if work.how == "cancelled" and late > SECONDS + BLINK:
            return f"the work {work.name!r} was cancelled {late:g} seconds after lifespan.shutdown"
    return None


@rule
def drains_quietly(session: Session) -> str | None:
    """`drain()` returns when everything has ended: not later, and without an exception."""
    office: Office = session.facts["office"]
    if office.error is not None:
        return f"drain() raised {type(office.error).__name__}: {office.error}"
    if office.drained is None or office.stopping is None:
        return "drain() did not return"
    last = max([office.stopping, *(work.ended for work in office.works)])
    late = office.drained - last
    return (
        f"drain() returned {late:.0f} seconds after the last task had ended" if office.virtual and late > 0.5 else None
    )


@rule
def lets_go(session: Session) -> str | None:
    """A task that is done is forgotten: the registry does not grow."""
    return "a task that was done long ago is still held" if session.facts["office"].leaks else None


def _not_a_registry(answer: Any) -> str:
    if not inspect.isclass(answer):
        return "This is no class; this exercise wants a class with start(coroutine) and async drain(seconds)."
    if not callable(start := getattr(answer, "start", None)) or inspect.iscoroutinefunction(start):
        return f"{answer.__name__} needs a method start(self, coroutine), without async."
    if not inspect.iscoroutinefunction(getattr(answer, "drain", None)):
        return f"{answer.__name__} needs a method async def drain(self, seconds)."
    return ""


ex3 = Exercise(
    lesson=LESSON,
    number=3,
    title="Drain",
    kind=Kind("a class with start(coroutine) and async drain(seconds)", _not_a_registry),
    parameters=(),
    mount=_registry,
    facts=_office,
    lifespan=True,
    scripts=(
        tuple(step for text in ("slow", "follow", "fails") for step in (Send(text), Expect(text))),
        tuple(step for text in ("stuck", "stuck") for step in (Send(text), Expect(text))),
        (),
    ),
    rules=(
        rules.answers_everything,
        starts_them,
        keeps_hold,
        cancels_nothing_early,
        finishes,
        cancels_at_the_deadline,
        drains_quietly,
        lets_go,
        rules.leaves_no_task_behind,
    ),
    without=(rules.leaves_no_task, rules.hides_no_error),
    hints=(
        "A set holds its tasks strongly; `task.add_done_callback(self.tasks.discard)` lets go of those that are done.",
        "`asyncio.wait(tasks, timeout=seconds)` cancels nothing and raises nothing: it returns what is done and what "
        "is not. An empty set is an error for it.",
        "A task may start another while you wait. So wait in a loop until the set is empty or the time is over; "
        "then cancel what is left, and wait once more: to cancel is only to ask.",
    ),
)
