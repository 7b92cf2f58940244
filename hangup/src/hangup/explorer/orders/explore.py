"""Plays sessions in other orders than asyncio's own, and finds the fewest deviations under which a rule breaks.

First the undisturbed session is played in asyncio's own order, which names its events. Then each of them comes later,
one at a time; then several do, by seeds, in the undisturbed session and in those in which client a leaves earlier.
Whatever breaks is played again: what does not break again is not known. Equal apps give equal reports.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hangup.explorer.apps.schedules import Schedule
from hangup.explorer.apps.talk.script import ParsedScript
from hangup.explorer.findings import Findings, spread
from hangup.explorer.orders.drawing import Drawing
from hangup.explorer.orders.names import Deviations
from hangup.explorer.orders.play import OrderedPlay, Told, any_answer, replayed, rules_of_order
from hangup.explorer.orders.report import FoundOrder, Orders
from hangup.explorer.orders.shrink import Deviation, shrunk
from hangup.explorer.report import Broken
from hangup.record.recorder import ASGIApp, Session
from hangup.servers.models import ENDINGS
from hangup.servers.players import model_of
from hangup.time.order import Order
from hangup.trace.trace import Trace

SINGLE = 0.6  # of all sessions, for single deviations at most
OTHERS = 5  # sessions for each schedule in which client a leaves earlier
TOLD = 6  # outcomes that are shrunk and told
Key = tuple[str, str]
"""A rule's sentence, and what happened instead, without its numbers."""


@dataclass
class Outcome:
    """What came of one session."""

    broken: dict[Key, Broken]
    order: Order
    told: Told


@dataclass
class OrderExploration:
    """Explores orders, and adds to `findings` what it finds; the rest is as for the explorer's own sessions."""

    make: Callable[[], ASGIApp]
    script: ParsedScript
    findings: Findings
    probe: Callable[[ASGIApp, Session], None]
    path: str
    options: dict[str, Any]
    progress: Callable[[int, int], None] = lambda *_: None
    played: int = 0
    bad: int = 0
    repeated: int = 0
    unsure: int = 0
    seen: dict[Key, int] = field(default_factory=dict)
    found: dict[Key, FoundOrder] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    """What other schedules have shown, without its numbers."""

    def __post_init__(self) -> None:
        """Prepare what is the same for each session."""
        self.script, self.rules = any_answer(self.script), rules_of_order(tuple(self.findings.rules))
        self.judging = Findings(self.rules)

    async def explore(self, first: Schedule, count: int) -> None:
        """Play so many sessions, most of them of the schedule `first`."""
        findings = self.findings
        if findings.stopped or not findings.how:
            findings.orders = Orders(count)
            return
        before = findings.explored
        self.known = {_key(broken)[1] for found in findings.broken.values() for broken in found}
        played = [Schedule.parse(name) for name, _ in findings.how]
        others = [_on_a_model(one) for one in played if not one.cancel_at and one.ending in ENDINGS]
        first = _on_a_model(first)
        others = [schedule for schedule in others if schedule != first]
        drawing, ignored = await self._begin(first)
        last, more = drawing.last(), drawing.other_singles()
        single = list(spread(last, min(int(count * SINGLE), count - 1))) if last else []
        complete = len(single) == len(last)
        single += spread(more, min(int(count * SINGLE) - len(single), count // 4)) if more else ()
        for choices in single:
            await self._session(first, replayed(choices), ignored)
            self.progress(before + self.played, before + count)
        elsewhere = (count - self.played) // 2 // OTHERS
        for place, schedule in enumerate(spread(others, elsewhere) if others else ()):
            some, broken = await self._begin(schedule)
            for n in range(OTHERS - 1):
                await self._session(schedule, some.drawn(place * OTHERS + n), broken)
            self.progress(before + self.played, before + count)
        for seed in range(max(count - self.played, 0)):
            await self._session(first, drawing.drawn(seed), ignored)
            self.progress(before + self.played, before + count)
        shown = tuple(replace(each, sessions=self.seen[key]) for key, each in self.found.items())
        findings.orders = Orders(count, self.played, self.bad, self.repeated, self.unsure, complete, shown)

    async def _begin(self, schedule: Schedule) -> tuple[Drawing, set[str]]:
        """Play a schedule in asyncio's own order; return what draws others, and the rules that break even so."""
        outcome = await self._session(schedule, replayed({}), set())
        return Drawing(outcome.order.happened, outcome.order.delays), {sentence for sentence, _ in outcome.broken}

    async def _session(self, schedule: Schedule, choose: Callable[[str], int], ignored: set[str]) -> Outcome:
        outcome = await self._play(schedule, choose)
        self.played += 1
        news = [key for key in outcome.broken if key[0] not in ignored and not any(key[1] in got for got in self.known)]
        for key in news:
            self.seen[key] = self.seen.get(key, 0) + (key in self.found)
        sure = {
            key
            for key in news
            if key in self.found or await self._tell(schedule, key, tuple(outcome.order.deviated.items()))
        }
        self.bad += bool(sure)
        self.repeated += bool(outcome.broken) and not news
        self.unsure += bool(news) and not sure
        return outcome

    async def _tell(self, schedule: Schedule, key: Key, deviated: Sequence[Deviation]) -> bool:
        """Find the fewest deviations under which this happens; return whether it happens again."""

        async def fails(some: list[Deviation]) -> bool:
            return key in (await self._play(schedule, replayed(dict(some)))).broken

        if not await fails(list(deviated)):
            return False
        self.seen[key] += 1
        if len(self.found) >= TOLD:
            return True
        fewest = await shrunk(deviated, fails)
        named = replace(schedule, order=Deviations(tuple(fewest)))
        outcome = await self._play(named, replayed(dict(fewest)), explain=True)
        if key not in outcome.broken:
            return False
        place = next(n for n, rule in enumerate(self.findings.rules) if rule.sentence == key[0])
        self.findings.broken.setdefault(place, []).append(replace(outcome.broken[key], schedule=str(named)))
        told = tuple(outcome.told.deviations[name] for name, _ in fewest if name in outcome.told.deviations)
        self.found[key] = FoundOrder(str(named), len(fewest), 1, told, tuple(outcome.told.waits))
        return True

    async def _play(self, schedule: Schedule, choose: Callable[[str], int], *, explain: bool = False) -> Outcome:
        app = self.make()
        if schedule.order is None:
            schedule = replace(schedule, order=Deviations())
        trace = Trace(silent=True)
        play = OrderedPlay(choose, app, self.script, schedule, trace, self.path, **self.options, explain=explain)
        session = await play.play()
        sessions = (session, *session.others)
        for each in sessions:
            self.probe(app, each)
        judged = self.judging.judge(str(schedule), sessions)
        for each in sessions:
            each.drop_references()
        broken = {_key(each): each for _, each in reversed(judged.broken)}
        fired = session.facts["fired"] or schedule.moment is None  # else client a never left: nothing is known
        return Outcome(broken if fired else {}, play.order, play.told)


def _on_a_model(schedule: Schedule) -> Schedule:
    """Return a schedule whose order may deviate: of an installed server nobody could hold back its own tasks."""
    return replace(schedule, model=model_of(schedule.model), order=Deviations())


def _key(broken: Broken) -> Key:
    return broken.rule, re.sub(r"\d+|0x[0-9a-f]+", "#", broken.got)
