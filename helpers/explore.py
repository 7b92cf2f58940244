"""Ends a connection at every moment, in every way, as every server would, and tells what becomes of the app.

First the app runs undisturbed, which counts its receives, its sends and its awaits. Then it runs once for each
schedule: a model of a server, an ending and a moment; and once for each await, where its task is cancelled.
All of this happens in memory and in virtual time, on a loop of its own in a thread of its own. Equal apps give equal
reports. A schedule has a name, such as `granian/reset@receive#2`, by which `replay` runs it again, with its picture.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from helpers.conversation import Lines
from helpers.memory import Moment, VirtualLoop
from helpers.models import ENDINGS, EXPLORED, MODELS
from helpers.recorder import ASGIApp, Session, watch_tasks
from helpers.rules import GENERAL, Rule
from helpers.schedules import Play, Schedule
from helpers.sessions import HELLO, Script
from helpers.table import Table
from helpers.threads import run_in_thread
from helpers.trace import Trace

SPREAD = "spread evenly"
STOPPED = "and then stopped, because it spins"
Probe = Callable[[ASGIApp, Session], None]


@dataclass(frozen=True)
class Broken:
    """A schedule under which a rule did not hold, and what happened instead."""

    rule: str
    schedule: str
    got: str
    client: str = "a"
    """Whose session broke it."""


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
    cut: str = SPREAD
    """How those were chosen that were explored, if not all were."""
    rows: str = "server"
    """What the first part of a schedule's name is."""

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
        return Table((self.rows, *endings), tuple(rows))

    def schedules_breaking(self, rule: str) -> set[str]:
        """Return the names of the schedules that broke the rule with this sentence, in the session of any client."""
        return {broken.schedule for broken in self.broken if broken.rule == rule}

    def __str__(self) -> str:
        """Return the table and the first schedule that broke each rule."""
        return f"{self.table}\n\n{self.findings}"

    @property
    def findings(self) -> str:
        """How many schedules were explored, and for each broken rule what happened, where first and how often."""
        cut = f" of {self.schedules:,}, {self.cut}" if self.explored < self.schedules else ""
        bad = len({broken.schedule for broken in self.broken})
        lines = [f"explored {self.explored:,}{cut}; {bad} break a rule"]
        if self.unfired:
            lines.append(f"{self.unfired:,} never came to their moment: this app does not do the same thing twice")
        for rule in dict.fromkeys(broken.rule for broken in self.broken):
            first = next(broken for broken in self.broken if broken.rule == rule)
            count = len(self.schedules_breaking(rule))
            lines.append(f"✗ {rule}: {first.got}\n    first at {first.schedule}, {count} in all")
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
    models: Sequence[str] = EXPLORED,
    endings: Sequence[str] = (*ENDINGS, "cancel"),
    limit: int = 2_000,
    seconds: float = 60.0,
    path: str = "/",
    lifespan: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Report:
    """Explore an app, or what `make` returns anew for each session, and return the Report.

    `probe` may add facts to a session for `rules` to judge. Above `limit` schedules, so many are
    explored, spread evenly.
    An app that spins is not explored further. The client asks for `path`, which may have a query. With `lifespan`, the
    app's lifespan starts before each session and is shut down after it (asgi lifespan.rst).
    `progress` is called after each schedule with how many are done and how many there are to do.
    Raises Stuck when it takes longer than `seconds`, which it does only if the app holds its event loop, and at once
    when the app does not end though it is cancelled again and again.
    """
    if app is not None:
        make = _always(app)
    if make is None:
        raise TypeError("explore() takes an app, or make=, a function that returns a new one for each session.")
    found = _Exploration(make, Lines.of(script), rules, probe, path, lifespan)

    async def work() -> None:
        with watch_tasks(asyncio.get_running_loop()):
            await found.explore(models, endings, limit, progress)

    run_in_thread(work, seconds=seconds, loop_factory=VirtualLoop)
    return found.report()


def replay(
    app: ASGIApp,
    schedule: str,
    script: Script = HELLO,
    *,
    probe: Probe = lambda *_: None,
    seconds: float = 30.0,
    path: str = "/",
    lifespan: bool = False,
) -> Session:
    """Run one schedule again and return client a's Session, whose trace is the picture; `others` has the others'."""

    async def work() -> Session:
        wanted = Schedule.parse(schedule)
        with watch_tasks(asyncio.get_running_loop()):
            trace = Trace(server=wanted.model)
            session = await Play(app, Lines.of(script), wanted, trace, path, lifespan=lifespan).play()
            for each in (session, *session.others):
                probe(app, each)
            return session

    return run_in_thread(work, seconds=seconds, loop_factory=VirtualLoop)


def _always(app: ASGIApp) -> Callable[[], ASGIApp]:
    return lambda: app


def _spread(plan: Sequence[Schedule], limit: int) -> Iterator[Schedule]:
    count = min(limit, len(plan))
    return (plan[i * len(plan) // count] for i in range(count))


@dataclass
class _Exploration:
    """Explores, and judges each session at once: to keep them all would cost more than to play them."""

    make: Callable[[], ASGIApp]
    lines: Lines
    rules: Sequence[Rule]
    probe: Probe
    path: str
    lifespan: bool
    total: int = 0
    unfired: int = 0
    stopped: bool = False
    how: list[tuple[str, str]] = field(default_factory=list)
    broken: dict[int, list[Broken]] = field(default_factory=dict)

    async def explore(
        self, models: Sequence[str], endings: Sequence[str], limit: int, progress: Callable[[int, int], None]
    ) -> None:
        plan = await self.plan(models, endings)
        self.total = len(plan)
        for schedule in _spread(plan, limit):
            session = await self.session(schedule)
            progress(len(self.how), min(limit, self.total))
            if session.facts["turned"]:
                self.stopped = True  # each session of an app that spins takes long
                return

    async def plan(self, models: Sequence[str], endings: Sequence[str]) -> list[Schedule]:
        """Run the app undisturbed on each model and return every schedule that follows from what it did."""
        plan = []
        for model in models:
            known = MODELS[model]
            ways = [e for e in endings if e in ENDINGS and (e in known.told or known.cancels)]
            play = await self.undisturbed(Schedule(model, "close"))
            calls = [Moment("send", n + 1) for n in range(play.before["send"])]
            calls += [Moment("receive", n + 2) for n in range(max(play.before["receive"] - 1, 0))]
            for ending in ways:
                plan += [Schedule(model, ending, moment) for moment in (*calls, None)]
            if play.turned:
                return plan
        if "cancel" in endings and models:
            play = await self.undisturbed(Schedule(models[0], "close", cancel_at=-1))
            plan += [Schedule(models[0], "close", cancel_at=n + 1) for n in range(play.awaits)]
        return plan

    async def undisturbed(self, schedule: Schedule) -> Play:
        play = Play(self.make(), self.lines, schedule, Trace(silent=True), self.path, lifespan=self.lifespan)
        (await play.play()).forget()
        return play

    async def session(self, schedule: Schedule) -> Session:
        """Play a schedule and judge what came of it."""
        app, name = self.make(), str(schedule)
        play = Play(app, self.lines, schedule, Trace(silent=True), self.path, lifespan=self.lifespan)
        session = await play.play()
        for each in (session, *session.others):
            self.probe(app, each)
            for place, rule in enumerate(self.rules):
                if (got := rule.test(each)) is not None:
                    self.broken.setdefault(place, []).append(Broken(rule.sentence, name, got, each.letter))
            each.forget()
        self.how.append((name, session.ended))
        self.unfired += not session.facts["fired"]
        return session

    def report(self) -> Report:
        broken = tuple(each for place in sorted(self.broken) for each in self.broken[place])
        cut = STOPPED if self.stopped else SPREAD
        return Report(self.total, len(self.how), broken, tuple(self.how), self.unfired, cut)
