"""The two sides of a connection in memory: the app's calls, and the client across from it with the way it leaves."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hangup.servers.memory.drawing import NOTHING_DRAWN, Drawing
from hangup.trace.trace import Trace


def nobody() -> None:
    """Stand for a callback that nobody has set."""


@dataclass(frozen=True)
class Moment:
    """When the connection ends: before the app's `number`-th call of `call` ("receive" or "send") returns."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call}#{self.number}"


class Calls:
    """What an app does with its receive and send."""

    __slots__ = ("on_spin", "receives", "sends", "spun", "yields")

    def __init__(self) -> None:
        self.receives = 0
        """How often it has called receive()."""
        self.sends = 0
        """How often it has called send()."""
        self.yields = False
        """Whether every call gives way once, so that a task can be cancelled there."""
        self.spun = False
        """Whether it was given the same again and again."""
        self.on_spin: Callable[[], None] = nobody
        """Called when that happens."""

    def spin(self) -> None:
        """Take note that it is given the same again and again."""
        self.spun = True
        self.on_spin()


class Departure:
    """How a client leaves, and when: in the way of `ending`, before the call that `moment` names if there is one."""

    __slots__ = ("code", "ending", "moment")

    def __init__(self, ending: str, moment: Moment | None) -> None:
        self.ending = ending
        """One of `hangup.servers.models.ENDINGS` or `FURTHER`."""
        self.moment = moment
        self.code: int | None = 1001
        """With which code it closes by itself, None for none."""


class Client:
    """The client `letter`, as a connection knows it: what it has yet to read, whether it reads, and its picture."""

    __slots__ = ("_room", "drawing", "drawn", "letter", "on_change", "outbox", "reads")

    def __init__(self, letter: str, trace: Trace | None) -> None:
        self.letter = letter
        self.outbox: deque[str | bytes] = deque()
        """What it has not read yet."""
        self.reads = True
        """Whether it reads; while it does not, a message to it waits for room, until the connection ends."""
        self.on_change: Callable[[], None] = nobody
        """Called when it may have something to read, and when the connection has ended."""
        self.drawn = trace is not None
        """Whether there is a picture: whoever draws often looks first, for most sessions have none."""
        self.drawing = NOTHING_DRAWN if trace is None else Drawing(trace, letter)
        self._room: asyncio.Future[None] | None = None

    async def room(self) -> None:
        """Wait for a client that does not read: until the connection ends, or longer (`Model.full`)."""
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._room)  # several tasks may wait for it, and one be cancelled

    def is_gone(self) -> None:
        """Let those who wait for room go on, now that the connection has ended."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
