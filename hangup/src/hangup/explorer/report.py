"""What an exploration found: the Findings that it collects as it goes, and the Report that it returns."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal, TypeVar

from hangup.explorer.orders.report import NOT_TRIED, Orders
from hangup.record.evidence.grades import remarks
from hangup.record.rules import Rule
from hangup.record.session import Session
from hangup.trace.table import Table

SPREAD = "spread evenly"
STOPPED = "and then stopped, because it spins"
KINDS = 5
"""How many outcomes of one rule a report tells apart."""
T = TypeVar("T")


@dataclass(frozen=True)
class Broken:
    """A schedule under which a rule did not hold, and what happened instead."""

    rule: str
    schedule: str
    got: str
    client: str = "a"
    """Whose session broke it."""


@dataclass(frozen=True)
class Remark:
    """What was seen under a schedule that breaks no rule and is worth a word."""

    schedule: str
    got: str
    client: str = "a"
    """In whose session."""


@dataclass(frozen=True)
class Report:
    """What an exploration found: how many schedules there are and were explored, and which broke what, in order."""

    schedules: int
    explored: int
    broken: tuple[Broken, ...]
    how: tuple[tuple[str, str], ...] = field(repr=False)
    """For each explored schedule its name and how the app ended."""
    fired: int = 0
    """How many schedules came to their moment."""
    unfired: int = 0
    """How many never did, because the app did not do again what it did undisturbed; it may end before `@end`."""
    cut: str = SPREAD
    """How those were chosen that were explored, if not all were."""
    rows: str = "server"
    """What the first part of a schedule's name is."""
    rules: tuple[str, ...] = ()
    """The sentences of the rules that were asked for."""
    remarks: tuple[Remark, ...] = ()
    """What breaks no rule and does not change whether the report is `ok`."""
    orders: Orders = NOT_TRIED
    """What came of sessions in other orders of tasks."""

    @property
    def ok(self) -> bool:
        """Whether every rule held everywhere."""
        return not self.broken

    @property
    def verdicts(self) -> dict[str, Literal["broken", "held", "not known"]]:
        """For each rule's sentence whether it was broken or held.

        A rule that no session broke held only as far as the schedules came to their moment, all of those chosen were
        played, and the app did the same thing each time; else it is not known.
        """
        bad = {broken.rule for broken in self.broken}
        known = self.fired > 0 and not self.unfired and self.cut != STOPPED
        return {rule: "broken" if rule in bad else "held" if known else "not known" for rule in self.rules}

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
            found = [broken for broken in self.broken if broken.rule == rule]
            lines += _kinds(f"✗ {rule}: ", found, f"✗ {rule}: and")
        lines += _kinds("· remark: ", self.remarks, "· remark: and")
        unknown = [rule for rule, verdict in self.verdicts.items() if verdict == "not known"]
        if unknown and self.explored:
            lines.append(f"? of {len(unknown)} rules that did not break it is not known whether they hold")
        if self.orders.asked:
            lines.append(str(self.orders))
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        table = self.table._repr_mimebundle_()["text/html"]
        whole = "word-break:normal"  # JupyterLab breaks lines inside words
        found = f'<pre style="{whole}">{escape(self.findings)}</pre>'
        return {"text/html": table + found, "text/plain": str(self)}


def _kinds(before: str, found: Sequence[Broken | Remark], more: str) -> list[str]:
    """Return a line for each kind of outcome, with the schedule that it was first seen under and their number."""
    kinds: dict[str, list[Broken | Remark]] = {}
    for each in found:
        kinds.setdefault(_kind(each.got), []).append(each)
    lines = []
    for kind in list(kinds.values())[:KINDS]:
        count = len({each.schedule for each in kind})
        lines.append(f"{before}{kind[0].got}\n    first at {kind[0].schedule}, {count:,} in all")
    if len(kinds) > KINDS:
        lines.append(f"{more} {len(kinds) - KINDS} more kinds")
    return lines


def _kind(got: str) -> str:
    """Return what is the same of an outcome in each session: its words without numbers and without what is quoted."""
    return re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?", "#", got)


def _field(total: int, wrong: int) -> str:
    if not total:
        return ""
    return f"✗ {wrong} of {total}" if wrong else f"✓ {total}"


@dataclass(slots=True)
class Judged:
    """What came of one schedule: what broke which rule, by its place among them."""

    schedule: str
    ended: str
    fired: bool
    broken: list[tuple[int, Broken]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


@dataclass
class Findings:
    """Judges each session by the rules at once: to keep them all would cost more than to play them."""

    rules: Sequence[Rule]
    schedules: int = 0
    """How many there are, whether explored or not."""
    fired: int = 0
    unfired: int = 0
    stopped: bool = False
    """Whether the exploration has ended early."""
    how: list[tuple[str, str]] = field(default_factory=list)
    broken: dict[int, list[Broken]] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    orders: Orders = NOT_TRIED

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
        judged = Judged(schedule, first.ended, first.facts["fired"])
        for session in sessions:
            said: list[str] = []
            noisy = False
            for place, rule in enumerate(self.rules):
                if (got := rule.test(session)) is not None and not any(got in each for each in said):
                    said.append(got)
                    noisy = noisy or rule.name == "ends_quietly"
                    judged.broken.append((place, Broken(rule.sentence, schedule, _stable(got), session.letter)))
            if session.lingered or session.late or session.ended == "cancelled":
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
        self.how.append((judged.schedule, judged.ended))
        self.fired += judged.fired
        self.unfired += not judged.fired and not judged.schedule.endswith("@end")

    def accuse(self, place: int, broken: Broken) -> None:
        """Take note of what broke the rule at this place."""
        self.broken.setdefault(place, []).append(broken)

    def report(self, rows: str = "server") -> Report:
        """Return the Report; `rows` is what the first part of a schedule's name is."""
        broken = tuple(each for place in sorted(self.broken) for each in self.broken[place])
        cut = STOPPED if self.stopped else SPREAD
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
            orders=self.orders,
        )


def _stable(got: str) -> str:
    """Return words without addresses in memory, which are others each time."""
    return re.sub(r"\b0x[0-9a-f]{6,}", "0x…", got)


def spread(plan: Sequence[T], limit: int) -> Iterator[T]:
    """Yield at most `limit` schedules of a plan, evenly spread over it, in its order."""
    count = min(limit, len(plan))
    return (plan[i * len(plan) // count] for i in range(count))
