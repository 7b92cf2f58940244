"""The lifelines of a run: the letter of each connection, the names that people read, and the columns they stand in.

While a run is recorded, a lifeline is called `client a`, `server`, `network`, `app a`, or `app a · #1` for the first
task that the app created. In a picture a lone connection needs no letter, and a task has the name of its coroutine.
"""

import functools
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from hangup.trace.events import Event


@dataclass(slots=True)
class Lifelines:
    """The letters of connections and the names of tasks in one run."""

    _letters: dict[object, str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)

    def letter(self, address: object) -> str:
        """Return the letter of the connection from `address`: `a` for the first, `b` for the next."""
        return self._letters.setdefault(address, _letter(len(self._letters)))

    def forget(self) -> None:
        """Know none of them any more."""
        self._letters.clear()
        self._names.clear()

    def move(self, old: object, new: object) -> None:
        """Let the connection from the address `old` be the one from `new`."""
        self._letters[new] = self._letters.pop(old)

    def rename(self, lifeline: str, name: str) -> str:
        """Show `lifeline` under a name, made unique by a number; return it. The first name given stays."""
        same = sum(other == name or other.rpartition(" ")[0] == name for other in self._names.values())
        return self._names.setdefault(lifeline, f"{name} {same + 1}" if same else name)

    def shown(self, events: Sequence[Event]) -> Iterator[Event]:
        """Yield the events with the names that people read, without tasks that did nothing but begin and return."""
        acted = {e.actor for e in events if e.action != "returns"} | {e.to for e in events if e.action != "create_task"}
        for event in events:
            who, to = (self._names.get(name, name) for name in (event.actor, event.to))
            if len(self._letters) < 2:
                who, to = _without_letter(who), _without_letter(to)
            idle = event.action == "create_task" and event.to not in acted
            if not idle and (event.actor in acted or " · " not in event.actor):
                yield replace(event, actor=who, to=to)


def in_columns(events: Iterable[Event]) -> tuple[str, ...]:
    """Return the lifelines of events from left to right: clients, network, server, then apps and tasks as they come."""
    seen = dict.fromkeys(name for e in events for name in (e.actor, e.to) if name)
    return tuple(sorted(seen, key=_column))


def _column(lifeline: str) -> tuple[int, str]:
    """Sort clients, network, server, then apps with their tasks (`app a`, `app a · listener`)."""
    kinds = {"client": 0, "network": 1, "server": 2}
    kind = kinds.get(lifeline.split(" ")[0], 3)
    return kind, lifeline if kind == 0 else lifeline.partition(" · ")[0] if kind == 3 else ""


@functools.cache
def _letter(number: int) -> str:
    """Return a, b, … z, aa, ab and so on."""
    return (_letter(number // 26 - 1) if number >= 26 else "") + string.ascii_lowercase[number % 26]


def _without_letter(lifeline: str) -> str:
    """Drop the letter of the first connection: `app a · listener` becomes `app · listener`."""
    who, dot, task = lifeline.partition(" · ")
    return (who[:-2] if who in {"client a", "app a"} else who) + dot + task
