"""Ends a connection at every moment, in every way, as every server would, and tells what becomes of the app.

First the app runs undisturbed, which counts its receives, its sends and its awaits. Then it runs once for each
schedule: a model of a server, an ending and a moment; and once for each await, where its task is cancelled.
All of this happens in memory and in virtual time, on a loop of its own in a thread of its own. Equal apps give equal
reports. A schedule has a name, such as `granian/reset@receive#2`, by which `replay` runs it again, with its picture.
Asked for, more sessions are played in other orders of tasks than asyncio's own: that is hangup.explorer.orders.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hangup.explorer.apps.conversation import ParsedScript
from hangup.explorer.apps.play import Play
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.invariant import Invariant, rules_with, with_invariant
from hangup.explorer.names import choose
from hangup.explorer.orders.explore import OrderExploration
from hangup.explorer.orders.play import OrderedPlay
from hangup.explorer.report import Findings, Report, spread
from hangup.record.recorder import ASGIApp, Session, watch_tasks
from hangup.record.rules import GENERAL, Rule
from hangup.record.threads import run_in_thread
from hangup.servers.memory import Moment
from hangup.servers.models import ENDINGS, EXPLORED, MODELS
from hangup.servers.script import HELLO, Script
from hangup.time.order import ordered_tasks
from hangup.time.virtual import VirtualLoop
from hangup.trace.trace import Trace

Probe = Callable[[ASGIApp, Session], None]


def explore(
    app: ASGIApp | None = None,
    script: Script = HELLO,
    *,
    make: Callable[[], ASGIApp] | None = None,
    rules: Sequence[Rule] = GENERAL,
    probe: Probe = lambda *_: None,
    models: Sequence[str] = EXPLORED,
    endings: Sequence[str] = (*ENDINGS, "cancel"),
    limit: int = 2_000,
    seconds: float = 60.0,
    path: str = "/",
    lifespan: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
    order: int = 0,
    invariant: Invariant | None = None,
) -> Report:
    """Explore an app, or what `make` returns anew for each session, and return the Report.

    `probe` may add facts to a session for `rules` to judge. `models` are names of servers (hangup.servers.models),
    `endings` some of "close", "fin", "reset", "shutdown" and "cancel". Above `limit` schedules, so many are explored,
    spread evenly. An app that spins is not explored further. The client asks for `path`, which may have a query. With
    `lifespan`, the app's lifespan starts before each session and is shut down after it (asgi lifespan.rst).
    With `order`, so many more sessions are played in other orders of tasks (hangup.explorer.orders), with `make` each
    on an app of its own. `invariant` is called with the app after each session, and says what is wrong, or None.
    `progress` is called after each schedule with how many are done and how many there are to do.
    Raises TypeError or ValueError with a sentence for what is no script, no model or no ending.
    Raises Stuck when it takes longer than `seconds`, which it does only if the app holds its event loop, and at once
    when the app does not end though it is cancelled again and again.
    """
    if app is not None:
        make = _always(app)
    if make is None:
        raise TypeError("explore() takes an app, or make=, a function that returns a new one for each session.")
    choose("model", models, MODELS)
    choose("ending", endings, (*ENDINGS, "cancel"))
    findings, probe = Findings(rules_with(tuple(rules), invariant)), with_invariant(probe, invariant)
    exploration = _Exploration(make, ParsedScript.of(script), findings, probe, path, lifespan)

    async def work() -> None:
        with watch_tasks(asyncio.get_running_loop()):
            await exploration.explore(models, endings, limit, progress)
        if order:
            with ordered_tasks(asyncio.get_running_loop()), watch_tasks(asyncio.get_running_loop()):
                await exploration.orders(progress).explore(Schedule(models[0], "close"), order)

    run_in_thread(work, seconds=seconds, loop_factory=VirtualLoop)
    return findings.report()


def replay(
    app: ASGIApp,
    schedule: str,
    script: Script = HELLO,
    *,
    probe: Probe = lambda *_: None,
    seconds: float = 30.0,
    path: str = "/",
    lifespan: bool = False,
    invariant: Invariant | None = None,
) -> Session:
    """Run one schedule again and return client a's Session, whose trace is the picture; `others` has the others'."""

    async def work() -> Session:
        wanted, loop = Schedule.parse(schedule), asyncio.get_running_loop()
        kind = Play if wanted.order is None else functools.partial(OrderedPlay, wanted.order.choose, explain=True)
        with ordered_tasks(loop) if wanted.order is not None else contextlib.nullcontext(), watch_tasks(loop):
            trace = Trace(server=wanted.model)
            session = await kind(app, ParsedScript.of(script), wanted, trace, path, lifespan=lifespan).play()
            for each in (session, *session.others):
                with_invariant(probe, invariant)(app, each)
            return session

    return run_in_thread(work, seconds=seconds, loop_factory=VirtualLoop)


def _always(app: ASGIApp) -> Callable[[], ASGIApp]:
    return lambda: app


@dataclass(frozen=True)
class _Exploration:
    """Plays every schedule of an app, or as many as are wanted."""

    make: Callable[[], ASGIApp]
    script: ParsedScript
    findings: Findings
    probe: Probe
    path: str
    lifespan: bool

    async def explore(
        self, models: Sequence[str], endings: Sequence[str], limit: int, progress: Callable[[int, int], None]
    ) -> None:
        plan = await self.plan(models, endings)
        self.findings.schedules = len(plan)
        for schedule in spread(plan, limit):
            spins = await self.judged(schedule)
            progress(self.findings.explored, min(limit, len(plan)))
            if spins:
                self.findings.stopped = True  # each session of an app that spins takes long
                return

    async def plan(self, models: Sequence[str], endings: Sequence[str]) -> list[Schedule]:
        """Run the app undisturbed on each model and return every schedule that follows from what it did."""
        plan = []
        for model in models:
            row = MODELS[model]
            ways = [e for e in endings if e in ENDINGS and (e in row.told or row.cancels)]
            play = await self.undisturbed(Schedule(model, "close"))
            calls = [Moment("send", n + 1) for n in range(play.calls["send"])]
            calls += [Moment("receive", n + 2) for n in range(max(play.calls["receive"] - 1, 0))]
            for ending in ways:
                plan += [Schedule(model, ending, moment) for moment in (*calls, None)]
            if play.spins:
                return plan
        if "cancel" in endings and models:
            play = await self.undisturbed(Schedule(models[0], "close", cancel_at=-1))
            plan += [Schedule(models[0], "close", cancel_at=n + 1) for n in range(play.awaits)]
        return plan

    async def undisturbed(self, schedule: Schedule) -> Play:
        """Play a schedule for what it says of the app's calls and awaits."""
        play = self._play(self.make(), schedule)
        (await play.play()).drop_references()
        return play

    async def judged(self, schedule: Schedule) -> bool:
        """Play a schedule and judge what came of it; return whether the app spins."""
        app = self.make()
        play = self._play(app, schedule)
        session = await play.play()
        sessions = (session, *session.others)
        for each in sessions:
            self.probe(app, each)
        self.findings.add(str(schedule), sessions)
        for each in sessions:
            each.drop_references()
        return play.spins

    def orders(self, progress: Callable[[int, int], None]) -> OrderExploration:
        """Return what explores the order of tasks, after this."""
        options = {"lifespan": self.lifespan}
        return OrderExploration(self.make, self.script, self.findings, self.probe, self.path, options, progress)

    def _play(self, app: ASGIApp, schedule: Schedule) -> Play:
        return Play(app, self.script, schedule, Trace(silent=True), self.path, lifespan=self.lifespan)
