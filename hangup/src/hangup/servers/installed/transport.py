"""A transport without a socket: what a server's protocol sees below it, and what its client sees of the server.

It does what asyncio's own transport of a socket does, as far as a protocol can tell: one event a turn of the loop, in
order; connection_lost in a turn of its own; a write buffer with a high-water mark.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

HIGH_WATER = 64 * 1024
"""Bytes in the write buffer above which a protocol is told to pause, as in asyncio; a quarter of it lets it resume."""


def _to_nobody(data: bytes | None) -> None:
    """Stand for a client that is no more."""


class MemoryTransport(asyncio.Transport):
    """The server's end of a connection in memory.

    `to_client` gets what the server writes, and None at the end of the stream. All callbacks run in `context`, which is
    nobody's: what the server does there is no part of the app's session.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, to_client: Callable[[bytes | None], None], context: Context, **extra: Any
    ) -> None:
        super().__init__()
        self._extra_info: dict[str, Any] = extra
        self.loop, self.to_client, self.context = loop, to_client, context
        self.protocol: Any = None
        self.lost = False
        """Whether connection_lost has been called."""
        self.client_reads = True
        """Whether the client takes what is written; if not, the write buffer fills."""
        self._arrived: deque[bytes | str] = deque()
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        self._reading, self._closing, self._stepping = True, False, False
        self._writing_paused = False

    # ---- what a protocol calls ---------------------------------------------------------------------------------

    def tell(self, **extra: Any) -> None:
        """Add to what `get_extra_info` knows."""
        self._extra_info |= extra

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the peer's address, the server's own, and what was added."""
        return self._extra_info.get(name, default)

    def set_protocol(self, protocol: Any) -> None:
        """Let another protocol have the connection: a server does this when HTTP becomes WebSocket."""
        self.protocol = protocol

    def get_protocol(self) -> Any:
        """Return the protocol that has the connection."""
        return self.protocol

    def is_closing(self) -> bool:
        """Return whether the server has closed, or lost, the connection."""
        return self._closing

    def is_reading(self) -> bool:
        """Return whether the server reads."""
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        """Leave what arrives where it is."""
        self._reading = False

    def resume_reading(self) -> None:
        """Read on."""
        self._reading = True
        self.pump()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set how many unsent bytes pause the protocol, and how few let it resume."""
        self._high = high if high is not None else HIGH_WATER if low is None else 4 * low
        self._low = low if low is not None else self._high // 4

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return both limits, the lower first."""
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are unsent."""
        return self._unsent_bytes

    def can_write_eof(self) -> bool:
        """Return that the server can end its half of the stream."""
        return True

    def write_eof(self) -> None:
        """End the server's half of the stream."""
        if not self.lost:
            self.to_client(None)

    def write(self, data: Any) -> None:
        """Send bytes, or keep them for a client that does not read."""
        if not data or self.lost:
            return
        if self.client_reads:
            self.to_client(bytes(data))
            return
        self._unsent.append(bytes(data))
        self._unsent_bytes += len(data)
        if self._unsent_bytes > self._high and not self._writing_paused:
            self._writing_paused = True
            self.protocol.pause_writing()

    def close(self) -> None:
        """Close the connection, once all is sent."""
        if not self._closing:
            self._closing = True
            if not self._unsent:
                self.loop.call_soon(self.lose, context=self.context)

    def abort(self) -> None:
        """Close the connection at once."""
        if not self.lost:
            self._closing = True
            self._unsent.clear()
            self.loop.call_soon(self.lose, context=self.context)

    def lose(self, error: Exception | None = None) -> None:
        """Tell the protocol, once, that the connection is lost."""
        if not self.lost:
            self.lost = self._closing = True
            self._arrived.clear()
            self._unsent.clear()
            self.protocol.connection_lost(error)
            self.to_client(None)

    # ---- what the client does ----------------------------------------------------------------------------------

    def arrive(self, event: bytes | str) -> None:
        """Let bytes arrive, or "FIN" or "RST"; the server sees them when it is pumped."""
        self._arrived.append(event)
        if event == "RST" and self._closing and self._unsent:  # it has closed, and waits until all is sent: never
            self.loop.call_soon(self.lose, context=self.context)

    def forget(self) -> None:
        """Lose what has arrived and was not read."""
        self._arrived.clear()

    def pump(self) -> None:
        """Let the server read what has arrived, an event a turn, for as long as it reads."""
        if self._arrived and not self._stepping and self.is_reading():
            self._stepping = True
            self.loop.call_soon(self._step, context=self.context)

    def settle(self) -> None:
        """Let the server read, now, what has arrived."""
        while self._arrived and self.is_reading():
            self.context.run(self._one)

    def drain(self) -> None:
        """Let the client read from now on, first what was kept for it."""
        self.client_reads = True
        while self._unsent:
            self.to_client(self._unsent.popleft())
        self._unsent_bytes = 0
        if self._writing_paused:
            self._writing_paused = False
            self.protocol.resume_writing()
        if self._closing and not self.lost:
            self.loop.call_soon(self.lose, context=self.context)

    def unlink(self) -> None:
        """Break the circles of references, which a collector would have to find."""
        self.protocol, self.to_client = None, _to_nobody

    def _step(self) -> None:
        self._stepping = False
        if self._arrived and self.is_reading():
            self._one()
        self.pump()

    def _one(self) -> None:
        event = self._arrived.popleft()
        if isinstance(event, bytes):
            self.protocol.data_received(event)
        elif event == "RST":
            self._closing = True
            error = ConnectionResetError(104, "Connection reset by peer")
            self.loop.call_soon(self.lose, error, context=self.context)
        elif not self.protocol.eof_received():
            self.close()
