"""The sessions of an exploration: a plan made from what an app does undisturbed, each schedule played and judged."""

import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from hangup.explorer.apps.ending import Patience
from hangup.explorer.apps.kept import doubt, ends_all, may_keep, who_stays
from hangup.explorer.apps.lifespan import Lifespan, Mode
from hangup.explorer.apps.play import Play
from hangup.explorer.apps.schedules import CANCELS, Schedule, moments_of, schedules_of
from hangup.explorer.apps.talk.script import ParsedScript
from hangup.explorer.findings import Findings, Judged, spread
from hangup.explorer.further.costly import Costly
from hangup.explorer.further.growing import TIMES, Growing
from hangup.explorer.further.held import Holding
from hangup.explorer.further.plan import further
from hangup.explorer.keeping import Keeping, Kept, still_reachable
from hangup.explorer.orders.explore import OrderExploration
from hangup.explorer.report import Broken
from hangup.record.recorder import ASGIApp, Session
from hangup.record.rules import keeps_no_connection, leaves_the_loop_free
from hangup.record.threads import Escaped, Stuck
from hangup.servers.models import ENDINGS
from hangup.servers.players import row_of
from hangup.time.shared import run_on_loop
from hangup.time.virtual import VirtualLoop
from hangup.trace.trace import Trace

Probe = Callable[[ASGIApp, Session], None]


@dataclass
class Exploration:
    """Plays every schedule of an app, or as many as are wanted, and has the findings judge each."""

    make: Callable[[], ASGIApp]
    script: ParsedScript
    findings: Findings
    probe: Probe
    path: str
    lifespan: Mode
    excuse: Collection[str]
    patience: Patience | None
    """None where no rule asks what becomes of tasks that their handlers leave behind."""
    usual: set[tuple[str, str, str]] = field(default_factory=set)
    """What an undisturbed app logs without showing that it is about a peer that has left: it may not be."""
    early: dict[Schedule, Judged] = field(default_factory=dict)
    """What came of the schedules that were played to make the plan."""
    first: dict[str, set[str]] = field(default_factory=dict)
    """For each undisturbed run its name and the sentences of the rules that broke in it."""
    opening: tuple[Broken, ...] = ()
    """What broke in the very first session."""
    stopped: dict[str, None] = field(default_factory=dict)
    """The tasks that had to be stopped when a session was over: one of them may let go of connections in time."""
    outlived: dict[tuple[Schedule, str], None] = field(default_factory=dict)
    """Under which schedules, and whose, connections were still there when the app's lifespan came to its end."""
    keeps_some: bool = False
    """Whether a connection was still there when its session was over, also where that breaks no rule."""
    holding: Holding = field(default_factory=Holding)
    playing: Play | None = None
    costly: Costly = field(default_factory=Costly)
    growing: Growing = field(default_factory=Growing)

    def __post_init__(self) -> None:
        """Prepare what each session asks for."""
        self.keeping: Keeping[Schedule] = Keeping(lambda: self.make(), self.played)
        """What finds out whether the app keeps connections that are gone."""
        self._trace = Trace(silent=True)
        self._loop: VirtualLoop | None = None
        """On which the last session was played."""
        self._asks_what_is_kept = keeps_no_connection in self.findings.rules

    def unlink(self) -> None:
        """Break the circle of references, which a collector would have to find."""
        del self.keeping

    def held(self, where: str) -> None:
        """Take note that the app holds the event loop, at this line; it is ended now. Another thread says so."""
        self.costly.holds += 1
        if self.playing is not None:
            self.playing.held = where

    def run(self, work: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
        """Run what plays sessions; raise Stuck, unless it is known who holds the loop: that is judged."""
        try:
            self._loop = None
            run_on_loop(work, seconds=seconds, on_held=self.held)
        except Stuck as stuck:
            stuck.schedule = str(self.playing.schedule) if self.playing else ""
            if not (stuck.where and self.playing):
                stuck.found = self.findings.report()
                raise
            self.findings.accuse_of_holding(stuck.schedule, self.playing.held)
        except Escaped as escaped:
            escaped.found = self.findings.report()
            raise

    async def explore(
        self, models: Sequence[str], endings: Sequence[str], limit: int, progress: Callable[[int, int], None]
    ) -> None:
        """Make the plan, play at most `limit` of its schedules, and look at what the app still keeps."""
        plan = await self.plan(models, endings)
        early = list(self.early.values())
        if early and not (early[1:] and all(each.enough for each in early[1:])):
            early[0].enough = False  # nothing tells that the second session is like the very first
        self.findings.schedules = len(plan)
        count = min(limit, len(plan))
        for number, schedule in enumerate(spread(plan, limit), start=1):
            spins = await self.judged(schedule)
            progress(number, count)
            if stopped := self.costly.stops(spins=spins):
                self.findings.stopped = stopped
                break
        for judged in self.early.values():
            if judged.broken or judged.unknown:  # told, though it was not asked for
                self.findings.count(judged)
        if keeps_no_connection in self.findings.rules and not self.findings.stopped:
            self.accuse_of_keeping(await self.keeping.confirm())

    async def plan(self, models: Sequence[str], endings: Sequence[str]) -> list[Schedule]:
        """Run the app undisturbed on each model and return every schedule that follows from what it did."""
        plan: list[Schedule] = []
        for model in models:
            row = row_of(model)
            ways = [e for e in endings if e in ENDINGS and (e in row.told or row.cancels)]
            play = await self.undisturbed(Schedule(model, (ways or ["close"])[0]))
            calls = moments_of(play.calls["send"], play.calls["receive"])
            plan += schedules_of(model, tuple(ways), play.calls["send"], play.calls["receive"])
            plan += further(model, endings, calls)
            if play.spins or play.held:
                return plan
        for ending in (ending for ending in CANCELS if ending in endings):
            twice = ending == "cancel-twice"
            for model in models if twice else models[:1]:  # the first is the same on each
                play = self._play(self.make(), Schedule(model, "close", cancel_at=-1))
                (await play.play()).drop_references()
                plan += [Schedule(model, "close", cancel_at=n + 1, twice=twice) for n in range(play.awaits)]
        return plan

    async def undisturbed(self, schedule: Schedule) -> Play:
        """Play a schedule for what it says of the app's calls; judge it, too: an app may break something but once."""
        app, began = self.make(), self.holding.begins()
        play = self._play(app, schedule)
        session = await play.play()
        sessions, threads = (session, *session.others), session.facts["threads"]
        for each in sessions:
            self.usual.update(logged.key for logged in each.logged if not (logged.escaped or logged.shown))
            self.usual.update(each.facts.get("logged_before", ()))
        session.facts["threads"] = []  # one that it starts may be the whole app's
        self.early[schedule] = judged = self._judge(app, schedule, sessions)
        judged.enough = not (threads or self.holding.is_long(began)) and judged.settles(sessions)
        self.opening = self.opening if self.first else tuple(broken for _, broken in judged.broken)
        self.first[str(schedule)] = {broken.rule for _, broken in judged.broken}
        return play

    async def very_first(self, models: Sequence[str]) -> Judged | None:
        """Judge the app's first session, before others are played to find out whether it serves two."""
        if not models:
            return None
        schedule = Schedule(models[0], "close")
        await self.undisturbed(schedule)
        return self.early.pop(schedule, None)

    def add_first(self, judged: Judged | None) -> None:
        """Tell what broke in the very first session, and in no other."""
        if judged is None:
            return
        told = {broken.rule for found in self.findings.broken.values() for broken in found}
        judged.broken = [(place, broken) for place, broken in judged.broken if broken.rule not in told]
        if judged.schedule not in dict(self.findings.how) and judged.broken:
            self.findings.count(judged)
        else:
            for place, broken in judged.broken:
                self.findings.accuse(place, broken)

    async def sessions(self, script: ParsedScript, schedule: Schedule) -> Sequence[Session]:
        """Play another script, which nobody judges, and return the clients' sessions."""
        mine, self.script = self.script, script
        try:
            return await self.unjudged(schedule)
        finally:
            self.script = mine

    async def judged(self, schedule: Schedule) -> bool:
        """Play a schedule and judge what came of it; return whether the app spins."""
        before = self.early.pop(schedule, None) if self.early and not schedule.moment else None
        if before is not None and before.enough:
            self.findings.count(before)
            return False
        app, began = self.make(), self.holding.begins()
        session = await (play := self._play(app, schedule)).play()
        self.costly.threads += len(session.facts["threads"]) + len(session.facts.get("jobs", ()))
        judged = self._judge(app, schedule, sessions := (session, *session.others))
        if self.holding.is_long(began):
            await self._measure(play, judged, self.holding, began)
        if self.growing.may(sessions):
            await self.growing.judge(self, judged, schedule, sessions)
        self.findings.count(judged, before)
        return play.spins

    def orders(self, progress: Callable[[int, int], None]) -> OrderExploration:
        """Return what explores the order of tasks, after this."""
        options = {"lifespan": self.lifespan, "excuse": self.excuse, "patience": self.patience}
        return OrderExploration(self.make, self.script, self.findings, self.probe, self.path, options, progress)

    async def _measure(self, play: Play, judged: Judged, holding: Holding, began: float) -> None:
        """Play a session that is judged, and took long, a few times more, if a rule asks whether it holds the loop."""
        rule, rules = leaves_the_loop_free, self.findings.rules
        if rule not in rules or judged.unknown or play.spins or play.held:
            return
        if (got := await holding.look(began, self.unjudged, play.schedule)) is not None:
            judged.broken.append((list(rules).index(rule), Broken(rule.sentence, judged.schedule, got)))

    def _judge(self, app: ASGIApp, schedule: Schedule, sessions: Sequence[Session]) -> Judged:
        for each in sessions:
            if each.logged:
                each.logged = [logged for logged in each.logged if logged.key not in self.usual]
            self.probe(app, each)
        judged = self.findings.judge(schedule.name, sessions)
        left: list[Session] = []
        for each in sessions:
            if (stopped := each.stopped()) and not ends_all(schedule):
                self.stopped.update(dict.fromkeys(stopped))
            each.drop_references()
            if (each.connection and each.connection()) or each.facts.get("outlives"):
                left.append(each)
        if left:
            self.keeps_some = True
        if left and self._asks_what_is_kept and may_keep(schedule, sessions):
            self.keeping.look(app, schedule, left)
            self.outlived.update({(schedule, each.letter): None for each in left if each.facts.get("outlives")})
        return judged

    def accuse_of_keeping(self, kept: "Sequence[Kept[Schedule]]", *, sure: bool = False) -> None:
        """Accuse the app of what it keeps, unless a task that had to be stopped might let go of it in time."""
        rule, findings = keeps_no_connection, self.findings
        if kept and self.stopped and not sure:
            findings.unknown.append(doubt(kept, self.stopped))
            return
        place = list(findings.rules).index(rule)
        order = {name: number for number, (name, _) in enumerate(findings.how)}
        kept = sorted(kept, key=lambda each: order.get(str(each.schedule), len(order)))
        for each in kept:
            findings.accuse(place, Broken(rule.sentence, str(each.schedule), who_stays(kept), each.letter))

    async def alone(self, schedule: Schedule) -> None:
        """Play a schedule as an app's first, and judge it; what the app logs undisturbed it may log here, too."""
        app, began = self.make(), time.perf_counter()
        session = await (play := self._play(app, schedule)).play()
        sessions = (session, *session.others)
        held = {each.letter: each.connection for each in sessions if each.connection is not None}
        if any(each.logged for each in sessions):
            await self.undisturbed(Schedule(schedule.model, "close"))
        judged = self._judge(app, schedule, sessions)
        await self._measure(play, judged, Holding(), began)
        if self.growing.may(sessions):
            await Growing(TIMES).judge(self, judged, schedule, sessions)
        self.findings.count(judged)
        if may_keep(schedule, sessions):
            left = [*await still_reachable(held), *(each.letter for each in sessions if each.facts.get("outlives"))]
            outlived = any(each.facts.get("outlives") for each in sessions)
            self.accuse_of_keeping([Kept(schedule, letter, "") for letter in dict.fromkeys(left)], sure=outlived)

    async def unjudged(self, schedule: Schedule) -> Sequence[Session]:
        """Play a schedule that nobody judges, as the next session."""
        return await self.played(self.make(), schedule)

    async def played(self, app: ASGIApp, schedule: Schedule, *, beside: Lifespan | None = None) -> Sequence[Session]:
        """Play a schedule that nobody judges, maybe beside a lifespan that lasts longer."""
        session = await self._play(app, schedule, beside).play()
        sessions = (session, *session.others)
        for each in sessions:
            each.drop_references()
        return sessions

    def _play(self, app: ASGIApp, schedule: Schedule, beside: Lifespan | None = None) -> Play:
        if self.playing is not None and self.playing.speaks_no_lifespan:
            self.lifespan = False  # a server asks once; what an app does before it refuses must not add up
        self._trace.forget_peers()
        self.playing = play = Play(
            app,
            self.script,
            schedule,
            self._trace,
            self.path,
            self.lifespan,
            self.excuse,
            self.patience,
            beside,
            self._loop,
        )  # by place: to make an object by names takes twice as long
        self._loop = play.loop
        return play
