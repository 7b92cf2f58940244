"""Judges the sessions of an exploration as they are played, and collects what its Report tells."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hangup.explorer.orders.report import NOT_TRIED, Orders
from hangup.explorer.report import HELD, NO_END, SPREAD, Broken, Remark, Report
from hangup.explorer.unknown import Unknown
from hangup.record.evidence.grades import remarks
from hangup.record.rules import ABOUT_ITS_END, ABOUT_MORE, Rule, shows_more
from hangup.record.session import Session

T = TypeVar("T")
NOTICED = 0.04  # seconds: to look once or twice whether a thread has something is no wait


@dataclass(slots=True)
class Judged:
    """What came of one schedule: what broke which rule, by its place among them."""

    schedule: str
    ended: str
    fired: bool
    unknown: str = ""
    """Why it could not be judged, if it could not."""
    broken: list[tuple[int, Broken]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    enough: bool = False
    """Whether it need not be played again, though it was played only to make the plan."""

    def settles(self, sessions: Sequence[Session]) -> bool:
        """Return whether nothing in these sessions, of which it came, asks for another look."""
        if (
            self.broken
            or self.remarks
            or self.unknown
            or sessions[0].facts["pools"]
            or "elsewhere" in sessions[0].facts
        ):
            return False
        return not any(each.logged or each.timers or each.facts.get("threads") for each in sessions)


@dataclass
class Findings:
    """Judges each session by the rules at once: to keep them all would cost more than to play them."""

    rules: Sequence[Rule]
    schedules: int = 0
    """How many there are, whether explored or not."""
    fired: int = 0
    unfired: int = 0
    company: str = ""
    """Why there is no second client, where one was asked for."""
    stopped: str = ""
    """Why the exploration has ended early, if it has."""
    unknown: list[Unknown] = field(default_factory=list)
    waited: dict[str, float] = field(default_factory=dict)
    how: list[tuple[str, str]] = field(default_factory=list)
    broken: dict[int, list[Broken]] = field(default_factory=dict)
    untried: tuple[str, ...] = ()
    orders: Orders = NOT_TRIED
    remarks: list[Remark] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare what each session asks for."""
        self._tests = [(place, rule.test) for place, rule in enumerate(self.rules)]
        self._always = [(place, test) for place, test in self._tests if test not in ABOUT_MORE]
        self._returned = [(place, test) for place, test in self._always if test not in ABOUT_ITS_END]

    @property
    def explored(self) -> int:
        """How many schedules have been explored so far."""
        return len(self.how)

    def add(self, schedule: str, sessions: Sequence[Session]) -> None:
        """Judge what came of a schedule, client a's session first, and count it as explored."""
        self.count(self.judge(schedule, sessions))

    def judge(self, schedule: str, sessions: Sequence[Session]) -> Judged:
        """Judge sessions by the rules; what only repeats the words of an earlier rule has the same cause."""
        first = sessions[0]
        judged = Judged(schedule, first.ended, first.facts["fired"], first.facts.get("unknown", ""))
        if judged.unknown:
            return judged
        if held := first.facts.get("held"):
            judged.broken.append((len(self.rules), Broken(HELD.sentence, schedule, held)))
            return judged
        for session in sessions:
            said: list[str] = []
            noisy = False
            if shows_more(session):
                tests = self._tests
            else:
                tests = self._returned if session.ended == "returned" else self._always
            for place, test in tests:
                if (got := test(session)) is not None and not any(got in each for each in said):
                    said.append(got)
                    rule = self.rules[place]
                    noisy = noisy or rule.name == "ends_quietly"
                    judged.broken.append((place, Broken(rule.sentence, schedule, _stable(got), session.letter)))
            if session.lingered or session.late or session.ended == "cancelled" or "remarks" in session.facts:
                told = remarks(session, noisy=noisy)
                judged.remarks += [Remark(schedule, _stable(got), session.letter) for got in told]
        return judged

    def count(self, judged: Judged, before: Judged | None = None) -> None:
        """Count a schedule as explored, with what came of it, and what came of it `before`, if that was another."""
        if before is not None:
            judged.broken += [each for each in before.broken if each not in judged.broken]
            judged.remarks += [each for each in before.remarks if each not in judged.remarks]
        for place, broken in judged.broken:
            self.accuse(place, broken)
        if judged.remarks:
            self.remarks += judged.remarks
        if judged.unknown:
            self.unknown.append(Unknown(judged.schedule, judged.unknown))
        self.how.append((judged.schedule, judged.ended))
        if judged.fired:
            self.fired += 1
        elif not judged.schedule.endswith("@end"):
            self.unfired += 1

    def accuse(self, place: int, broken: Broken) -> None:
        """Take note of what broke the rule at this place."""
        self.broken.setdefault(place, []).append(broken)

    def accuse_of_holding(self, schedule: str, where: str) -> None:
        """Take note of a session that holds the event loop and could not be ended; no more are explored."""
        self.accuse(len(self.rules), Broken(HELD.sentence, schedule, f"it was still at {where}{NO_END}"))
        rest = max(self.schedules - self.explored, 0)
        what = f"{rest:,} schedules" if self.schedules else "all other schedules"
        self.unknown.append(Unknown(what, f"not explored, because {schedule} could not be ended"))

    def report(self, rows: str = "server") -> Report:
        """Return the Report; `rows` heads its table's first column, "server" or "stream"."""
        broken = tuple(each for place in sorted(self.broken) for each in self.broken[place])
        cut = self.stopped or SPREAD
        return Report(
            self.schedules,
            self.explored,
            broken,
            tuple(self.how),
            self.fired,
            self.unfired,
            cut,
            rows,
            tuple(rule.sentence for rule in self.rules),
            tuple(self.remarks),
            tuple(self.unknown),
            waited=tuple(each for each in self.waited.items() if each[1] >= NOTICED),
            company=self.company,
            untried=self.untried,
            orders=self.orders,
        )


def _stable(got: str) -> str:
    """Return words without addresses in memory, which are others each time."""
    return re.sub(r"\b0x[0-9a-f]{6,}", "0x…", got)


def spread(plan: Sequence[T], limit: int) -> Iterator[T]:
    """Yield at most `limit` schedules of a plan, evenly spread over it, in its order."""
    count = min(limit, len(plan))
    if count == len(plan):
        return iter(plan)
    return (plan[i * len(plan) // count] for i in range(count))
