"""A connection as the app lived it, a Session: what the app did and was told, what became of its tasks, what else."""

import asyncio
import re
import traceback
import types
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hangup.record.errors import describe
from hangup.record.internals import never_retrieved, peek_exception, running_task
from hangup.trace.events import Event
from hangup.trace.trace import Trace

if TYPE_CHECKING:
    import weakref

    from hangup.record.evidence.logged import Logged

Ended = Literal["running", "returned", "raised", "cancelled"]

RECORDED_EVENTS = 2_000
_NOBODY = None, -1


@dataclass(eq=False, slots=True, weakref_slot=True)
class Session:
    """One connection as the app lived it: facts for rules to judge, and the trace to show.

    `sent` and `received` count data messages; `codes` holds the code of every disconnect message that the app was
    given, so its length tells how often; `sends_after_close` counts sends after a close of the app's own,
    `refusals` holds what send() raised because the peer had left, before the app had been told; `late` what it raised
    later. `error` is the exception that the app let out and `where` its stack, outermost call first. `left` names the
    tasks that ran on when the app had ended, `never_retrieved` those for whose exception nobody had asked, with its
    words. `schedule` says when and how the connection was made to end, such as `granian/reset`; `facts` is whatever an
    exercise adds.
    """

    trace: Trace
    letter: str
    schedule: str = ""
    ended: Ended = "running"
    error: BaseException | None = None

    # ---- what the app is told, and does ---------------------------------------------------------------------------

    codes: list[int] = field(default_factory=list, init=False)
    sent: int = field(default=0, init=False)
    received: int = field(default=0, init=False)
    closes: int = field(default=0, init=False)
    asking: int = field(default=0, init=False)
    """How many calls of receive() wait now; counted where the session is drawn, as what follows is."""
    said: list[int] | None = field(default=None, init=False, repr=False)
    """What send() was given as data messages, in order: the hash of each one's repr."""
    taken: int = field(default=0, init=False)
    """For how many of them send() has returned."""
    sends_after_close: int = field(default=0, init=False)
    refusals: Sequence[BaseException] = field(default=(), init=False)
    late: Sequence[BaseException] = field(default=(), init=False)
    where: Sequence[traceback.FrameSummary] = field(default=(), init=False, repr=False)
    main: "asyncio.Task[Any] | None" = field(default=None, init=False, repr=False)
    _finished: asyncio.Event | None = field(default=None, init=False, repr=False)
    _over: bool = field(default=False, init=False)
    cancelled_by: str = field(default="", init=False)
    """Who had a reason to cancel the app: "server", when it stopped, or "schedule", when an exploration does so."""
    _recorded: int = field(default=0, init=False)
    _told: "tuple[asyncio.Task[Any] | None, int]" = field(default=(None, -1), init=False, repr=False)
    """Which task was told of the end last, and in which turn of the loop; -1 where nobody counts them."""

    # ---- what becomes of its tasks -------------------------------------------------------------------------------

    tasks: "dict[asyncio.Task[Any], str]" = field(default_factory=dict, init=False, repr=False)
    excuse: Collection[str] = field(default=(), init=False)
    """Names of tasks, or of their coroutine functions, that may run on."""
    left: Sequence[str] = field(default=(), init=False)
    never_retrieved: Sequence[str] = field(default=(), init=False)
    left_at_shutdown: Sequence[str] = field(default=(), init=False)
    """The tasks that still ran when the app's lifespan had ended."""
    left_for_good: Sequence[str] = field(default=(), init=False)
    """The tasks that never ended by themselves, as far as an exploration waited for them."""
    lingered: Sequence[tuple[str, float]] = field(default=(), init=False)
    """The tasks that ended by themselves some time after the app, and how many seconds after it."""
    timers: Sequence[str] = field(default=(), init=False)
    """The names of what is called by timers that set themselves anew for ever, as far as an exploration waited."""
    _ended_at: float = field(default=0.0, init=False)
    _ends_by_itself: bool = field(default=True, init=False)
    """Whether a task that ends now does so by itself, and not for a shutdown or a cancellation."""
    _stopped: Sequence[str] = field(default=(), init=False)

    # ---- what else it shows -----------------------------------------------------------------------------------------

    facts: dict[str, Any] = field(default_factory=dict, init=False)
    outside: Sequence[str] = field(default=(), init=False)
    """What failed where no task of the app's ran, such as in a callback, in words."""
    logged: "Sequence[Logged]" = field(default=(), init=False)
    """The errors that the app logged about a peer that had left."""
    unrun: Sequence[str] = field(default=(), init=False)
    """The background tasks that were added and never run."""
    connection: "weakref.ref[Any] | None" = field(default=None, init=False, repr=False)
    """What the app got as receive and send, for as long as somebody keeps it."""
    others: "Sequence[Session]" = field(default=(), init=False, repr=False)
    """The sessions of the clients that a script has beside client a."""

    def hears_goodbye(self, code: int | None) -> None:
        """Take note that the task that runs now is told of the end; without a code it is 1005 (RFC 6455, 7.1.5)."""
        self.codes.append(int(code or 1005))
        loop = asyncio.get_running_loop() if self.main is None else self.main.get_loop()
        self._told = running_task(loop), _turn(loop)

    def in_one_breath(self, error: Exception) -> bool:
        """Return whether this send failed within a turn of another task's being told of the end: it could not know.

        It should have been an OSError (www.rst, Disconnected Client - send exception), which an app has to catch.
        """
        told, turn = self._told
        if self.closes or isinstance(error, OSError) or turn < 0 or told is asyncio.current_task():
            return False
        return _turn(asyncio.get_running_loop()) <= turn + 1

    def refused(self, error: Exception, *, told: bool) -> None:
        """Take note of what a send has raised; `told` says whether the app could know before that the peer has left."""
        if told and not self.in_one_breath(error):
            self.late = (*self.late, error)
        else:
            self.refusals = (*self.refusals, error)

    @property
    def finished(self) -> asyncio.Event:
        """An event that is set once the app has ended; it is made when first asked for."""
        if self._finished is None:
            self._finished = asyncio.Event()
            if self._over:
                self._finished.set()
        return self._finished

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
            self._ended_at = task.get_loop().time()
            if not task.done():
                self.record(Event(line, "note", "still running"))
        if self.tasks:
            self.left = self.still_running()
        self._over = True
        if self._finished is not None:
            self._finished.set()

    def still_running(self) -> list[str]:
        """Return the names of the spawned tasks that run now, but for those that are excused."""
        return [self.name_of(task) for task in self.tasks if not task.done() and not self._excused(task)]

    def stops(self, beside: Sequence[str] = ()) -> None:
        """Take note that whatever ends from now on does not do so by itself: the app shuts down, or is cancelled.

        `beside` names tasks of the app's that run beside all sessions.
        """
        self._ends_by_itself = False
        if beside or self.tasks:
            self._stopped = (*self._stopped, *beside, *(self.name_of(task) for task in self.tasks if not task.done()))

    def stopped(self) -> list[str]:
        """Return the names of the tasks, excused ones too, that had to be stopped when the session was over."""
        if not self._stopped:
            return []
        by_itself = {name for name, _ in self.lingered}
        return [name for name in dict.fromkeys(self._stopped) if name not in by_itself]

    def shut_down(self) -> None:
        """Take note of the tasks that run on though the app's lifespan has ended."""
        self._ends_by_itself = True
        self.left_at_shutdown = self.still_running()
        if self.left_at_shutdown:
            self._ended_at = asyncio.get_running_loop().time()

    def _excused(self, task: "asyncio.Task[Any]") -> bool:
        qualname: str = getattr(task.get_coro(), "__qualname__", "")
        names = {task.get_name(), qualname, qualname.rpartition(".")[2]}
        return bool(self.excuse) and not names.isdisjoint(self.excuse)

    def drop_references(self) -> None:
        """Let go of the app's tasks and exceptions, whose frames hold this session: a circle that costs a collector."""
        self.main = self.error = None
        self._told = _NOBODY
        self.refusals = self.late = ()
        self.tasks.clear()

    def retrieve_exceptions(self) -> list[BaseException]:
        """Return the exceptions of tasks, and note whose nobody asked for; asyncio would log those, some time later."""
        if not self.tasks:
            return []
        done = [task for task in self.tasks if task.done() and not task.cancelled()]
        self.never_retrieved = [
            *self.never_retrieved,
            *(
                f"{self.name_of(task)} ({describe(error)})"
                for task in done
                if never_retrieved(task) and (error := peek_exception(task))
            ),
        ]
        return [error for task in done if (error := task.exception())]

    def _task_done(self, task: "asyncio.Task[Any]") -> None:
        if task not in self.tasks:
            return  # it ended in the last turn of a session that is judged by now
        name = self.name_of(task)
        line = self.tasks[task]
        if self._over and self._ends_by_itself and not self._excused(task):
            seconds = task.get_loop().time() - self._ended_at
            if seconds > 0:
                self.lingered = (*self.lingered, (name, seconds))
        if task.cancelled():
            self.record(Event(line, "is cancelled"))
        elif error := peek_exception(task):
            self.record(Event(line, "raises", describe(error)))
        else:
            self.record(Event(line, "returns"))


def _turn(loop: asyncio.AbstractEventLoop) -> int:
    """Return how often a loop has turned, -1 where it does not say."""
    return getattr(loop, "turn", -1)
