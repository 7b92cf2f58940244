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
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from hangup.explorer.apps.conversation import ParsedScript
from hangup.explorer.apps.ending import Patience
from hangup.explorer.apps.play import Play
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.invariant import Invariant, rules_with, with_invariant
from hangup.explorer.keeping import Keeping, Kept
from hangup.explorer.names import choose
from hangup.explorer.orders.explore import OrderExploration
from hangup.explorer.orders.play import OrderedPlay
from hangup.explorer.report import Broken, Findings, Judged, Report, spread
from hangup.record.evidence import watch
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import GENERAL, Rule, keeps_no_connection, leaves_no_task_for_good
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
    excuse: Collection[str] = (),
    order: int = 0,
    invariant: Invariant | None = None,
) -> Report:
    """Explore an app, or what `make` returns anew for each session, and return the Report.

    `probe` may add facts to a session for `rules` to judge. `models` are names of servers (hangup.servers.models),
    `endings` some of "close", "fin", "reset", "shutdown" and "cancel". Above `limit` schedules, so many are explored,
    spread evenly. An app that spins is not explored further. The client asks for `path`, which may have a query. With
    `lifespan`, the app's lifespan starts before each session and is shut down after it (asgi lifespan.rst).
    `progress` is called after each schedule with how many are done and how many there are to do. `excuse` are names of
    tasks, or of their coroutine functions, that may run on when a handler has ended.
    With `order`, so many more sessions are played in other orders of tasks (hangup.explorer.orders), with `make` each
    on an app of its own. `invariant` is called with the app after each session, and says what is wrong, or None.
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
    patience = Patience() if leaves_no_task_for_good in rules else None
    exploration = _Exploration(make, ParsedScript.of(script), findings, probe, path, lifespan, excuse, patience)

    async def work() -> None:
        with watch(asyncio.get_running_loop()):
            await exploration.explore(models, endings, limit, progress)
        if order:
            with ordered_tasks(asyncio.get_running_loop()), watch(asyncio.get_running_loop()):
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
    excuse: Collection[str] = (),
    closer: bool = False,
    invariant: Invariant | None = None,
) -> Session:
    """Run one schedule again and return client a's Session, whose trace is the picture; `others` has the others'.

    With `closer`, tasks that the app leaves behind get as much time as in an exploration, and more sessions follow, to
    find out what one alone does not tell: whether the connection is kept, and what the app logs undisturbed.
    """

    async def work() -> Session:
        wanted, read, loop = Schedule.parse(schedule), ParsedScript.of(script), asyncio.get_running_loop()
        kind = Play if wanted.order is None else functools.partial(OrderedPlay, wanted.order.choose, explain=True)
        with ordered_tasks(loop) if wanted.order is not None else contextlib.nullcontext(), watch(loop):
            trace = Trace(server=wanted.model)
            patience = Patience() if closer else None
            play = kind(app, read, wanted, trace, path, lifespan=lifespan, excuse=excuse, patience=patience)
            session = await play.play()
            for each in (session, *session.others):
                with_invariant(probe, invariant)(app, each)
            if closer and wanted.order is None:
                again = _Exploration(_always(app), read, Findings(()), probe, path, lifespan, excuse, patience)
                await again.look_closer(wanted, (session, *session.others))
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
    excuse: Collection[str]
    patience: Patience | None
    """None where no rule asks what becomes of tasks that their handlers leave behind."""
    usual: set[tuple[str, str, str]] = field(default_factory=set)
    """What an undisturbed app logs: that is not about a peer that has left."""
    early: dict[Schedule, Judged] = field(default_factory=dict)
    """What came of the schedules that were played to make the plan."""

    @functools.cached_property
    def keeping(self) -> Keeping[Schedule]:
        """What finds out whether the app keeps connections that are gone."""
        return Keeping(self.make, self._played)

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
                break
        for judged in self.early.values():
            if judged.broken:  # what was played is told, though it was not asked for
                self.findings.count(judged)
        if keeps_no_connection in self.findings.rules and not self.findings.stopped:
            self._tell(await self.keeping.confirm())

    async def plan(self, models: Sequence[str], endings: Sequence[str]) -> list[Schedule]:
        """Run the app undisturbed on each model and return every schedule that follows from what it did."""
        plan: list[Schedule] = []
        for model in models:
            row = MODELS[model]
            ways = [e for e in endings if e in ENDINGS and (e in row.told or row.cancels)]
            play = await self.undisturbed(Schedule(model, (ways or ["close"])[0]))
            calls = [Moment("send", n + 1) for n in range(play.calls["send"])]
            calls += [Moment("receive", n + 2) for n in range(max(play.calls["receive"] - 1, 0))]
            for ending in ways:
                plan += [Schedule(model, ending, moment) for moment in (*calls, None)]
            if play.spins:
                return plan
        if "cancel" in endings and models:
            play = self._play(self.make(), Schedule(models[0], "close", cancel_at=-1))
            (await play.play()).drop_references()
            plan += [Schedule(models[0], "close", cancel_at=n + 1) for n in range(play.awaits)]
        return plan

    async def undisturbed(self, schedule: Schedule) -> Play:
        """Play a schedule for what it says of the app's calls; judge it, too: an app may break something but once."""
        app = self.make()
        play = self._play(app, schedule)
        session = await play.play()
        sessions = (session, *session.others)
        for each in sessions:
            self.usual.update(logged.key for logged in each.logged)
        self.early[schedule] = self._judge(app, schedule, sessions)
        return play

    async def judged(self, schedule: Schedule) -> bool:
        """Play a schedule and judge what came of it; return whether the app spins."""
        app = self.make()
        play = self._play(app, schedule)
        session = await play.play()
        sessions = (session, *session.others)
        self.findings.count(self._judge(app, schedule, sessions), self.early.pop(schedule, None))
        return play.spins

    def orders(self, progress: Callable[[int, int], None]) -> OrderExploration:
        """Return what explores the order of tasks, after this."""
        options = {"lifespan": self.lifespan, "excuse": self.excuse, "patience": self.patience}
        return OrderExploration(self.make, self.script, self.findings, self.probe, self.path, options, progress)

    def _judge(self, app: ASGIApp, schedule: Schedule, sessions: Sequence[Session]) -> Judged:
        for each in sessions:
            if each.logged:
                each.logged = [logged for logged in each.logged if logged.key not in self.usual]
            self.probe(app, each)
        judged = self.findings.judge(str(schedule), sessions)
        for each in sessions:
            each.drop_references()
        if keeps_no_connection in self.findings.rules and _may_keep(schedule, sessions):
            self.keeping.look(app, schedule, sessions)
        return judged

    def _tell(self, kept: "Sequence[Kept[Schedule]]") -> None:
        place = list(self.findings.rules).index(keeps_no_connection)
        order = {name: number for number, (name, _) in enumerate(self.findings.how)}
        kept = sorted(kept, key=lambda each: order.get(str(each.schedule), len(order)))
        for each in kept:
            broken = Broken(keeps_no_connection.sentence, str(each.schedule), _who_stays(kept), each.letter)
            self.findings.accuse(place, broken)

    async def look_closer(self, schedule: Schedule, sessions: Sequence[Session]) -> None:
        """Find out of a schedule that is played again what one session alone does not tell."""
        if any(each.logged for each in sessions):
            await self.undisturbed(Schedule(schedule.model, "close"))
            for each in sessions:
                each.logged = [logged for logged in each.logged if logged.key not in self.usual]
        if not _may_keep(schedule, sessions):
            return
        self.keeping.look(self.make(), schedule, await self._played(self.make(), schedule))
        kept = await self.keeping.confirm()
        for each in sessions:
            if mine := [one for one in kept if one.letter == each.letter]:
                each.facts["kept"] = _who_stays(mine)

    async def _played(self, app: ASGIApp, schedule: Schedule) -> Sequence[Session]:
        """Play a schedule that nobody judges."""
        session = await self._play(app, schedule).play()
        sessions = (session, *session.others)
        for each in sessions:
            each.drop_references()
        return sessions

    def _play(self, app: ASGIApp, schedule: Schedule) -> Play:
        return Play(
            app,
            self.script,
            schedule,
            Trace(silent=True),
            self.path,
            lifespan=self.lifespan,
            excuse=self.excuse,
            patience=self.patience,
        )


def _may_keep(schedule: Schedule, sessions: Sequence[Session]) -> bool:
    """Return whether it counts what is still reachable: what runs on holds its connection, too.

    When the server shuts down, or cancels its apps for that, the process is about to end.
    """
    if schedule.ending == "shutdown" or schedule.cancel_at:
        return False
    return not any(each.left_for_good or each.cancelled_by == "server" for each in sessions)


def _who_stays(kept: "Sequence[Kept[Schedule]]") -> str:
    """Say who stays reachable, and where."""
    *whens, last = dict.fromkeys(_when(each.schedule) for each in kept)
    when = f"{', '.join(whens)} or {last}" if whens else last
    where = ", ".join(dict.fromkeys(each.where for each in kept))
    return f"who leaves {when} stays reachable: {where}"


def _when(schedule: Schedule) -> str:
    if schedule.moment is None:
        return "at the end"
    return "before accept" if schedule.moment == Moment("send", 1) else f"while the app {schedule.moment.call}s"
