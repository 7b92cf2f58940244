"""Ends a connection at every moment, in every way, as every server would, and tells what becomes of the app.

First the app runs undisturbed, which counts its receives, its sends and its awaits. Then it runs once for each
schedule: a model of a server, an ending and a moment; and once for each await, where its task is cancelled.
All of this happens in memory and in virtual time, on a loop of its own in a thread of its own. Equal apps give equal
reports. A schedule has a name, such as `granian/reset@receive#2`, by which `replay` runs it again, with its picture.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hangup.explorer.apps.conversation import ParsedScript
from hangup.explorer.apps.play import Play
from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.fresh import ALONE, WHAT, WHETHER, origin_of, told_apart
from hangup.explorer.names import choose
from hangup.explorer.report import HOLDS, STOPPED, Broken, Findings, Report, spread
from hangup.explorer.unknown import Unknown
from hangup.record.recorder import ASGIApp, Session, watch_tasks
from hangup.record.rules import GENERAL, Rule
from hangup.record.threads import Stuck
from hangup.servers.memory import Moment
from hangup.servers.models import ENDINGS, EXPLORED, MODELS
from hangup.servers.script import HELLO, Script
from hangup.time.shared import run_on_loop
from hangup.time.virtual import VirtualLoop
from hangup.trace.trace import Trace

HOLDS_AT_MOST = 4  # sessions in which an app holds the event loop, before it is not explored further
Probe = Callable[[ASGIApp, Session], None]


def _no_facts(*_: object) -> None:
    """Add no facts."""


def explore(
    app: ASGIApp | None = None,
    script: Script = HELLO,
    *,
    make: Callable[[], ASGIApp] | None = None,
    rules: Sequence[Rule] = GENERAL,
    probe: Probe = _no_facts,
    models: Sequence[str] = EXPLORED,
    endings: Sequence[str] = (*ENDINGS, "cancel"),
    limit: int = 2_000,
    seconds: float = 600.0,
    path: str = "/",
    lifespan: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Report:
    """Explore an app, or what `make` returns anew for each session, and return the Report.

    `probe` may add facts to a session for `rules` to judge. `models` are names of servers (hangup.servers.models),
    `endings` some of "close", "fin", "reset", "shutdown" and "cancel". Above `limit` schedules, so many are explored,
    spread evenly. An app that spins, or holds the event loop again and again, is not explored further. The client asks
    for `path`, which may have a query. With `lifespan`, the app's lifespan starts before each session and is shut down
    after it (asgi lifespan.rst).
    `progress` is called after each schedule with how many are done and how many there are to do.
    Raises TypeError or ValueError with a sentence for what is no script, no model or no ending.
    Who holds the event loop for seconds is ended, and named in the Report. Raises Stuck when all takes longer than
    `seconds` of real time, and at once when the app does not end though it is cancelled again and again; NotStarted
    when the app's lifespan does not start.
    """
    if ALONE in os.environ and threading.current_thread() is threading.main_thread():
        raise RuntimeError("a module that explores when it is imported cannot be imported to be explored")
    if app is not None:
        make = _always(app)
    if make is None:
        raise TypeError("explore() takes an app, or make=, a function that returns a new one for each session.")
    choose("model", models, MODELS)
    choose("ending", endings, (*ENDINGS, "cancel"))
    findings = Findings(rules)
    exploration = _Exploration(make, ParsedScript.of(script), findings, probe, path, lifespan)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        with watch_tasks(loop):
            await exploration.explore(models, endings, limit, progress)
        findings.waited = loop.elsewhere.waited

    exploration.run(work, seconds=seconds)
    report = findings.report()
    return report if app is None or report.ok else _told_apart(report, app, exploration, rules, probe)


def _told_apart(
    report: Report, app: ASGIApp, exploration: "_Exploration", rules: Sequence[Rule], probe: Probe
) -> Report:
    """Tell what breaks on a fresh app from what breaks only after earlier sessions."""
    if exploration.holds:
        return report  # to see that again takes too long
    origin = origin_of(app) if tuple(rules) == GENERAL and probe is _no_facts else None
    if origin is not None:
        return told_apart(report, origin, exploration.script.steps, exploration.path, lifespan=exploration.lifespan)
    if exploration.repeats_itself(report):
        return report
    why = f"{WHETHER}: your app keeps something of earlier sessions; pass make=, which makes it anew for each"
    return replace(report, unknown=(*report.unknown, Unknown(WHAT, why)))


def broken_by(
    app: ASGIApp, schedule: str, script: Script = HELLO, *, path: str = "/", lifespan: bool = False
) -> list[Broken]:
    """Play one schedule, without its picture, and return what breaks."""
    findings = Findings(GENERAL)
    exploration = _Exploration(_always(app), ParsedScript.of(script), findings, _no_facts, path, lifespan)

    async def work() -> None:
        with watch_tasks(asyncio.get_running_loop()):
            await exploration.judged(Schedule.parse(schedule))

    exploration.run(work, seconds=60.0)
    return list(findings.report().broken)


def replay(
    app: ASGIApp,
    schedule: str,
    script: Script = HELLO,
    *,
    probe: Probe = _no_facts,
    seconds: float = 30.0,
    path: str = "/",
    lifespan: bool = False,
) -> Session:
    """Run one schedule again and return client a's Session, whose trace is the picture; `others` has the others'."""
    plays: list[Play] = []

    def held(where: str) -> None:
        for play in plays:
            play.held = where

    async def work() -> Session:
        wanted = Schedule.parse(schedule)
        with watch_tasks(asyncio.get_running_loop()):
            trace = Trace(server=wanted.model)
            plays.append(Play(app, ParsedScript.of(script), wanted, trace, path, lifespan=lifespan))
            session = await plays[0].play()
            for each in (session, *session.others):
                probe(app, each)
            return session

    return run_on_loop(work, seconds=seconds, on_held=held)


def _always(app: ASGIApp) -> Callable[[], ASGIApp]:
    return lambda: app


@dataclass
class _Exploration:
    """Plays every schedule of an app, or as many as are wanted."""

    make: Callable[[], ASGIApp]
    script: ParsedScript
    findings: Findings
    probe: Probe
    path: str
    lifespan: bool
    playing: Play | None = None
    holds: int = 0
    """In how many sessions the app has held the event loop."""

    def held(self, where: str) -> None:
        """Take note that the app holds the event loop, at this line; it is ended now. Another thread says so."""
        self.holds += 1
        if self.playing is not None:
            self.playing.held = where

    def repeats_itself(self, report: Report) -> bool:
        """Play the undisturbed run and the first of each outcome twice more: whether the same breaks as before."""
        first = {(each.rule, each.got): each.schedule for each in reversed(report.broken)}
        undisturbed = [f"{name.partition('/')[0]}/close@end" for name, _ in report.how]
        names = list(dict.fromkeys((*undisturbed, *first.values())))
        breaks = {name: {each.rule for each in report.broken if each.schedule == name} for name in names}
        for name in undisturbed:  # as it was in the first session
            breaks[name] = {each.rule for each in self.findings.first if each.schedule == name}
        return all(breaks == self._breaks(names) for _ in range(2))

    def _breaks(self, names: Sequence[str]) -> dict[str, set[str]]:
        """Play schedules and return for each the rules that it breaks."""
        exploration = replace(self, findings=Findings(self.findings.rules), holds=0)

        async def work() -> None:
            with watch_tasks(asyncio.get_running_loop()):
                for name in names:
                    await exploration.judged(Schedule.parse(name))

        exploration.run(work, seconds=60.0)
        breaks: dict[str, set[str]] = {name: set() for name in names}
        for each in exploration.findings.report().broken:
            breaks[each.schedule].add(each.rule)
        return breaks

    def run(self, work: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
        """Run what plays sessions; raise Stuck, unless it is known who holds the loop: that is judged."""
        try:
            run_on_loop(work, seconds=seconds, on_held=self.held)
        except Stuck as stuck:
            stuck.schedule = str(self.playing.schedule) if self.playing else ""
            if not (stuck.where and self.playing):
                raise
            self.given_up()

    def given_up(self) -> None:
        """Judge the session that did not end even so, and say what was not explored for that."""
        assert self.playing is not None
        schedule, findings = str(self.playing.schedule), self.findings
        findings.add_held(schedule, self.playing.held)
        rest = max(findings.schedules - findings.explored, 0)
        what = f"{rest:,} schedules" if findings.schedules else "all other schedules"
        findings.unknown.append(Unknown(what, f"not explored, because {schedule} could not be ended"))

    async def explore(
        self, models: Sequence[str], endings: Sequence[str], limit: int, progress: Callable[[int, int], None]
    ) -> None:
        plan = await self.plan(models, endings)
        self.findings.schedules = len(plan)
        for schedule in spread(plan, limit):
            spins = await self.judged(schedule)
            progress(self.findings.explored, min(limit, len(plan)))
            if spins or self.holds >= HOLDS_AT_MOST:
                self.findings.stopped = STOPPED if spins else HOLDS  # each such session takes long
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
            if play.spins or play.held:
                return plan
        if "cancel" in endings and models:
            play = await self.undisturbed(Schedule(models[0], "close", cancel_at=-1))
            plan += [Schedule(models[0], "close", cancel_at=n + 1) for n in range(play.awaits)]
        return plan

    async def undisturbed(self, schedule: Schedule) -> Play:
        """Play a schedule for what it says of the app's calls and awaits."""
        app = self.make()
        play = self._play(app, schedule)
        session = await play.play()
        self.findings.add_first(f"{schedule.model}/close@end", self._probed(app, session))
        session.drop_references()
        return play

    async def judged(self, schedule: Schedule) -> bool:
        """Play a schedule and judge what came of it; return whether the app spins."""
        app = self.make()
        play = self._play(app, schedule)
        session = await play.play()
        sessions = self._probed(app, session)
        self.findings.add(str(schedule), sessions)
        for each in sessions:
            each.drop_references()
        return play.spins

    def _probed(self, app: ASGIApp, session: Session) -> tuple[Session, ...]:
        sessions = (session, *session.others)
        for each in sessions:
            self.probe(app, each)
        return sessions

    def _play(self, app: ASGIApp, schedule: Schedule) -> Play:
        trace = Trace(silent=True)
        self.playing = play = Play(app, self.script, schedule, trace, self.path, lifespan=self.lifespan)
        return play
