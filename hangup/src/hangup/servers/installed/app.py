"""The app as an installed server sees it: what stands for the real one, which runs in a task of its own."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

from hangup.record.recorder import Receive, Send

App = Callable[[Any, Receive, Send], Any]


class AppEndedError(RuntimeError):
    """Stands for the exception by which an app ended, where the server's own task is told that it raised."""


class StandIn:
    """Stands for an app: to its server it is the app, and to the app it gives what the server has called it with."""

    __slots__ = ("__weakref__", "_called", "_end", "_ended", "calls", "task", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.task: asyncio.Task[Any] | None = None
        """The app's task, which is cancelled when the server cancels its own; the first to call, if nobody sets it."""
        self.calls: tuple[Receive, Send] | None = None
        """The server's receive and send, when it has called the app."""
        self.waiting = 0
        """How many calls of receive() wait for the server."""
        self._called: asyncio.Future[None] | None = None
        """What waits until it has, if anything does."""
        self._end: asyncio.Future[None] = loop.create_future()
        self._ended = ""

    async def callables(self) -> tuple[Receive, Send]:
        """Return the server's receive and send, when it has called the app."""
        if self.task is None:
            self.task = asyncio.current_task()
        if self.calls is None:
            if self._called is None:
                self._called = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._called)  # several tasks may wait for it, and one be cancelled
            assert self.calls is not None
        return self.calls

    def ended(self, how: str) -> None:
        """Let the server see that the app has "returned", "raised" or been "cancelled"."""
        self._ended = self._ended or how
        if self._end.done():
            return
        if how == "returned":
            self._end.set_result(None)
        elif how == "cancelled":
            self._end.cancel()
        else:
            self._end.set_exception(AppEndedError(how))
            self._end.exception()  # if the server is gone, nobody asks

    def unlink(self) -> None:
        """Let go of the server: what it is told of the app's end has frames, which hold it."""
        if not self._end.cancelled() and (error := self._end.exception()) is not None:
            error.__traceback__ = None

    async def serve(self, scope: Any, receive: Receive, send: Send) -> None:
        """Be the app for the server: the real one runs in a task of its own, which is cancelled if the server says."""
        if self.calls is None:
            self.calls = receive, send
            if self._called is not None:
                self._called.set_result(None)
        try:
            await self._end
        except asyncio.CancelledError:
            if not self._ended and self.task is not None:
                self.task.cancel()
            raise


def weakly(serve: App) -> App:
    """Wrap an app in a weak reference, so that server and connection form no circle for the collector."""
    known = weakref.WeakMethod(serve)

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if (serve := known()) is not None:
            await serve(scope, receive, send)

    return app
