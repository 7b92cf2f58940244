"""What an exploration found: the Findings that it collects as it goes, and the Report that it returns."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TypeVar

from hangup.explorer.orders.report import NOT_TRIED, Orders
from hangup.record.rules import Rule
from hangup.record.session import Session
from hangup.trace.table import Table

SPREAD = "spread evenly"
STOPPED = "and then stopped, because it spins"
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
    orders: Orders = NOT_TRIED
    """What came of sessions in other orders of tasks."""

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
        if self.orders.asked:
            lines.append(str(self.orders))
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        table = self.table._repr_mimebundle_()["text/html"]
        whole = "word-break:normal"  # JupyterLab breaks lines inside words
        found = f'<pre style="{whole}">{escape(self.findings)}</pre>'
        return {"text/html": table + found, "text/plain": str(self)}


def _field(total: int, wrong: int) -> str:
    if not total:
        return ""
    return f"✗ {wrong} of {total}" if wrong else f"✓ {total}"


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
    orders: Orders = NOT_TRIED

    @property
    def explored(self) -> int:
        """How many schedules have been explored so far."""
        return len(self.how)

    def add(self, schedule: str, sessions: Sequence[Session]) -> None:
        """Judge what came of a schedule; client a's session is the first."""
        for session in sessions:
            for place, rule in enumerate(self.rules):
                if (got := rule.test(session)) is not None:
                    broken = Broken(rule.sentence, schedule, got, session.letter)
                    self.broken.setdefault(place, []).append(broken)
        self.how.append((schedule, sessions[0].ended))
        fired = bool(sessions[0].facts["fired"])
        self.fired += fired
        self.unfired += not fired and not schedule.endswith("@end")

    def report(self, rows: str = "server") -> Report:
        """Return the Report; `rows` is what the first part of a schedule's name is."""
        broken = tuple(each for place in sorted(self.broken) for each in self.broken[place])
        cut = STOPPED if self.stopped else SPREAD
        return Report(
            self.schedules, self.explored, broken, tuple(self.how), self.fired, self.unfired, cut, rows, self.orders
        )


def spread(plan: Sequence[T], limit: int) -> Iterator[T]:
    """Yield at most `limit` schedules of a plan, evenly spread over it, in its order."""
    count = min(limit, len(plan))
    return (plan[i * len(plan) // count] for i in range(count))
