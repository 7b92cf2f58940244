"""What an exploration found: the Report that it returns, with what broke, what is worth a word, what is not known."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from hangup.explorer.orders.report import NOT_TRIED, Orders
from hangup.explorer.unknown import Unknown, in_words
from hangup.record.rules import Rule
from hangup.trace.table import Table

SPREAD = "spread evenly"
LATER = "only after earlier sessions: your app keeps something (each of these holds on a fresh app)"
HELD = Rule("yields", "the handler does not hold the event loop", lambda session: session.facts.get("held"))
"""The rule that is judged alone where it breaks: who holds the loop was ended, and shows nothing else."""
NO_END = ", and could not be ended"
KINDS = 5
"""How many outcomes of one rule a report tells apart."""


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
    unknown: tuple[Unknown, ...] = ()
    """What is not known, and why."""
    later: tuple[Broken, ...] = ()
    """What broke on an app that had other sessions before, and does not break on a fresh one."""
    waited: tuple[tuple[str, float], ...] = field(default=(), compare=False)
    """For what the exploration waited in real time, "threads" or "sockets", and for how many seconds."""
    company: str = ""
    """Why no second client was beside client a, where one was asked for."""

    untried: tuple[str, ...] = ()
    """The endings that were not asked for, and so not tried."""
    orders: Orders = NOT_TRIED
    """What came of sessions in other orders of tasks."""

    @property
    def ok(self) -> bool:
        """Whether every rule held everywhere."""
        return not self.broken and not self.later

    @property
    def stopped(self) -> bool:
        """Whether the exploration ended early, for what each session of the app costs; `cut` says what that is."""
        return self.cut != SPREAD

    @property
    def verdicts(self) -> dict[str, Literal["broken", "held", "not known"]]:
        """For each rule's sentence whether it was broken or held.

        A rule that no session broke held only as far as the schedules came to their moment, all of those chosen were
        played, and the app did the same thing each time; else it is not known.
        """
        bad = {broken.rule for broken in (*self.broken, *self.later)}
        doubts = {unknown.rule for unknown in self.unknown}
        known = self.fired > 0 and not self.unfired and "" not in doubts and not self.stopped
        held = {rule for rule in self.rules if known and rule not in doubts}
        return {rule: "broken" if rule in bad else "held" if rule in held else "not known" for rule in self.rules}

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
        lines += [self.company] if self.company else []
        for rule in dict.fromkeys(broken.rule for broken in self.broken):
            found = [broken for broken in self.broken if broken.rule == rule]
            lines += _kinds(f"✗ {rule}: ", found, f"✗ {rule}: and")
        if self.later:
            lines.append(f"\n{LATER}:")
        for rule in dict.fromkeys(broken.rule for broken in self.later):
            found = [broken for broken in self.later if broken.rule == rule]
            lines += _kinds(f"✗ {rule}: ", found, f"✗ {rule}: and")
        lines += _kinds("· remark: ", self.remarks, "· remark: and")
        unknown = [rule for rule, verdict in self.verdicts.items() if verdict == "not known"]
        if unknown and self.explored:
            count = "1 rule" if len(unknown) == 1 else f"{len(unknown)} rules"
            hold = "it holds" if len(unknown) == 1 else "they hold"
            lines.append(f"? of {count} that did not break it is not known whether {hold}")
        lines += in_words(self.unknown)
        lines += [f"waited in real time for {what}" for what, _ in self.waited]
        if self.orders.asked:
            lines.append(str(self.orders))
        return "\n".join(lines)

    def html(self, **more: Any) -> str:
        """Return the report as an HTML page that needs nothing else; hangup.explorer.showing.page says what it takes.

        With `play=`, a function such as `lambda name: replay(app, name)`, it has the first pictures.
        """
        from hangup.explorer.showing.page import page  # which imports this module

        return page(self, **more)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        table = self.table._repr_mimebundle_()["text/html"]
        whole = "word-break:normal"  # JupyterLab breaks lines inside words
        found = f'<pre style="{whole}">{escape(self.findings)}</pre>'
        return {"text/html": table + found, "text/plain": str(self)}


def _kinds(before: str, found: Sequence[Broken | Remark], more: str) -> list[str]:
    """Return a line for each kind of outcome, with the schedule that it was first seen under and their number."""
    kinds: dict[str, list[Broken | Remark]] = {}
    for each in found:
        kinds.setdefault(kind_of(each.got), []).append(each)
    lines = []
    for kind in list(kinds.values())[:KINDS]:
        count = len({each.schedule for each in kind})
        lines.append(f"{before}{kind[0].got}\n    first at {kind[0].schedule}, {count:,} in all")
    if len(kinds) > KINDS:
        lines.append(f"{more} {len(kinds) - KINDS} more kinds")
    return lines


def kind_of(got: str) -> str:
    """Return an outcome's words with # for each number and address, by which sessions are compared."""
    return re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?", "#", got)


def _field(total: int, wrong: int) -> str:
    if not total:
        return ""
    return f"✗ {wrong} of {total}" if wrong else f"✓ {total}"
