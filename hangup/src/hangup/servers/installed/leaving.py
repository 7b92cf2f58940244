"""How the client of an installed server leaves: what it does on its transport, now or after some virtual seconds."""

import asyncio
from collections.abc import Callable

from hangup.servers.installed.peer import Peer
from hangup.servers.installed.transport import MemoryTransport
from hangup.servers.memory.drawing import Drawing
from hangup.servers.memory.sides import nobody

LASTS = 60.0  # virtual seconds for which a proxy keeps a connection idle, or a client does not read before it is reset
TOO_BIG = 16 * 1024 * 1024 + 1  # bytes: the first size above the servers' default limit
OPEN = ("close", "too-big", "unread", "idle", "silence")
"""What only a client can do that has been let in; before, it ends the TCP connection (RFC 6455 section 4.1)."""


class Leaving:
    """Ends a connection in one way, with `begin`. `cut` is called with "fin" or "reset" when TCP ends."""

    __slots__ = ("_cut", "_drawing", "_peer", "_timer", "_transport", "busy_at", "stop")

    def __init__(self, transport: MemoryTransport, peer: Peer, drawing: Drawing, cut: Callable[[str], None]) -> None:
        self._transport, self._peer, self._drawing, self._cut = transport, peer, drawing, cut
        self._timer: asyncio.TimerHandle | None = None
        self.busy_at = transport.loop.time()
        """When the server last sent something."""
        self.stop: Callable[[], None] = nobody
        """What shuts the server down."""

    def begin(self, how: str, code: int | None, reason: str) -> None:
        """Leave in the way of the ending `how`. Raise ValueError for another word."""
        transport, drawing = self._transport, self._drawing
        if how == "shutdown":
            transport.context.run(self.stop)
        elif how == "close":
            drawing.closes(code, reason)
            self._peer.close(code, reason)
        elif how in {"fin", "reset", "closing"}:
            self._ends("reset" if how == "reset" else "fin")
            if how == "closing":  # the server reads it, and has not got round to it
                transport.settle()
        elif how in _SLOW:
            drawing.thinks(_SLOW[how])
            self._slowly(how)
        else:
            raise ValueError(f"There is no ending {how!r} on an installed server.")

    def _slowly(self, how: str) -> None:
        transport = self._transport
        if how == "too-big":
            transport.arrive(self._peer.message_of(TOO_BIG))
        elif how == "unread":
            transport.client_reads = False
            self._timer = transport.loop.call_later(LASTS, self._ends, "reset")
        elif how == "idle":
            self._timer = transport.loop.call_later(LASTS, self._idle)

    def _ends(self, how: str) -> None:
        """Let the TCP connection end, with a FIN or a RST."""
        self._cut(how)
        self._drawing.cuts("FIN" if how == "fin" else "RST")
        self._transport.arrive("FIN" if how == "fin" else "RST")
        self._transport.pump()

    def _idle(self) -> None:
        """Let a proxy end the connection if nothing has passed for so long."""
        left = self.busy_at + LASTS - self._transport.loop.time()
        if left > 0:
            self._timer = self._transport.loop.call_later(left, self._idle)
        else:
            self._ends("fin")

    def unlink(self) -> None:
        """Forget what is still to come."""
        if self._timer is not None:
            self._timer.cancel()
        self._cut, self.stop = _nobody, nobody


_SLOW = {
    "silence": "falls silent",
    "unread": "stops reading",
    "idle": "has nothing to say",
    "too-big": "sends a message above the server's limit",
}


def _nobody(_: str) -> None:
    """Stand for a callback that nobody needs any more."""
