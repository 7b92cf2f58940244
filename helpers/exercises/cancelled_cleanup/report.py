"""Exercise 2 of lesson 05: a cleanup with an end, which gives a report its seconds and then gives it up."""

from typing import Any

from starlette.websockets import WebSocket

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Session, current
from hangup.record.rules import Rule, rule
from hangup.servers.script import beside
from helpers.exercises.beside import BesideExercise
from helpers.exercises.cancelled_cleanup.handlers import EACH, FURTHER, HANDLER, LESSON, TALK, counted, lingers, said
from helpers.exercises.cancelled_cleanup.hours import left
from helpers.judging.app_exercise import Case
from helpers.props.cleanups import AGAIN, BLINK, BRISK, CURT, LATER, SECONDS, SLOWLY, TIGHT, App, Call, Desk


def _desk(answer: Any, seconds: float = SECONDS) -> ASGIApp:
    desk = Desk(seconds)

    async def call(websocket: WebSocket) -> None:
        await answer(websocket, desk, desk.seconds(current()))

    return App(call, desk)


def _hasty(answer: Any) -> ASGIApp:
    return _desk(answer, 0.25)


def _patient(answer: Any) -> ASGIApp:
    return _desk(answer, 20.0)


def _calls(app: Any, session: Session) -> None:
    desk: Desk = app.given
    session.facts["calls"] = desk.calls.get(session, [])
    session.facts["closings"] = desk.closings.get(session, [])
    session.facts["hurried"] = session in desk.hurried


@rule
def reports_once(session: Session) -> str | None:
    """The desk gets one report of every connection, with the right number."""
    calls: list[Call] = session.facts["calls"]
    if len(calls) != 1:
        return f"report() was called {len(calls)} times"
    if not counted(session, calls[0].count):
        return f"{session.received} messages came, the report says {calls[0].count}"
    return None


@rule
def gets_its_time(session: Session) -> str | None:
    """The report has `seconds` to be answered, also when the handler is cancelled."""
    for call in session.facts["calls"]:
        if call.how == "cancelled" and call.lasted < call.allowed - BLINK:
            alone = " (your handler had ended; nobody waited for it)" if call.deserted else ""
            return f"the report was cancelled after {call.lasted:g} of {call.allowed:g} seconds{alone}"
    return None


@rule
def gives_up(session: Session) -> str | None:
    """A report that is not answered in `seconds` is given up."""
    for call in session.facts["calls"]:
        late = call.lasted - call.lateness > call.allowed + BLINK
        if late or call.deserted or call.how == "still on its way":
            return f"the report was still waited for after {call.allowed:g} seconds"
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
    if waited < 0 or session.facts["hurried"]:
        return "close() was called before the report was over"
    if waited > 0.5 + close.lateness:
        return f"close() was called {waited:.0f} seconds after the report was over"
    return lingers(session, close.ended, "the line was closed")


@rule
def has_hours(session: Session) -> str | None:
    """Report and close have their time, however long it is."""
    return session.facts.get("beside") or None


async def _for_hours(answer: Any) -> tuple[Rule, str] | None:
    cut = await left(answer)
    return (has_hours, cut) if cut else None


ex2 = BesideExercise(
    lesson=LESSON,
    number=2,
    title="Give up",
    kind="handler",
    parameters=("websocket", "desk", "seconds"),
    mount=_desk,
    facts=_calls,
    most=EACH,
    scripts=(
        (*TALK, *said("bye!")),
        said(AGAIN),
        beside(TALK, TALK),
    ),
    also=(
        Case((*said(LATER), *said(AGAIN)), most=142),
        Case((*said(TIGHT), *said(LATER), *said(SLOWLY)), most=142),
        Case((*said(CURT), *said(SLOWLY), *said(LATER)), most=142),
        Case((*said(BRISK), *said("again"), *said("again"), *said("")), most=24),
        Case(beside(said(SLOWLY), said(LATER)), most=142),
        *(Case(TALK, most=8, mount=mount) for mount in (_hasty, _patient)),
        *FURTHER,
    ),
    rules=(
        rules.answers_everything,
        reports_once,
        gets_its_time,
        gives_up,
        closes_the_line,
        has_hours,
        *HANDLER,
    ),
    beside=_for_hours,
    without=(rules.heeds_cancellation,),
    hints=(
        "A deadline around an await in the handler ends with the handler: `task.cancel()` reaches it there. "
        "Put the whole goodbye, the report and the close, where a cancellation of the handler does not reach.",
        "A child of an AnyIO task group can stand in a shield of its own: `anyio.move_on_after(seconds, shield=True)` "
        "for the report, `anyio.CancelScope(shield=True)` for the close. A refused report raises in the first of them.",
        "`finally:`, then `async with anyio.create_task_group() as group:` and nothing in it but "
        "`group.start_soon(goodbye)`. The group waits for its child, also when you are cancelled.",
    ),
    why="Report and close run where no cancellation of the handler reaches them, and the report "
    "has a deadline of its own.",
    helps={gets_its_time: 1, gives_up: 2, closes_the_line: 2, reports_once: 3, rules.leaves_no_task: 3},
)
