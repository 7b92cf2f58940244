"""Exercise 3 of lesson 05: a registry of tasks that drains when the server stops, and gives up at the deadline."""

import gc
import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from hangup.record import rules
from hangup.record.recorder import ASGIApp, Session, describe
from hangup.record.rules import Rule, rule
from hangup.servers.script import Expect, Send
from helpers.exercises.beside import BesideExercise
from helpers.exercises.cancelled_cleanup.handlers import EACH, LESSON
from helpers.exercises.cancelled_cleanup.hours import drained
from helpers.judging.answers import Kind
from helpers.judging.app_exercise import Case
from helpers.judging.moment import slip
from helpers.judging.verdict import Verdict
from helpers.props.cleanups import BLINK, App
from helpers.props.office import STARTS, TIDYING, WORKS, Office


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
    office: Office = app.given
    session.facts["office"] = office
    if office.error is not None:
        session.facts["mistake"] = slip(office.error, told=False)


def _drained(office: Office) -> str:
    """Say how drain() ended."""
    return "drain() returned" if office.error is None else f"drain() raised {describe(office.error)}"


@rule
def starts_them(session: Session) -> str | None:
    """`start()` starts a task and returns at once."""
    office: Office = session.facts["office"]
    if office.refusal:
        return f"start() raised {office.refusal}, in a task that was cancelled"
    return "the first task has not begun when the server stops" if office.idle else None


@rule
def keeps_hold(session: Session) -> str | None:
    """The registry keeps its tasks from the garbage collector."""
    return "a task was collected while it waited" if session.facts["office"].collected else None


@rule
def cancels_nothing_early(session: Session) -> str | None:
    """Nothing is cancelled before the deadline."""
    office: Office = session.facts["office"]
    for work in office.works:
        if work.how == "cancelled" and work.ended < (office.stopping or 0.0) + office.seconds - BLINK:
            after = work.ended - (office.stopping or work.ended)
            if office.drained is not None and office.drained <= work.ended:
                return f"{_drained(office)} after {after:g} seconds; {work.name!r} was still running"
            return f"the work {work.name!r} was cancelled {after:g} seconds after lifespan.shutdown"
    return None


@rule
def finishes(session: Session) -> str | None:
    """What ends before the deadline is finished, whatever becomes of the others."""
    office: Office = session.facts["office"]
    for work in office.works:
        if work.how == "lost" and WORKS.get(work.name, 0) is not None:
            since = "the app's startup had started" if work.name == "letter" else "a session had started"
            return f"{_drained(office)} while {work.name!r} was still at it, a task that {since}"
        if work.how == "cancelled" and WORKS.get(work.name, 0) is not None:
            return f"the work {work.name!r} was not finished"
    return None


@rule
def cancels_at_the_deadline(session: Session) -> str | None:
    """At the deadline, what is left is cancelled and waited for: its cleanup is complete."""
    office: Office = session.facts["office"]
    left = [name for name in office.left if name not in STARTS.values()]
    if left:
        return f"{_drained(office)} and the work {left[0]!r} was still at it"
    for work in office.works:
        late = work.ended - work.lateness - (office.stopping or work.ended)
        if work.hit_again:
            return f"the work {work.name!r} was cancelled again in its cleanup"
        if work.how == "cancelled" and work.name not in STARTS.values() and late > office.seconds + BLINK:
            return f"the work {work.name!r} was cancelled {late:g} seconds after lifespan.shutdown"
    return "drain(0) did not cancel what was left, nor return, within a second" if office.hesitates else None


@rule
def ends_what_they_start(session: Session) -> str | None:
    """What a cancelled task starts is cancelled at once and waited for, too."""
    office: Office = session.facts["office"]
    for parent, child in STARTS.items():
        started = f"{child!r}, which the cancelled {parent!r} had started,"
        if child in office.left:
            return f"{_drained(office)} and {started} was still at it"
        for work in office.works:
            late = work.ended - work.lateness - work.began
            if work.name == child and work.how == "cancelled" and late > 2:
                if office.drained is None:
                    return f"drain() did not return: {started} was not cancelled"
                return f"{started} was cancelled {late:g} seconds later"
    return None


@rule
def drains_quietly(session: Session) -> str | None:
    """`drain()` returns when everything has ended: not later, and without an exception."""
    office: Office = session.facts["office"]
    if office.error is not None:
        return _drained(office)
    if office.drained is None or office.stopping is None:
        return "drain() did not return"
    last = max([office.stopping, *(work.ended + TIDYING.get(work.name, 0.0) for work in office.works)])
    late = office.drained - last
    if not office.virtual or late <= 0.5 + 2 * office.lateness:  # of the last task's end, and of drain()'s look at it
        return None
    return f"drain() returned {late:.0f} seconds after the last task had ended"


@rule
def lets_go(session: Session) -> str | None:
    """A task that is done is forgotten: the registry does not grow."""
    return "a task that was done long ago is still held" if session.facts["office"].leaks else None


@rule
def minds_its_own(session: Session) -> str | None:
    """A registry does nothing to another one's tasks."""
    neighbour = session.facts["office"].neighbour
    return None if neighbour == "is left alone" else f"a task of another registry {neighbour}"


@rule
def has_hours(session: Session) -> str | None:
    """Works have `seconds`, no more, and those that are cancelled have their cleanup, however long that is."""
    return session.facts.get("beside") or None


async def _for_hours(answer: Any) -> tuple[Rule, str] | None:
    for late in (False, True):
        if cut := await drained(answer(), started_late=late):
            return has_hours, cut
    return None


def _asking(*names: str) -> tuple[Send | Expect, ...]:
    return tuple(step for text in names for step in (Send(text), Expect(text)))


def _not_a_registry(answer: Any) -> str:
    if not inspect.isclass(answer):
        return "This is no class; this exercise wants a class with start(coroutine) and async drain(seconds)."
    if not callable(start := getattr(answer, "start", None)) or inspect.iscoroutinefunction(start):
        return f"{answer.__name__} needs a method start(self, coroutine), without async."
    if not inspect.iscoroutinefunction(getattr(answer, "drain", None)):
        return f"{answer.__name__} needs a method async def drain(self, seconds)."
    return ""


@contextmanager
def older_put_aside() -> Iterator[None]:
    """Run a block whose sessions collect garbage: what is older than the block need not be searched each time."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.collect()


class _Collected(BesideExercise):
    """An exercise whose sessions collect garbage."""

    def judge(self, answer: Any, until: float) -> Verdict:
        """Judge an answer, with what is older put aside."""
        with older_put_aside(), warnings.catch_warnings():  # the verdict says which work was never begun
            warnings.filterwarnings("ignore", r"coroutine .* was never awaited", RuntimeWarning)
            return super().judge(answer, until)


ex3 = _Collected(
    lesson=LESSON,
    number=3,
    title="Drain",
    kind=Kind("a class with start(coroutine) and async drain(seconds)", _not_a_registry),
    parameters=(),
    mount=_registry,
    facts=_office,
    lifespan=True,
    most=EACH,
    scripts=(
        _asking("slow", "follow", "fails"),
        _asking("stuck", "tidy"),
        (),
    ),
    also=(
        Case(_asking("parting", "fumbles"), most=40),
        Case(_asking("hurry", "stuck", "slow"), most=40),
        Case(_asking("leisure", "stuck", "stuck", "long", "scrub"), most=8),
        Case(_asking("crowd"), most=4),
        Case(_asking("quits"), most=4),
        Case(_asking("host", "tidy"), most=8),
    ),
    rules=(
        rules.answers_everything,
        starts_them,
        keeps_hold,
        cancels_nothing_early,
        finishes,
        cancels_at_the_deadline,
        ends_what_they_start,
        minds_its_own,
        drains_quietly,
        lets_go,
        has_hours,
        rules.leaves_no_task_behind,
    ),
    beside=_for_hours,
    without=(rules.leaves_no_task, rules.hides_no_error),
    hints=(
        "A set holds its tasks strongly; `task.add_done_callback(self.tasks.discard)` lets go of those that are done.",
        "`asyncio.wait(tasks, timeout=seconds)` cancels nothing and raises nothing: it returns what is done and what "
        "is not. An empty set is an error for it.",
        "A task may start another while you wait. So wait in a loop until the set is empty or the time is over; "
        "then cancel what is left, and wait once more: to cancel is only to ask. And what is cancelled may start "
        "another task in its `finally`, and wait for it there.",
    ),
    why="The registry holds its tasks, forgets those that are done, and looks again while there "
    "is time: tasks start others.",
    helps={
        keeps_hold: 1,
        lets_go: 1,
        cancels_nothing_early: 2,
        drains_quietly: 2,
        finishes: 3,
        cancels_at_the_deadline: 3,
        ends_what_they_start: 3,
    },
)
