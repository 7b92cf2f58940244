"""What a report says of orders of tasks: whether any were tried, how many, and what the fewest deviations were."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FoundOrder:
    """A schedule with the fewest deviations under which a rule breaks, told in words."""

    schedule: str
    deviations: int
    sessions: int
    """In how many sessions the same was seen."""
    told: tuple[str, ...] = ()
    """Each deviation."""
    waits: tuple[str, ...] = ()
    """Who waited for whom."""

    @property
    def lines(self) -> list[str]:
        """Return it in lines."""
        count = f"{self.deviations} deviation{'s' * (self.deviations != 1)}" if self.deviations else "no deviation"
        seen = f"seen in {self.sessions:,} session{'s' * (self.sessions != 1)}"
        first = f"    {self.schedule}: {count} from asyncio's own order, {seen}"
        return [first, *(f"      {line}" for line in (*self.told, *self.waits))]


@dataclass(frozen=True)
class Orders:
    """The sessions of an exploration that were played in other orders than asyncio's own."""

    asked: int = 0
    played: int = 0
    bad: int = 0
    """How many broke a rule that nothing breaks in asyncio's own order."""
    known: int = 0
    """How many broke only what other schedules break, in asyncio's own order."""
    unsure: int = 0
    """How many broke one that the same order did not break again."""
    complete: bool = False
    """Whether each event of the undisturbed session was held back, one at a time."""
    found: tuple[FoundOrder, ...] = ()

    def __str__(self) -> str:
        """Return all of it in lines."""
        if not self.asked:
            return "order of tasks: not tried"
        if not self.played:
            return "order of tasks: not tried, for the exploration ended early"
        lines = [f"order of tasks: {self.played:,} sessions in other orders; {self.bad + self.known:,} break a rule"]
        for found in {found.schedule: found for found in self.found}.values():
            lines += found.lines
        if self.known:
            lines.append(f"    {self.known:,} of these break only what breaks in asyncio's own order too")
        if self.unsure:
            why = "the same order did not break it again"
            lines.append(f"    not known: {self.unsure:,} sessions broke a rule, and {why}")
        if self.complete and not (self.bad or self.known or self.unsure):
            lines.append("    all orders in which one event comes last, at most 1 deviation, were played")
        return "\n".join(lines)


NOT_TRIED = Orders()
"""What a report says where nobody has asked for it."""
