"""Ends a connection at every moment, in every way, as every server would, and tells what becomes of the app.

First the app runs undisturbed, which counts its receives, its sends and its awaits. Then it runs once for each
schedule: a model of a server, an ending and a moment; and once for each await, where its task is cancelled.
All of this happens in memory and in virtual time, on a loop of its own in a thread of its own. Equal apps give equal
reports. A schedule has a name, such as `granian/reset@receive#2`, by which `replay` runs it again, with its picture.

The shape is that of SQLAlchemy's testing/cancellation.py: a coroutine that counts what passes through it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import unquote

from helpers.memory import TURNS, MemoryConnection, Moment, VirtualLoop
from helpers.models import ENDINGS, MODELS
from helpers.recorder import ASGIApp, Recorder, Session, watch_tasks
from helpers.rules import GENERAL, Rule
from helpers.sessions import HELLO, Script
from helpers.table import Table
from helpers.threads import Stuck, run_in_thread
from helpers.trace import Event, Trace

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
Probe = Callable[[ASGIApp, Session], None]
_given_up: "list[asyncio.Task[Any]]" = []


@dataclass(frozen=True)
class Schedule:
    """Which server, how the connection ends, and when: before a call (`moment`), or the app's task is cancelled.

    Without a moment the client says all its lines and then leaves. `cancel_at` counts the awaits of the app's task.
    """

    model: str
    ending: str
    moment: Moment | None = None
    cancel_at: int = 0

    def __str__(self) -> str:
        """Return the stable name."""
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


@dataclass(frozen=True)
class Broken:
    """A schedule under which a rule did not hold, and what happened instead."""

    rule: str
    schedule: str
    got: str


@dataclass(frozen=True)
class Report:
    """What an exploration found: how many schedules there are and were explored, and which broke what, in order."""

    schedules: int
    explored: int
    broken: tuple[Broken, ...]
    how: tuple[tuple[str, str], ...] = field(repr=False)
    """For each explored schedule its name and how the app ended."""
    unfired: int = 0
    """How many schedules never came to their moment, because the app did not do again what it did undisturbed."""

    @property
    def ok(self) -> bool:
        """Whether every rule held everywhere."""
        return not self.broken

    @property
    def table(self) -> Table:
        """For each server and ending, how many schedules broke a rule."""
        bad = {broken.schedule for broken in self.broken}
        total: Counter[tuple[str, str]] = Counter()
        wrong: Counter[tuple[str, str]] = Counter()
        for name, _ in self.how:
            key = (name.partition("/")[0], name.partition("/")[2].partition("@")[0])
            total[key] += 1
            wrong[key] += name in bad
        models, endings = dict.fromkeys(k[0] for k in total), dict.fromkeys(k[1] for k in total)
        rows = [(model, *(_field(total[model, e], wrong[model, e]) for e in endings)) for model in models]
        return Table(("server", *endings), tuple(rows))

    def __str__(self) -> str:
        """Return the table and the first schedule that broke each rule."""
        return f"{self.table}\n\n{self.findings}"

    @property
    def findings(self) -> str:
        """How many schedules were explored, and for each broken rule what happened, where first and how often."""
        cut = f" of {self.schedules:,}, spread evenly" if self.explored < self.schedules else ""
        bad = len({broken.schedule for broken in self.broken})
        lines = [f"explored {self.explored:,}{cut}; {bad} break a rule"]
        if self.unfired:
            lines.append(f"{self.unfired:,} never came to their moment: this app does not do the same thing twice")
        for rule in dict.fromkeys(broken.rule for broken in self.broken):
            found = [broken for broken in self.broken if broken.rule == rule]
            lines.append(f"✗ {rule}: {found[0].got}\n    first at {found[0].schedule}, {len(found)} in all")
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        table = self.table._repr_mimebundle_()["text/html"]
        return {"text/html": f"{table}<pre>{escape(self.findings)}</pre>", "text/plain": str(self)}


def _field(total: int, wrong: int) -> str:
    if not total:
        return ""
    return f"✗ {wrong} of {total}" if wrong else f"✓ {total}"


def explore(
    app: ASGIApp | None = None,
    script: Script = HELLO,
    *,
    make: Callable[[], ASGIApp] | None = None,
    rules: Sequence[Rule] = GENERAL,
    probe: Probe = lambda *_: None,
    models: Sequence[str] = tuple(MODELS),
    endings: Sequence[str] = (*ENDINGS, "cancel"),
    limit: int = 2_000,
    seconds: float = 60.0,
    path: str = "/",
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Report:
    """Explore an app, or what `make` returns anew for each session, and return the Report.

    `probe` may add facts to a session for `rules` to judge. Above `limit` schedules, so many are
    explored, spread evenly.
    An app that spins is not explored further. The client asks for `path`, which may have a query.
    `progress` is called after each schedule with how many are done and how many there are to do.
    Raises Stuck when it takes longer than `seconds`, which it does only if the app holds its event loop, and at once
    when the app does not end though it is cancelled again and again.
    """
    if app is not None:
        make = _always(app)
    if make is None:
        raise TypeError("explore() takes an app, or make=, a function that returns a new one for each session.")
    build = make
    judged: list[tuple[str, Session]] = []
    total = 0

    async def work() -> None:
        nonlocal total
        with watch_tasks(asyncio.get_running_loop()):
            plan = await _plan(build, script, models, endings, path)
            total = len(plan)
            for schedule in _spread(plan, limit):
                session = await _session(build(), script, schedule, Trace(silent=True), probe, path)
                judged.append((str(schedule), session))
                progress(len(judged), min(limit, total))
                if session.facts["turned"]:
                    break  # each session of an app that spins takes long

    run_in_thread(work, seconds=seconds, loop_factory=VirtualLoop)
    broken = [
        Broken(rule.sentence, name, got)
        for rule in rules
        for name, session in judged
        if (got := rule.test(session)) is not None
    ]
    how = tuple((name, session.ended) for name, session in judged)
    unfired = sum(not session.facts["fired"] for _, session in judged)
    return Report(total, len(judged), tuple(broken), how, unfired)


def replay(
    app: ASGIApp,
    schedule: str,
    script: Script = HELLO,
    *,
    probe: Probe = lambda *_: None,
    seconds: float = 30.0,
    path: str = "/",
) -> Session:
    """Run one schedule again and return its Session, whose trace is the picture."""

    async def work() -> Session:
        wanted = Schedule.parse(schedule)
        with watch_tasks(asyncio.get_running_loop()):
            return await _session(app, script, wanted, Trace(server=wanted.model), probe, path)

    return run_in_thread(work, seconds=seconds, loop_factory=VirtualLoop)


def _always(app: ASGIApp) -> Callable[[], ASGIApp]:
    return lambda: app


def _spread(plan: Sequence[Schedule], limit: int) -> Iterator[Schedule]:
    count = min(limit, len(plan))
    return (plan[i * len(plan) // count] for i in range(count))


async def _plan(
    build: Callable[[], ASGIApp], script: Script, models: Sequence[str], endings: Sequence[str], path: str
) -> list[Schedule]:
    """Run the app undisturbed on each model and return every schedule that follows from what it did."""
    plan = []
    for model in models:
        known = MODELS[model]
        ways = [e for e in endings if e in ENDINGS and (e in known.told or known.cancels)]
        run = _Run(build(), script, Schedule(model, "close"), Trace(silent=True), path)
        await run.play()
        calls = [Moment("send", n + 1) for n in range(run.before["send"])]
        calls += [Moment("receive", n + 2) for n in range(max(run.before["receive"] - 1, 0))]
        for ending in ways:
            plan += [Schedule(model, ending, moment) for moment in (*calls, None)]
        if run.turned:
            return plan
    if "cancel" in endings and models:
        run = _Run(build(), script, Schedule(models[0], "close", cancel_at=-1), Trace(silent=True), path)
        await run.play()
        plan += [Schedule(models[0], "close", cancel_at=n + 1) for n in range(run.awaits)]
    return plan


async def _session(app: ASGIApp, script: Script, schedule: Schedule, trace: Trace, probe: Probe, path: str) -> Session:
    run = _Run(app, script, schedule, trace, path)
    session = await run.play()
    probe(app, session)
    return session


class _Run:
    """One session: the app on a connection in memory, until it ends or nothing can happen any more."""

    def __init__(self, app: ASGIApp, script: Script, schedule: Schedule, trace: Trace, path: str) -> None:
        self.schedule = schedule
        self.path = path
        self.recorder = Recorder(app, trace)
        drawn = None if trace.silent else trace
        self.connection = MemoryConnection(MODELS[schedule.model], script, schedule.ending, schedule.moment, drawn)
        self.connection.yields = bool(schedule.cancel_at)
        self.awaits = 0
        self.before = {"send": 0, "receive": 0}
        self.trace = trace
        self.turned = False
        self.wake: asyncio.Future[None] | None = None
        self.timers: list[asyncio.TimerHandle] = []

    async def play(self) -> Session:
        """Run the app to its end and return the session, with nothing left of it on the loop."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.turns = 0
        loop.on_idle = self._wake
        self.connection.on_leave = self._left
        if not self.trace.silent:
            self.trace.peer(1)
            opening = Event("client a", "GET", self.path, "server")
            self.trace.record(opening, chains=("client a",), gives="a.open", rank=(2, "a"))
        raw, _, query = self.path.partition("?")
        asked = {"path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode()}
        scope = SCOPE | asked | {"state": {}}
        call = self.recorder(scope, self.connection.receive, self.connection.send)
        task = loop.create_task(self._counted(call))
        self.timers.append(loop.call_later(LIFETIME, self._wake))
        await self._until([task])
        self.turned = loop.turns > TURNS
        session = self.recorder.sessions[0]
        if not self.connection.gone:
            self.before = {"send": self.connection.sends, "receive": self.connection.receives}
        await self._finish(session, task)
        for timer in self.timers:
            timer.cancel()
        session.schedule = str(self.schedule)
        if not (self.connection.accepted or self.connection.gone or self.schedule.cancel_at):
            self.connection.missed.append("the connection was not accepted")
        unfinished = self.connection.unfinished and self.connection.gone in {"", "own"} and not self.schedule.moment
        if unfinished and not self.connection.missed:
            closed = "the connection was closed before the client had finished"
            self.connection.missed.append("waited for an answer that did not come" if self.turned else closed)
        session.facts["unanswered"] = [] if self.schedule.cancel_at else self.connection.missed
        session.facts["spun"] = self.connection.spun
        session.facts["turned"] = self.turned
        cancelled = self.schedule.cancel_at and session.cancelled_by == "schedule"
        session.facts["fired"] = bool(cancelled or self.connection.gone)
        session.look_at_errors()
        return session

    async def _finish(self, session: Session, task: "asyncio.Task[Any]") -> None:
        if not task.done():
            session.cancelled_by = "server"
            session.record(Event(session.app, "never returns", "it is cancelled now"), final=True)
        left = [t for t in (*session.tasks, task) if not t.done()]
        for _ in range(3):
            if not left:
                return
            for each in left:
                each.cancel()
            await self._until(left)
            left = [t for t in left if not t.done()]
        if left:
            for each in left:
                asyncio._unregister_task(each)  # the loop's end would wait for it
            _given_up.extend(left)  # what ignores even the end of its coroutine must not be collected
            raise Stuck(loop_runs=True)

    async def _until(self, tasks: "Sequence[asyncio.Task[Any]]") -> None:
        """Wait until all tasks are done, or nothing can happen any more, or time is up."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.turns = 0
        self.wake = loop.create_future()
        for task in tasks:
            task.add_done_callback(lambda _: self._wake() if all(t.done() for t in tasks) else None)
        await self.wake
        self.wake = None

    def _wake(self) -> None:
        if self.wake is not None and not self.wake.done():
            self.wake.set_result(None)

    def _left(self) -> None:
        if self.connection.spun:
            self._wake()
            return
        self.before = {"send": self.connection.sends, "receive": self.connection.receives}
        model = self.connection.model
        untold = self.schedule.ending == "shutdown" and "shutdown" not in model.told
        loop = asyncio.get_running_loop()
        self.timers.append(loop.call_later(LINGER, self._shut_down if untold and model.cancels else self._wake))

    def _shut_down(self) -> None:
        """Cancel the app, as a server does whose graceful shutdown has lasted long enough."""
        session = self.recorder.sessions[0]
        if session.main is not None and not session.finished.is_set():
            session.cancelled_by = "shutdown"
            session.main.cancel()
            self.timers.append(asyncio.get_running_loop().call_later(LINGER, self._wake))

    async def _counted(self, call: Any) -> None:
        try:
            await _Counted(call, self)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:  # the recorder has it; nobody else will ask this task for it
            return


class _Counted:
    """Awaits a coroutine, counts how often it waits, and cancels the task at one of these moments."""

    def __init__(self, coroutine: Any, run: _Run) -> None:
        self.coroutine = coroutine
        self.run = run

    def __await__(self) -> Generator[Any, Any, Any]:
        run, steps = self.run, self.coroutine.__await__()
        task = asyncio.current_task()
        assert task is not None
        resume: tuple[Callable[[Any], Any], Any] = steps.send, None
        try:
            while True:
                waited_for = resume[0](resume[1])
                run.awaits += 1
                if run.awaits == run.schedule.cancel_at:
                    run.recorder.sessions[0].cancelled_by = "schedule"
                    task.get_loop().call_soon(task.cancel)
                try:
                    resume = steps.send, (yield waited_for)
                except GeneratorExit:  # the task is given up
                    steps.close()
                    raise
                except BaseException as error:
                    if isinstance(error, asyncio.CancelledError) and not run.connection.gone:
                        run.recorder.sessions[0].facts["interrupted"] = True
                    resume = steps.throw, error
        except StopIteration as end:
            return end.value
