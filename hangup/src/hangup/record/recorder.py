"""An ASGI wrapper that writes what passes between server and app into a Trace, and what becomes of the app's tasks.

`Recorder(app)` is an ASGI app. Each connection becomes a Session: the facts that exercises judge.
The context variable `_current` says in which session code runs. Tasks inherit it: so a task that an app spawns is known
by `watch_tasks`, and `note("...")`, called anywhere in an app, lands on the lifeline of the task that calls it.
"""

import asyncio
import contextlib
import re
import sys
import traceback
import types
from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping, Sequence
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from hangup.trace.events import Event
from hangup.trace.trace import Trace

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Ended = Literal["running", "returned", "raised", "cancelled"]

RECORDED_EVENTS = 2_000
_current: ContextVar["Session | None"] = ContextVar("session", default=None)


class Interrupted(BaseException):
    """Raised into an app that holds the event loop while the interrupt button is pressed."""


@dataclass(eq=False)
class Session:
    """One connection as the app lived it: facts for rules to judge, and the trace to show.

    `sent` and `received` count data messages; `codes` holds the code of every disconnect message that the app was
    given, so its length tells how often; `sends_after_close` counts sends after a close of the app's own,
    `refusals` holds what send() raised before the app had been told of the end.
    `error` is the exception that the app let out and `where` its stack, outermost call first. `left` names the tasks
    that ran on when the app had ended, `unseen` those whose exception nobody looked at. `schedule` says when and how
    the connection was made to end, such as `granian/reset`; `facts` is whatever an exercise adds.
    """

    trace: Trace
    letter: str
    schedule: str = ""
    ended: Ended = "running"
    error: BaseException | None = None
    where: list[traceback.FrameSummary] = field(default_factory=list, repr=False)
    codes: list[int] = field(default_factory=list)
    sent: int = 0
    received: int = 0
    closes: int = 0
    sends_after_close: int = 0
    refusals: list[BaseException] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    outlived: list[str] = field(default_factory=list)
    """The tasks that still ran when the app's lifespan had ended."""
    facts: dict[str, Any] = field(default_factory=dict)
    cancelled_by: str = ""
    """Who had a reason to cancel the app: "server", when it stopped, or "schedule", when an exploration does so."""
    others: "list[Session]" = field(default_factory=list, repr=False)
    """The sessions of the clients that a script has beside client a."""
    tasks: "dict[asyncio.Task[Any], str]" = field(default_factory=dict, repr=False)
    finished: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    main: "asyncio.Task[Any] | None" = field(default=None, repr=False)
    _recorded: int = 0

    @property
    def app(self) -> str:
        """The app's lifeline."""
        return f"app {self.letter}"

    def lifeline(self) -> str:
        """Return the lifeline of the task that runs now: the app itself, or a task that it spawned."""
        return self.tasks.get(asyncio.current_task(), self.app)  # type: ignore[arg-type]  # None is never a key

    def record(
        self,
        event: Event,
        *,
        needs: Sequence[str] = (),
        gives: str = "",
        caller: "Session | None" = None,
        final: bool = False,
    ) -> None:
        """Write an event of this session into its trace; after `RECORDED_EVENTS` only a `final` one.

        `caller` is the session whose code acts, where that is another one.
        """
        if self.trace.silent:
            return
        self._recorded += 1
        if self._recorded == RECORDED_EVENTS and not final:
            event = Event(self.app, "note", f"the recording stops here, after {RECORDED_EVENTS:,} events")
        if self._recorded <= RECORDED_EVENTS or final:
            chains = {f"session {self.letter}": 0, f"session {(caller or self).letter}": 0}
            needs = needs or [f"{self.letter}.open"]  # nothing happens in an app before its client has come
            self.trace.record(event, chains=tuple(chains), needs=needs, gives=gives, rank=(0, self.letter))

    def spawned(self, task: "asyncio.Task[Any]") -> None:
        """Follow a task that the app created, until it ends."""
        if not isinstance(task.get_coro(), types.CoroutineType | types.GeneratorType):
            return  # the loop closes an async generator that was garbage: not the doing of whoever runs now
        line = f"{self.app} · #{len(self.tasks) + 1}"
        self.record(Event(self.lifeline(), "create_task", "", line))
        self.tasks[task] = line
        task.add_done_callback(self._task_done)

    def name_of(self, task: "asyncio.Task[Any]") -> str:
        """Return a spawned task's own name if it has one, else its coroutine's; name its lifeline so, once."""
        given = task.get_name()
        own = "" if re.fullmatch(r"Task-\d+|None", given) else given.rpartition(".")[2]
        name = own or getattr(task.get_coro(), "__name__", "task")
        return self.trace.rename(self.tasks[task], f"{self.app} · {name}").rpartition(" · ")[2]

    def end(self) -> None:
        """Take note of the tasks that still run, now that the app has ended."""
        for task, line in self.tasks.items():
            if not task.done():
                self.left.append(self.name_of(task))
                self.record(Event(line, "note", "still running"))
        self.finished.set()

    def forget(self) -> None:
        """Let go of the app's tasks and exceptions, whose frames hold this session: a circle that costs a collector."""
        self.main = self.error = None
        self.refusals.clear()
        self.tasks.clear()

    def look_at_errors(self) -> list[BaseException]:
        """Return the exceptions of tasks, and note whose nobody asked for; asyncio would log those, some time later."""
        done = [task for task in self.tasks if task.done() and not task.cancelled()]
        self.unseen += [self.name_of(task) for task in done if getattr(task, "_log_traceback", False)]
        return [error for task in done if (error := task.exception())]

    def _task_done(self, task: "asyncio.Task[Any]") -> None:
        self.name_of(task)
        line = self.tasks[task]
        if task.cancelled():
            self.record(Event(line, "is cancelled"))
        elif error := getattr(task, "_exception", None):  # exception() would count as having looked
            self.record(Event(line, "raises", describe(error)))
        else:
            self.record(Event(line, "returns"))


def describe(error: BaseException) -> str:
    """Return an exception's type and words, and for a group those of each exception in it."""
    name, code = type(error).__name__, vars(error).get("code")
    words = f"{name}: code {int(code)}" if isinstance(code, int) else f"{name}: {_words(error)}".removesuffix(": ")
    if isinstance(error, BaseExceptionGroup):
        words += " [" + "; ".join(describe(inner) for inner in error.exceptions) + "]"
    return words


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:
        return f"its __str__ raises {type(second).__name__}"


def leaves(error: BaseException) -> list[BaseException]:
    """Return the exceptions of a group, and of the groups in it; of any other exception, itself."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


def _stack(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the frames that an exception passed through; of a group, those of its first exception."""
    frames: list[traceback.FrameSummary] = []
    while True:
        frames += traceback.extract_tb(error.__traceback__)
        if not isinstance(error, BaseExceptionGroup):
            return frames
        error = error.exceptions[0]


def note(text: str) -> None:
    """Write `text` onto the lifeline of the task that runs now; outside an app that is recorded, do nothing."""
    session = _current.get()
    if session is not None:
        session.record(Event(session.lifeline(), "note", text))


def current() -> Session | None:
    """Return the session in which this code runs, if any."""
    return _current.get()


class Recorder:
    """Wraps an ASGI app; itself an ASGI app. `sessions` holds one Session for each WebSocket connection, in order."""

    def __init__(self, app: ASGIApp, trace: Trace | None = None) -> None:
        self.app = app
        self.trace = Trace() if trace is None else trace
        self.sessions: list[Session] = []
        self.lifespan_error: BaseException | None = None
        self._channels: list[_Channel] = []

    def cut(self) -> None:
        """Let go of the server, when it has stopped."""
        for channel in self._channels:
            channel.cut()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app for one scope; exceptions pass through to the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = scope.get("client")
        session = Session(self.trace, self.trace.peer(int(address[1]) if address else len(self.sessions)))
        session.main = asyncio.current_task()
        self.sessions.append(session)
        _current.set(session)  # never reset: what the server logs in this task afterwards belongs to the session too
        gives = f"{session.letter}.ended"
        channel = (_Silent if self.trace.silent else _Channel)(session, receive, send)
        self._channels.append(channel)
        try:
            await self.app(scope, channel.receive, channel.send)
        except asyncio.CancelledError as error:
            session.ended, session.error = "cancelled", error
            session.record(Event(session.app, "is cancelled"), gives=gives, final=True)
            raise
        except Interrupted as error:
            session.ended, session.error = "cancelled", error  # the server need not hear of it
            session.record(Event(session.app, "is cancelled", describe(error)), gives=gives, final=True)
        except BaseException as error:
            session.ended, session.error = "raised", error
            session.where = [] if self.trace.silent else _stack(error)
            session.record(Event(session.app, "raises", describe(error)), gives=gives, final=True)
            raise
        else:
            session.ended = "returned"
            session.record(Event(session.app, "returns"), gives=gives, final=True)
        finally:
            session.end()

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the lifespan protocol on, but let an app that takes it for a connection fail at once.

        Without this, an app that loops over receive() would keep its server from starting, for ever.
        """
        answered = asked = False

        async def once() -> Message:
            nonlocal asked
            if asked and not answered:
                raise RuntimeError("this app does not speak the lifespan protocol")
            asked = True
            return await receive()

        async def lifespan_only(message: Message) -> None:
            nonlocal answered
            if not message["type"].startswith("lifespan."):
                raise RuntimeError("this app does not speak the lifespan protocol")
            answered = True
            if message["type"] == "lifespan.startup.failed":
                self.lifespan_error = sys.exception()  # frameworks say so while they handle it
            await send(message)

        try:
            await self.app(scope, once, lifespan_only)
        except BaseException as error:
            self.lifespan_error = self.lifespan_error or error
            raise


class _Channel:
    """What the app gets as `receive` and `send`: the server's own, with every call recorded."""

    def __init__(self, session: Session, receive: Receive, send: Send) -> None:
        self.session = session
        self._receive = receive
        self._send = send

    def cut(self) -> None:
        """Forget the server's callables; an exception that keeps this channel alive must not keep the server too."""

        async def gone(*_: object) -> Message:
            raise RuntimeError("the server of this connection has stopped")

        self._receive = self._send = gone  # type: ignore[assignment]

    async def receive(self) -> Message:
        session, caller = self.session, _current.get() or self.session
        try:
            with _outside():
                message = await self._receive()
        except Exception as error:
            session.record(Event(caller.lifeline(), "receive raises", describe(error)), caller=caller)
            raise
        kind = message["type"]
        needs = [f"{session.letter}.open"]
        if kind == "websocket.receive":
            session.received += 1
            needs = [f"{session.letter}.up.{session.received}"]
        elif kind == "websocket.disconnect":
            session.codes.append(int(message.get("code") or 1005))
            needs = ["stop", f"{session.letter}.end"]
            if len(session.codes) % 100 == 0:
                await asyncio.sleep(0)  # a server may hand this out for ever without a pause: let others run
        session.record(Event("server", kind, _detail(message), caller.lifeline()), needs=needs, caller=caller)
        return message

    async def send(self, message: Message) -> None:
        session, caller = self.session, _current.get() or self.session
        kind = message["type"]
        session.sends_after_close += session.closes > 0
        session.closes += kind == "websocket.close"
        session.sent += kind == "websocket.send"
        token = {"websocket.accept": "accept", "websocket.close": "closing"}.get(kind, f"down.{session.sent}")
        # One member of a chat room may write to another's connection: then say whose.
        detail = _detail(message) + ("" if caller is session else f" to {session.letter}")
        event = Event(caller.lifeline(), kind, detail.strip(), "server")
        session.record(event, gives=f"{session.letter}.{token}", caller=caller)
        told = bool(session.codes)
        try:
            with _outside():
                await self._send(message)
        except Exception as error:
            session.refusals += [] if told else [error]
            needs = ["stop", f"{session.letter}.end"]
            session.record(Event(caller.lifeline(), "send raises", describe(error)), needs=needs, caller=caller)
            raise


class _Silent(_Channel):
    """Counts, and draws nothing: what an exploration needs of thousands of sessions."""

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self.session.received += 1
        elif message["type"] == "websocket.disconnect":
            self.session.codes.append(int(message.get("code") or 1005))
        return message

    async def send(self, message: Message) -> None:
        session, kind = self.session, message["type"]
        session.sends_after_close += session.closes > 0
        session.closes += kind == "websocket.close"
        session.sent += kind == "websocket.send"
        told = bool(session.codes)
        try:
            await self._send(message)
        except Exception as error:
            session.refusals += [] if told else [error]
            raise


def _detail(message: Message) -> str:
    """Return the fields of an ASGI message that say something, as `key=value`."""
    said = {k: v for k, v in message.items() if k != "type" and v not in (None, "", b"", [], ())}
    return " ".join(f"{k}={int(v) if isinstance(v, int) else v!r}" for k, v in said.items())


@contextlib.contextmanager
def _outside() -> Iterator[None]:
    """Run a server's own code: tasks that it creates here are not the app's."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


_watched: dict[asyncio.AbstractEventLoop, int] = {}


@contextlib.contextmanager
def watch_tasks(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While the block runs, let every session know the tasks that its code creates. Blocks may overlap."""
    before: Any = loop.get_task_factory()

    def factory(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any]
        task = asyncio.Task(coro, loop=loop, **options) if before is None else before(loop, coro, **options)
        context: Context | None = options.get("context")
        session = _current.get() if context is None else context.get(_current)
        if session is not None:
            session.spawned(task)
        return task

    factory.before = before  # type: ignore[attr-defined]  # for whoever leaves last
    if loop not in _watched:
        loop.set_task_factory(factory)  # type: ignore[arg-type]  # asyncio's own protocol allows fewer factories
    _watched[loop] = _watched.get(loop, 0) + 1
    try:
        yield
    finally:
        _watched[loop] -= 1
        if not _watched[loop]:
            del _watched[loop]
            loop.set_task_factory(getattr(loop.get_task_factory(), "before", None))
