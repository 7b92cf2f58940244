"""The exercises of lesson 05: an audit record that is kept once, a cleanup with an end, a registry that drains.

Where time is virtual, what takes seconds takes them, and some things never end; on real servers all of it is quick.
"""

import asyncio
import contextlib
import functools
import gc
import inspect
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

import anyio
import anyio.lowlevel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from helpers import rules
from helpers.exercises.answers import Kind
from helpers.exercises.exercise import Exercise
from helpers.memory import VirtualLoop
from helpers.recorder import ASGIApp, Message, Receive, Scope, Session, current, note
from helpers.recorder import Send as SendMessage
from helpers.rules import rule
from helpers.sessions import Expect, Send, beside

LESSON = "05-cancelled-cleanup"
AGAIN = "cancel me twice"
"""Once a client has said this, a handler that is cancelled is cancelled again at its next await."""
SECONDS = 5.0
"""How long a cleanup may take."""
BLINK = 0.01  # seconds that something takes on a real server

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


# ---- what the answers run in --------------------------------------------------------------------------------------


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


class _App:
    """An ASGI app of one handler, which gets `given`; a client that says AGAIN has it cancelled twice, if at all."""

    def __init__(self, handler: Callable[[WebSocket], Awaitable[None]], given: Any, lifespan: Any = None) -> None:
        self.given = given
        self.app = Starlette(routes=[WebSocketRoute("/", functools.partial(handler))], lifespan=lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: SendMessage) -> None:
        said: list[Any] = []

        async def heard() -> Message:
            message = await receive()
            said.append(message.get("text"))
            return message

        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        else:
            await _Again(self.app(scope, heard, send), lambda: AGAIN in said)


def _time_is_virtual() -> bool:
    return isinstance(asyncio.get_running_loop(), VirtualLoop)


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


# ---- 1: the audit record -------------------------------------------------------------------------------------------


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


def audited(handler: Any, audit: Any = None) -> ASGIApp:
    """Return an app that calls `handler(websocket, audit)`, by default with an Audit of its own."""
    given = Audit() if audit is None else audit

    async def call(websocket: WebSocket) -> None:
        await handler(websocket, given)

    return _App(call, given)


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
        rules.ends_quietly,
        rules.ends,
        rules.leaves_no_task,
        rules.heeds_every_cancellation,
        rules.hides_no_error,
    ),
    without=(rules.heeds_cancellation,),
    hints=(
        "A handler can be cancelled in `accept()`, and in its cleanup as well. What must stand inside the `try`? "
        "And whom does a cancellation hit while the row is written?",
        "Let a task of its own write the row. Between `finally:` and `asyncio.create_task(...)` there is no await, "
        "so nothing comes between; and whoever cancels you does not cancel that task.",
        "Wait for the task in a loop, `while not task.done()`: each `await asyncio.wait([task])` may be cancelled. "
        "Remember the CancelledError, and raise it when the row is there.",
    ),
)


# ---- 2: a cleanup with an end ----------------------------------------------------------------------------------------


class Desk:
    """Takes a report, and never answers some; holds a line that must be given back."""

    def __init__(self) -> None:
        self.calls: dict[Session | None, list[Call]] = {}
        self.closings: dict[Session | None, list[Call]] = {}

    async def report(self, count: int) -> None:
        """Tell the desk how many messages came: it answers after 2 seconds, and to more than one message never."""
        call = Call(count, _now())
        self.calls.setdefault(current(), []).append(call)
        note(f"report({count}) begins")
        try:
            await _takes(None if count > 1 else 2)
            call.how = "answered"
        except asyncio.CancelledError:
            call.how = "cancelled"
            raise
        finally:
            call.ended = _now()
            note(f"report({count}) is {call.how}")

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

    @property
    def lasted(self) -> float:
        """Seconds that it took."""
        return self.ended - self.began


def _desk(answer: Any) -> ASGIApp:
    desk = Desk()

    async def call(websocket: WebSocket) -> None:
        await answer(websocket, desk, SECONDS)

    return _App(call, desk)


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
            return f"the report was cancelled after {call.lasted:g} seconds"
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
    scripts=(TALK, (Send(AGAIN), Expect(AGAIN))),
    rules=(
        rules.answers_everything,
        reports_once,
        gets_its_time,
        gives_up,
        closes_the_line,
        rules.ends_quietly,
        rules.ends,
        rules.leaves_no_task,
        rules.heeds_every_cancellation,
        rules.hides_no_error,
    ),
    without=(rules.heeds_cancellation,),
    hints=(
        "A deadline around an await in the handler ends with the handler: `task.cancel()` reaches it there. "
        "Put the whole goodbye, the report and the close, where a cancellation of the handler does not reach.",
        "A child of an AnyIO task group can stand in a shield of its own: `anyio.move_on_after(seconds, shield=True)` "
        "for the report, `anyio.CancelScope(shield=True)` for the close.",
        "`finally:`, then `async with anyio.create_task_group() as group:` and nothing in it but "
        "`group.start_soon(goodbye)`. The group waits for its child, also when you are cancelled.",
    ),
)


# ---- 3: a registry that drains ---------------------------------------------------------------------------------------

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

    return _App(talk, office, office.lifespan)


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
            return f"the work {work.name!r} was cancelled {after:g} seconds after lifespan.shutdown"
    return None


@rule
def finishes(session: Session) -> str | None:
    """What ends before the deadline is finished, whatever becomes of the others."""
    office: Office = session.facts["office"]
    lost = [
        work.name for work in office.works if work.how in ("lost", "cancelled") and WORKS.get(work.name, 0) is not None
    ]
    return f"the work {lost[0]!r} was not finished" if lost else None


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
