"""A limit for what a client may send, such as a server has: a message above it is refused with 1009, each time.

The limit is what one message of the client's first connection is above: nobody need send 16 MiB.
"""

import asyncio
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode, Frame, Opcode


class Limit:
    """Refuses the client's frame number `frame`, and from then on, on each connection, whatever is as long as it.

    `refused` is set when it does so first, `times` says how often it, or the server by a limit of its own, has. Frame 0
    stands for no limit.
    """

    def __init__(self, frame: int) -> None:
        self.frame = frame
        self.messages: set[int] = set()
        """The numbers of the frames that begin a message."""
        self.size: int | None = None
        self.times = 0
        self.refused = asyncio.Event()

    def refuses(self, number: int, frame: Frame) -> bool:
        """Return whether this frame, of that number on its connection, is above the limit."""
        if frame.opcode not in {Opcode.TEXT, Opcode.BINARY}:
            return False
        self.messages.add(number)
        if not self.frame:
            return False
        if self.size is None and number == self.frame:
            self.size = len(frame.data)
        return self.size is not None and len(frame.data) >= self.size

    def connection(self, *args: Any, **options: Any) -> "LimitedConnection":
        """Return a connection of the server's that has this limit."""
        return LimitedConnection(self, *args, **options)


class LimitedConnection(ServerConnection):
    """A connection of a websockets server that refuses what is above a limit."""

    def __init__(self, limit: Limit, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limit, self._frames, self._counted = limit, 0, False

    def process_event(self, event: Any) -> None:
        """Refuse a message as websockets refuses one that is too big; hand on everything else."""
        self._frames += isinstance(event, Frame)
        if isinstance(event, Frame) and self._limit.refuses(self._frames, event):
            self.protocol.fail(CloseCode.MESSAGE_TOO_BIG, f"frame exceeds limit of {(self._limit.size or 1) - 1} bytes")
            self.send_data()
            self._limit.times += 1
            self._counted = True
            self._limit.refused.set()
            return
        super().process_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what websockets itself has refused."""
        sent = self.protocol.close_sent
        if sent is not None and sent.code == CloseCode.MESSAGE_TOO_BIG and not self._counted:
            self._limit.times += 1
        super().connection_lost(exc)
