"""The deviations of a session from asyncio's own order, as part of its schedule's name: `~a-4.1~+b-2.7`.

Each names an event, its lane and its number there, and what became of it (hangup.time.order); `~0` stands for none.
"""

import re
from dataclasses import dataclass

from hangup.time.order import AFTER, LATENCY

_ONE = re.compile(r"(\+?[a-z]\d*|time)-([1-9]\d*)\.([1-9]\d*)")


@dataclass(frozen=True)
class Deviations:
    """Events that are held back, each with what is chosen for it."""

    events: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        """Return the compact name."""
        return "".join(f"~{name}.{choice}" for name, choice in self.events) or "~0"

    def __len__(self) -> int:
        return len(self.events)

    def choose(self, name: str) -> int:
        """Return what is chosen for an event."""
        return dict(self.events).get(name, 0)

    @classmethod
    def parse(cls, text: str) -> "Deviations":
        """Return the deviations of a name's part after its first `~`; raise ValueError for what is none."""
        if text == "0":
            return cls()
        events = []
        for word in text.split("~"):
            found = _ONE.fullmatch(word)
            if found is None or AFTER < int(found[3]) <= LATENCY:
                raise ValueError(f"{word!r} is no deviation: they look like a-4.1 or +b-2.7.")
            events.append((f"{found[1]}-{found[2]}", int(found[3])))
        return cls(tuple(events))
