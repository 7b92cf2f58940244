"""Ends of a connection in memory that take their time: a peer falls silent, stops reading, or has nothing to say.

Each of them goes on for some virtual seconds, in which the app can notice or not, and ends in the way of another one.
"""

import asyncio
from collections.abc import Callable

from hangup.servers.models.model import Model
from hangup.servers.models.words import LIMIT

KEPT = 3 * LIMIT  # seconds after which a connection that is still open is kept, and its client leaves
UNREAD = 60.0  # seconds for which a client does not read; then its end comes
LASTING = ("silence", "idle", "unread")


class Lasting:
    """One such end, of the kind `how`; `over` is called with the ending that follows.

    `waiting` counts the calls of send() that wait for a peer that does not read, `waited` those that ever did: what
    the server and the systems between take for such a peer (`Model.takes`), they have taken when this begins. `kept`
    says who kept a connection open on which the client said nothing: "pings" or "app", or nobody.
    """

    __slots__ = (
        "_busy_at",
        "_for_ever",
        "_loop",
        "_over",
        "_read",
        "_timer",
        "how",
        "kept",
        "seconds",
        "waited",
        "waiting",
    )

    def __init__(self, model: Model, how: str, over: Callable[[str], None]) -> None:
        self.how = how
        self.seconds = UNREAD if how == "unread" else KEPT if how == "idle" else model.after.get(how, 0.0)
        """How long it may take."""
        self.kept = ""
        self.waiting = self.waited = 0
        self._loop = loop = asyncio.get_running_loop()
        self._over = over
        self._busy_at = loop.time()
        self._read: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._for_ever = model.full == "waits for ever"
        if how == "unread":
            self._read = loop.create_future() if model.full != "takes all" else None
            self._timer = loop.call_later(UNREAD, self._end, "reset")
        elif how in model.after:
            self._timer = loop.call_later(model.after[how], self._end, how)
        elif how == "idle" and model.pings_every is not None and model.pings_every < LIMIT:
            self.kept = "pings"
            self._timer = loop.call_later(KEPT, self._end, "close")
        elif how == "idle":
            self._timer = loop.call_later(LIMIT, self._idle, loop.time() + KEPT)

    def busy(self) -> None:
        """Take note that the app has sent something, which keeps a proxy from ending the connection."""
        self._busy_at = self._loop.time()

    async def until_read(self) -> None:
        """Wait, as send() does, until a peer that does not read is gone, or longer; of other peers nobody waits."""
        if self._read is not None and not self._read.done():
            self.waiting += 1
            self.waited += 1
            try:
                await asyncio.shield(self._read)  # others wait for it as well
            finally:
                self.waiting -= 1

    def unlink(self) -> None:
        """Forget what is still to come, at the session's end."""
        if self._timer is not None:
            self._timer.cancel()
        self._over = _nobody

    def _idle(self, until: float) -> None:
        """Let the proxy look whether anything has passed."""
        now, end = self._loop.time(), self._busy_at + LIMIT
        if now >= end:
            self._end("fin")
        elif now >= until:
            self.kept = "app"
            self._end("close")
        else:
            self._timer = self._loop.call_later(min(end, until) - now, self._idle, until)

    def _end(self, how: str) -> None:
        self._timer = None
        self._over(how)
        if self._read is not None and not self._read.done() and not self._for_ever:
            self._read.set_result(None)


def _nobody(_: str) -> None:
    """Stand for a callback that nobody needs any more."""
