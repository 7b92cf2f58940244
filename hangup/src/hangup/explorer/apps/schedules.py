"""One schedule: which server, how the connection ends, and when. `Play` plays it: an app, in memory, in virtual time.

A schedule has a name, such as `granian/reset@receive#2`.
"""

import asyncio
import contextvars
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from hangup.explorer.apps.conversation import Conversation, Lines, nothing
from hangup.explorer.awaits import Counted
from hangup.record.internals import drop_from_all_tasks
from hangup.record.recorder import ASGIApp, Message, Recorder, Session, current
from hangup.record.threads import Stuck
from hangup.servers.memory import MemoryConnection, Moment
from hangup.servers.models import ENDINGS, MODELS
from hangup.servers.script import CLOSED, SILENT
from hangup.time.virtual import Alarm, VirtualLoop
from hangup.trace.events import Event
from hangup.trace.trace import Trace

LINGER = 30.0  # virtual seconds that an app has to end once the peer is gone
LIFETIME = 600.0  # virtual seconds that a session may take in all
SCOPE: dict[str, Any] = {
    "type": "websocket",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "scheme": "ws",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"127.0.0.1")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 2),
    "subprotocols": [],
    "extensions": {},
}
_given_up: "list[asyncio.Task[Any]]" = []


@dataclass(frozen=True)
class Schedule:
    """Which server, how the connection ends, and when: before a call (`moment`), or the app's task is cancelled.

    Without a moment client a says all its lines and then leaves. `cancel_at` counts the awaits of the app's task.
    """

    model: str
    ending: str
    moment: Moment | None = None
    cancel_at: int = 0

    def __str__(self) -> str:
        """Return the stable name."""
        return self._name

    @functools.cached_property
    def _name(self) -> str:
        if self.cancel_at:
            return f"{self.model}/cancel@await#{self.cancel_at}"
        return f"{self.model}/{self.ending}@{self.moment or 'end'}"

    @classmethod
    def parse(cls, name: str) -> "Schedule":
        """Return the schedule of that name; raise ValueError with a sentence if there is none."""
        model, _, rest = name.partition("/")
        ending, _, when = rest.partition("@")
        call, _, number = when.partition("#")
        known = model in MODELS and ending in (*ENDINGS, "cancel") and call in ("end", "receive", "send", "await")
        if not known or (call == "end") == bool(number) or (number and not number.isdigit()):
            raise ValueError(
                f"{name!r} is no schedule: they look like granian/reset@receive#2 or uvicorn/cancel@await#3."
            )
        if call == "await":
            return cls(model, "close", cancel_at=int(number))
        return cls(model, ending, None if call == "end" else Moment(call, int(number)))


@functools.cache
def _scope_of(path: str) -> dict[str, Any]:
    raw, _, query = path.partition("?")
    return SCOPE | {"path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode()}


class Play:
    """Plays a schedule; once, by `play`. Then `before` and `awaits` say what the app did until client a had left."""

    def __init__(
        self, app: ASGIApp, lines: Lines, schedule: Schedule, trace: Trace, path: str, *, lifespan: bool = False
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.schedule = schedule
        self.model = MODELS[schedule.model]
        self.path = path
        self.recorder = Recorder(app, trace)
        self.sessions = self.recorder.sessions
        self.conversation = Conversation(lines, self._open, self._over, loop)
        self.conversation.on_left = self._left
        self.lifespan = _Lifespan(self.recorder) if lifespan else None
        self.counted: Counted | None = None
        self.before = {"send": 0, "receive": 0}
        self.trace = trace
        self.turned = False
        self.running = 0
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.wake: asyncio.Future[None] | None = None
        self.deadline = Alarm(self._wake)
        loop.alarms = (self.deadline, *self.conversation.alarms)

    async def play(self) -> Session:
        """Run the app to its end and return client a's session, with nothing left of it on the loop."""
        loop = self.loop
        loop.turns = 0
        loop.on_idle = self._wake
        if self.lifespan is not None:
            await self.lifespan.start()
        self.wake = loop.create_future()
        self.deadline.when = loop.now + LIFETIME
        self.conversation.start()
        await self.wake
        self.trace.ordered = len(self.sessions) > 1
        self.turned = loop.turns > loop.most_turns
        await self._end()
        self._facts()
        self.sessions[0].facts["threads"] = loop.forgotten_threads()
        self._forget()
        first = self.sessions[0]
        first.others = self.sessions[1:]
        return first

    def _forget(self) -> None:
        """Break the circles of references: a collector that has to find them costs more than the session."""
        self.loop.alarms = ()
        self.loop.on_idle = self.deadline.ring = nothing
        self.conversation.forget()

    # ---- the connections ---------------------------------------------------------------------------------------

    def _open(self, letter: str) -> MemoryConnection:
        """Let a client connect: start the app for it."""
        schedule, trace = self.schedule, None if self.trace.silent else self.trace
        port, first = ord(letter), letter == "a"
        connection = MemoryConnection(
            self.model, schedule.ending if first else "close", schedule.moment if first else None, trace, letter
        )
        connection.yields = schedule.cancel_at != 0
        connection.on_spin = self._wake
        if trace is not None:
            trace.peer(port)
            opening, line = Event(f"client {letter}", "GET", self.path, "server"), (f"client {letter}",)
            trace.record(opening, chains=line, gives=f"{letter}.open", rank=(2, letter))
        self.running += 1
        app = self._app(letter, self._scope(port), connection)
        if current() is None:
            self.tasks[letter] = self.loop.create_task(app)
        else:  # this client connects while an app runs, whose task it is not
            self.tasks[letter] = self.loop.create_task(app, context=contextvars.Context())
        return connection

    @property
    def awaits(self) -> int:
        """How often the app has waited, if that was counted."""
        return self.counted.awaits if self.counted is not None else 0

    def _cancelled(self) -> None:
        self.sessions[0].cancelled_by = "schedule"

    def _thrown(self) -> None:
        gone = self.conversation.connections["a"].gone
        self.sessions[0].facts["interrupted"] = "while it cleaned up" if gone else "while it worked"

    async def _app(self, letter: str, scope: dict[str, Any], connection: MemoryConnection) -> None:
        call: Any = self.recorder(scope, connection.receive, connection.send)
        if letter == "a" and self.schedule.cancel_at:
            at = self.schedule.cancel_at
            call = self.counted = Counted(call, at, on_cancel=self._cancelled, on_thrown=self._thrown)
        how = "raised"
        try:
            await call
            how = "returned"
        except (SystemExit, KeyboardInterrupt):
            raise
        except asyncio.CancelledError:
            how = "cancelled"
        except BaseException:  # the recorder has it; nobody else will ask this task for it
            return
        finally:
            self.running -= 1
            connection.ended(how)
            self.conversation.ended(letter)
            if self.conversation.over and not self.running:
                self._wake()

    def _scope(self, port: int) -> dict[str, Any]:
        state = {} if self.lifespan is None else dict(self.lifespan.state)
        return _scope_of(self.path) | {"state": state, "client": ("127.0.0.1", port)}

    def _left(self) -> None:
        """Client a is gone: what the app does from here on is no moment for it to leave."""
        a = self.conversation.connections["a"]
        self.before = {"send": a.sends, "receive": a.receives}

    def _over(self) -> None:
        """All clients have left: the app has some time to end."""
        if not self.running:
            self._wake()
            return
        a = self.conversation.connections["a"]
        untold = a.gone == "shutdown" and "shutdown" not in self.model.told and self.model.cancels
        self.deadline.ring = self._shut_down if untold else self._wake
        self.deadline.when = self.loop.now + LINGER

    def _shut_down(self) -> None:
        """Cancel the app, as a server does whose graceful shutdown has lasted long enough."""
        for session in self.sessions:
            if session.main is not None and not session.finished.is_set():
                session.cancelled_by = "shutdown"
                session.main.cancel()
        self.deadline.ring = self._wake
        self.deadline.when = self.loop.now + LINGER

    def _wake(self) -> None:
        if self.wake is not None and not self.wake.done():
            self.wake.set_result(None)

    # ---- the end -----------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        """Stop what still runs, as a server does that stops."""
        for session in self.sessions:
            if not session.finished.is_set():
                session.cancelled_by = "server"
                session.record(Event(session.app, "never returns", "(it is cancelled now)"), final=True)
        if self.lifespan is not None:
            await self._cancel(self.tasks.values())
            await self._until(self.lifespan.stop())
            for session in self.sessions:
                session.left_at_shutdown = [session.name_of(task) for task in session.tasks if not task.done()]
            await self._cancel([self.lifespan.task])
        await self._cancel([*(task for session in self.sessions for task in session.tasks), *self.tasks.values()])

    async def _cancel(self, tasks: "Iterable[asyncio.Task[Any]]") -> None:
        left = [task for task in tasks if not task.done()]
        for _ in range(3):
            if not left:
                return
            for each in left:
                each.cancel()
            await self._until(left)
            left = [task for task in left if not task.done()]
        if left:
            for each in left:
                drop_from_all_tasks(each)  # the loop's end would wait for it
            _given_up.extend(left)  # what ignores even the end of its coroutine must not be collected
            raise Stuck(loop_runs=True)

    async def _until(self, tasks: "list[asyncio.Task[Any]]") -> None:
        """Wait until all tasks are done, or nothing can happen any more, or time is up."""
        self.loop.turns = 0
        self.wake = self.loop.create_future()
        self.deadline.ring = self._wake
        self.deadline.when = self.loop.now + LINGER
        for task in tasks:
            task.add_done_callback(lambda _: self._wake() if all(t.done() for t in tasks) else None)
        await self.wake
        self.wake = None

    def _facts(self) -> None:
        schedule, conversation = self.schedule, self.conversation
        for session in self.sessions:
            connection, missed = conversation.connections[session.letter], conversation.missed[session.letter]
            if not (missed or connection.accepted or connection.gone or schedule.cancel_at):
                missed.append("the connection was not accepted")
            if not missed and not schedule.moment and conversation.cut(session.letter):
                missed.append(SILENT if self.turned else CLOSED)
            session.schedule = str(schedule)
            session.facts["unanswered"] = [] if schedule.cancel_at else missed
            session.facts["spun"] = connection.spun
            session.facts["turned"] = self.turned
            session.retrieve_exceptions()
        first = self.sessions[0]
        cancelled = schedule.cancel_at and first.cancelled_by == "schedule"
        first.facts["gone"] = conversation.connections["a"].gone
        first.facts["fired"] = bool(cancelled or first.facts["gone"])


class _Lifespan:
    """The lifespan protocol with an app: `start` before its sessions, `stop` after them (asgi lifespan.rst)."""

    def __init__(self, recorder: Recorder) -> None:
        self.state: dict[str, Any] = {}
        self.error: BaseException | None = None
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._started = asyncio.Event()
        scope = {"type": "lifespan", "asgi": SCOPE["asgi"], "state": self.state}
        self.task = asyncio.get_running_loop().create_task(_quiet(recorder(scope, self._messages.get, self._send)))
        self.task.add_done_callback(lambda _: self._started.set())

    async def _send(self, message: Message) -> None:
        if message["type"].startswith("lifespan.startup."):
            self._started.set()

    async def start(self) -> None:
        """Return when the app has started, or will not: an app need not speak this protocol."""
        self._messages.put_nowait({"type": "lifespan.startup"})
        await self._started.wait()

    def stop(self) -> "list[asyncio.Task[Any]]":
        """Tell the app that the server stops, and return what to wait for."""
        if self.task.done():
            return []
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        return [self.task]


async def _quiet(call: Any) -> None:
    try:
        await call
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException:  # the recorder has it; nobody else will ask this task for it
        return
