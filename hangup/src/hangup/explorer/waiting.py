"""Waits in virtual time: until somebody says that it is over, or nothing can happen any more, or the time is up."""

import asyncio
import math
from collections.abc import Callable

from hangup.time.virtual import Alarm, VirtualLoop


def nothing(*_: object) -> None:
    """Stand for a callback that nobody needs any more."""


class Wait(Alarm):
    """The one wait at a time of a session that is played: `end` ends it, and so does a loop that is idle or spins.

    It is an alarm of the loop's, which rings when the time is up.
    """

    __slots__ = ("_over", "loop", "on_end")

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop, self.when = loop, math.inf
        self.on_end: Callable[[], None] = nothing
        self._over: asyncio.Future[None] | None = None
        self.ring = loop.on_idle = self.end

    def begin(self, seconds: float) -> None:
        """Begin to wait, for at most so many virtual seconds."""
        self.loop.turns = self.loop.jumps = 0
        self._over = asyncio.Future()  # not the loop's own, which looks how it was made
        self.ring = self.end
        self.when = self.loop.now + seconds

    def give(self, seconds: float, then: Callable[[], None] | None = None) -> None:
        """Let the time be up so many virtual seconds from now; then the wait ends, or `then` is called instead."""
        self.ring = then or self.end
        self.when = self.loop.now + seconds

    def end(self) -> None:
        """End the wait, if there is one."""
        if self._over is not None and not self._over.done():
            self.on_end()
            self._over.set_result(None)

    def over(self) -> "asyncio.Future[None]":
        """Return what is done when the wait that has begun is over."""
        assert self._over is not None
        return self._over

    def unlink(self) -> None:
        """Break the circles of references, which a collector would have to find."""
        self.loop.on_idle = self.ring = self.on_end = nothing
