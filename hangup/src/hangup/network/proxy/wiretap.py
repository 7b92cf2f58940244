"""Draws what passes a proxy, for connections whose two ends do not draw themselves: any client, any server.

One Wiretap draws one connection. A message that arrives goes from lifeline to lifeline; one that is lost ends at the
network. For use on one event loop, where the order in which things are recorded is the order in which they happened.
"""

from hangup.network.frames import FrameReader
from hangup.network.toxics import Cut, Side, Stream
from hangup.trace.events import Event
from hangup.trace.trace import Trace

CLIENT, SERVER, NETWORK = "client a", "server", "network"
_ENDS: dict[Stream, tuple[str, str]] = {"upstream": (CLIENT, SERVER), "downstream": (SERVER, CLIENT)}


class Wiretap:
    """Reads both streams of a connection and draws them in a trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._readers = {"upstream": FrameReader(from_client=True), "downstream": FrameReader(from_client=False)}
        self._over: set[str] = set()

    def passed(self, stream: Stream, data: bytes, *, lost: bool = False) -> None:
        """Draw the messages that end in these bytes, which were passed on, or were `lost` here."""
        if self.trace.silent:
            return
        for wire in self._readers[stream].feed(data):
            source, target = _ENDS[stream]
            self._record(Event(source, wire.kind, wire.detail, NETWORK if lost else target))
            if wire.kind == "close" and not lost:
                self._over |= {CLIENT, SERVER}

    def note(self, text: str) -> None:
        """Write onto the network's lifeline."""
        if not text:
            return
        self._record(Event(NETWORK, "note", text))

    def cut(self, side: Side, how: Cut) -> None:
        """Draw that the network cuts one side off: `TCP FIN` or `TCP RST`."""
        target = CLIENT if side == "client" else SERVER
        if target not in self._over:
            self._record(Event(NETWORK, how, "", target))
            self._over.add(target)

    def ended(self, stream: Stream, how: Cut) -> None:
        """Draw that who sends this stream has ended it without a closing handshake."""
        source, target = _ENDS[stream]
        if not self._over & {source, target}:
            self._record(Event(source, how, "", target))
            self._over |= {source, target}

    def _record(self, event: Event) -> None:
        if not self.trace.silent:
            self.trace.record(event)
