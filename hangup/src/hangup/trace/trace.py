"""What happened in a run, in an order that two equal runs share.

Whoever takes part (the recorder around an app, the client, a server) calls `Trace.record` as things happen.
Servers with threads of their own, and the network, make that order a little different each time.
So a Trace keeps, beside each event, what had to come before it: the event before it in each *chain*
(one chain a client, one a session, one a task) and the message that it *needs*.
`Trace.events` sorts by these causes alone, which makes equal runs equal, picture and all.
"""

import heapq
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hangup.trace.events import LONGEST_DETAIL, LONGEST_NOTE, Event, fold, one_line
from hangup.trace.picture import Run, html


@dataclass(frozen=True)
class _Entry:
    event: Event
    chains: tuple[str, ...]
    needs: tuple[str, ...]
    gives: str
    rank: tuple[int, str]


@dataclass(eq=False)
class Trace:
    """Events of one run. The last line of a cell shows it as a picture; `print(trace)` and `mermaid()` give text.

    Two traces are equal when the same things happened for the same causes; times, ports and ids are not kept.
    `server` is the name under which pictures show the server's lifeline.
    """

    server: str = "server"
    silent: bool = False
    """Whether a recorder writes nothing here, which an exploration uses to go through many sessions quickly."""
    ordered: bool = False
    """Whether events stand as they were recorded, which several clients in memory and in virtual time do alike."""
    _entries: list[_Entry] = field(default_factory=list, repr=False)
    _names: dict[str, str] = field(default_factory=dict, repr=False)
    _peers: dict[object, str] = field(default_factory=dict, repr=False)
    connected: set[str] = field(default_factory=set, repr=False)

    def peer(self, address: object) -> str:
        """Return the letter of the connection from `address`: `a` for the first, `b` for the next."""
        return self._peers.setdefault(address, _letters(len(self._peers)))

    def move_peer(self, old: object, new: object) -> None:
        """Let the connection from `old` be the one from `new`: a proxy stands between the two."""
        self._peers[new] = self._peers.pop(old)

    def rename(self, lifeline: str, name: str) -> str:
        """Show `lifeline` under a name, made unique by a number; return it. The first name given stays."""
        same = sum(other == name or other.rpartition(" ")[0] == name for other in self._names.values())
        return self._names.setdefault(lifeline, f"{name} {same + 1}" if same else name)

    def record(
        self,
        event: Event,
        *,
        chains: Sequence[str] = (),
        needs: Sequence[str] = (),
        gives: str = "",
        rank: tuple[int, str] = (0, ""),
    ) -> None:
        """Add an event that comes after the last one of each chain and after the message that it `needs`.

        `needs` names messages as `gives` does; the first one that was given counts.
        Among events that no cause orders, the one of lower `rank` is shown first.
        """
        tidy = replace(event, detail=one_line(event.detail, LONGEST_DETAIL if event.to else LONGEST_NOTE))
        self._entries.append(_Entry(tidy, tuple(chains), tuple(needs), gives, rank))

    def swallow(self, actor: str, message: str) -> None:
        """Let the arrows of what this client said, from the one on that was given as `message`, end at the network."""
        gone = False
        for place, entry in enumerate(self._entries):
            first = entry.gives == message
            gone = gone or first
            if gone and entry.event.actor == actor and entry.event.to == "server":
                lost = replace(entry.event, to="network")
                self._entries[place] = replace(entry, event=lost, gives=message if first else "")

    def note(self, actor: str, text: str) -> None:
        """Write a remark of your own onto a lifeline, in the order in which you call."""
        self.record(Event(actor, "note", text), chains=(f"lifeline {actor}",))

    @property
    def events(self) -> tuple[Event, ...]:
        """All events in causal order; where nothing decides, the app comes before the client.

        With a single connection, `client a` and `app a` are called `client` and `app`.
        """
        entries = self._entries
        if self.ordered:
            return tuple(self._as_shown([entry.event for entry in entries]))
        causes: list[int] = [0] * len(entries)
        effects: list[list[int]] = [[] for _ in entries]
        last: dict[str, int] = {}
        given: dict[str, int] = {}
        for number, entry in enumerate(entries):
            before = {last[chain] for chain in entry.chains if chain in last}
            before.update([given[need] for need in entry.needs if need in given][:1])
            causes[number] = len(before)
            for earlier in before:
                effects[earlier].append(number)
            last.update(dict.fromkeys(entry.chains, number))
            if entry.gives:
                given.setdefault(entry.gives, number)
        ready = [(entry.rank, number) for number, entry in enumerate(entries) if not causes[number]]
        heapq.heapify(ready)
        ordered = []
        while ready:
            _, number = heapq.heappop(ready)
            ordered.append(entries[number].event)
            for later in effects[number]:
                causes[later] -= 1
                if not causes[later]:
                    heapq.heappush(ready, (entries[later].rank, later))
        return tuple(self._as_shown(ordered))

    def _as_shown(self, events: Sequence[Event]) -> Iterator[Event]:
        """Give lifelines the names that people read, and leave out tasks that did nothing but begin and return."""
        acted = {e.actor for e in events if e.action != "returns"} | {e.to for e in events if e.action != "create_task"}
        for event in events:
            who, to = (self._names.get(name, name) for name in (event.actor, event.to))
            if len(self._peers) < 2:
                who, to = _alone(who), _alone(to)
            idle = event.action == "create_task" and event.to not in acted
            if not idle and (event.actor in acted or " · " not in event.actor):
                yield replace(event, actor=who, to=to)

    @property
    def lifelines(self) -> tuple[str, ...]:
        """The names of all who take part: clients, network, server, then apps and tasks as they first appear."""
        seen = dict.fromkeys(name for e in self.events for name in (e.actor, e.to) if name)
        return tuple(sorted(seen, key=_column))

    @property
    def run(self) -> Run:
        """What a picture shows: the events with long repetitions folded, and the lifelines."""
        return Run(fold(self.events), {name: self.title(name) for name in self.lifelines})

    def mermaid(self) -> str:
        """Return the run as a Mermaid sequence diagram, to paste into an issue."""
        ids = {name: f"p{number}" for number, name in enumerate(self.lifelines)}
        lines = ["sequenceDiagram"]
        lines += [f"    participant {ids[name]} as {_mermaid(self.title(name))}" for name in ids]
        for event in fold(self.events):
            if event.folded:
                text = f"Note over {','.join({ids[event.actor]: 0, ids[event.to or event.actor]: 0})}: {event}"
            elif event.to:
                arrow = "-x" if event.cut else "->>"
                text = f"{ids[event.actor]}{arrow}{ids[event.to]}: {_mermaid(event.label)}"
            else:
                text = f"Note over {ids[event.actor]}: {'✗ ' if event.broken else ''}{_mermaid(event.label)}"
            lines.append(f"    {text}")
        return "\n".join(lines)

    def title(self, lifeline: str) -> str:
        """Return the name that a picture writes above a lifeline."""
        return self.server if lifeline == "server" else lifeline

    def __str__(self) -> str:
        """Return an aligned timeline for a terminal, a diff or a screen reader."""
        events = fold(self.events)
        named = [e for e in events if not e.folded]
        actor = max((len(self.title(e.actor)) for e in named), default=0)
        to = max((len(self.title(e.to)) for e in named), default=0)
        lines = []
        for event in events:
            if event.folded:
                lines.append(f"{event}")
                continue
            arrow = f"→ {self.title(event.to):{to}}" if event.to else " " * (to + 2)
            mark = "✗" if event.broken or event.cut else " "
            lines.append(f"{self.title(event.actor):{actor}} {arrow} {mark} {event.label}")
        return "\n".join(lines) or "(nothing happened)"

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trace):
            return NotImplemented
        return self.events == other.events

    __hash__ = None  # type: ignore[assignment]  # a trace grows while it is written

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": html(self.run, str(self)), "text/plain": str(self)}


def _letters(number: int) -> str:
    """Return a, b, … z, aa, ab and so on."""
    return (_letters(number // 26 - 1) if number >= 26 else "") + string.ascii_lowercase[number % 26]


def _alone(lifeline: str) -> str:
    """Drop the letter from a lifeline's name: `app a · listener` becomes `app · listener`."""
    who, dot, task = lifeline.partition(" · ")
    return (who[:-2] if who in {"client a", "app a"} else who) + dot + task


def _column(lifeline: str) -> tuple[int, str]:
    """Sort clients, network, server, then apps with their tasks (`app a`, `app a · listener`)."""
    kinds = {"client": 0, "network": 1, "server": 2}
    kind = kinds.get(lifeline.split(" ")[0], 3)
    return kind, lifeline if kind == 0 else lifeline.partition(" · ")[0] if kind == 3 else ""


def _mermaid(text: str) -> str:
    """Escape what Mermaid reads as its own syntax, as entity codes without the ampersand."""
    special = {ord(c): f"#{ord(c)};" for c in '#;<>"%:`\\{}()[]|&*_~'}
    return text.translate(special)
