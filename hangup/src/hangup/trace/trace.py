"""What happened in a run: a Trace, which is written while the run goes on and shown when it is over.

Whoever takes part (the recorder around an app, the client, a server) calls `Trace.record` as things happen.
A Trace shows its events in causal order, so that two equal runs look the same, picture and all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hangup.trace.events import LONGEST_DETAIL, LONGEST_NOTE, Event, Run, fold, one_line
from hangup.trace.lifelines import Lifelines, in_columns
from hangup.trace.order import Entry, in_causal_order
from hangup.trace.picture import html
from hangup.trace.text import mermaid, timeline


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
    connected: set[str] = field(default_factory=set, repr=False)
    """The letters of the clients that are connected now."""
    entries: list[Entry] = field(default_factory=list, repr=False)
    """What was recorded, in the order of recording; whoever knows better may take entries away or replace them."""
    _lifelines: Lifelines = field(default_factory=Lifelines, repr=False)

    # ---- recording ---------------------------------------------------------------------------------------------

    def peer(self, address: object) -> str:
        """Return the letter of the connection from `address`: `a` for the first, `b` for the next."""
        return self._lifelines.letter(address)

    def forget_peers(self) -> None:
        """Know no connection and no lifeline any more: what is recorded from here on is of another session."""
        self._lifelines.forget()

    def move_peer(self, old: object, new: object) -> None:
        """Let the connection from `old` be the one from `new`: a proxy stands between the two."""
        self._lifelines.move(old, new)

    def rename(self, lifeline: str, name: str) -> str:
        """Show `lifeline` under a name, made unique by a number; return it. The first name given stays."""
        return self._lifelines.rename(lifeline, name)

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
        self.entries.append(Entry(tidy, tuple(chains), tuple(needs), gives, rank))

    def note(self, actor: str, text: str) -> None:
        """Write a remark of your own onto a lifeline, in the order in which you call."""
        self.record(Event(actor, "note", text), chains=(f"lifeline {actor}",))

    def swallow(self, actor: str, message: str) -> None:
        """Let the arrows of what this client said, from the one on that was given as `message`, end at the network."""
        gone = False
        for place, entry in enumerate(self.entries):
            first = entry.gives == message
            gone = gone or first
            if gone and entry.event.actor == actor and entry.event.to == "server":
                lost = replace(entry.event, to="network")
                self.entries[place] = replace(entry, event=lost, gives=message if first else "")

    # ---- showing -----------------------------------------------------------------------------------------------

    @property
    def events(self) -> tuple[Event, ...]:
        """All events in causal order; where nothing decides, the app comes before the client.

        With a single connection, `client a` and `app a` are called `client` and `app`.
        """
        ordered = [entry.event for entry in self.entries] if self.ordered else in_causal_order(self.entries)
        return tuple(self._lifelines.shown(ordered))

    @property
    def lifelines(self) -> tuple[str, ...]:
        """The names of all who take part: clients, network, server, then apps and tasks as they first appear."""
        return in_columns(self.events)

    @property
    def run(self) -> Run:
        """What a picture shows: the events with long repetitions folded, and the lifelines."""
        events = self.events
        return Run(fold(events), {name: self.title(name) for name in in_columns(events)})

    def title(self, lifeline: str) -> str:
        """Return the name that a picture writes above a lifeline."""
        return self.server if lifeline == "server" else lifeline

    def mermaid(self) -> str:
        """Return the run as a Mermaid sequence diagram, to paste into an issue."""
        return mermaid(self.run)

    def __str__(self) -> str:
        """Return an aligned timeline for a terminal, a diff or a screen reader."""
        return timeline(self.run)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        run = self.run
        text = timeline(run)
        return {"text/html": html(run, text), "text/plain": text}

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trace):
            return NotImplemented
        return self.events == other.events

    __hash__ = None  # type: ignore[assignment]  # a trace grows while it is written
