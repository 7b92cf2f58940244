"""Which trace a client writes into, by the port that it connects to: that of a server here, or of a proxy before one.

A server or a proxy puts its port into `traces` for as long as it runs; a client looks it up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hangup.trace.events import Event
from hangup.trace.trace import Trace


@dataclass(eq=False)
class ProxiedTrace:
    """A server's trace as a client beyond a proxy writes into it: what the network did is not the server's doing.

    Such a client sees its connection end, and takes the server for the cause. The proxy knows better: it says whom it
    has cut, and whose words it swallows.
    """

    behind: "Trace | ProxiedTrace"
    _cuts: dict[str, str] = field(default_factory=dict)
    """For each client whose connection was cut the name of the event that this comes after: its `cut`, or its `end`."""
    _swallowed: set[str] = field(default_factory=set)

    @property
    def trace(self) -> Trace:
        """The trace itself, behind all proxies."""
        return self.behind.trace if isinstance(self.behind, ProxiedTrace) else self.behind

    @property
    def silent(self) -> bool:
        """Whether nothing is recorded."""
        return self.trace.silent

    @property
    def connected(self) -> set[str]:
        """The letters of the clients that are connected now."""
        return self.trace.connected

    def peer(self, address: object) -> str:
        """Return the letter of the connection from `address`."""
        return self.trace.peer(address)

    def cut(self, letter: str, after: str) -> None:
        """Let the end of this client's connection come after its event `after`; the first cut counts."""
        self._cuts.setdefault(letter, after)

    def swallow(self, letter: str, first: str) -> None:
        """Let what this client says end at the network from now on, and the message that it gave as `first`, if any."""
        self._swallowed.add(letter)
        self.trace.swallow(f"client {letter}", f"{letter}.{first}")

    def record(
        self,
        event: Event,
        *,
        chains: Sequence[str] = (),
        needs: Sequence[str] = (),
        gives: str = "",
        rank: tuple[int, str] = (0, ""),
    ) -> None:
        """Record an event; where a client's connection was cut, with the true cause."""
        letter = event.to.removeprefix("client ")
        if event.cut and event.actor == "server" and letter in self._cuts:
            after = self._cuts[letter]
            event = replace(event, actor="network" if after == "cut" else "server")
            needs, gives = [f"{letter}.{after}"], f"{letter}.end"
        if event.to == "server" and event.actor.removeprefix("client ") in self._swallowed:
            event, gives = replace(event, to="network"), ""  # nothing at the server comes after it
        self.behind.record(event, chains=chains, needs=needs, gives=gives, rank=rank)


traces: dict[int, Trace | ProxiedTrace] = {}
"""The trace of each server or proxy that runs in this process, by its port."""
