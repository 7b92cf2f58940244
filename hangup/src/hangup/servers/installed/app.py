"""The app as an installed server sees it: what stands for the real one, which runs in a task of its own."""

import weakref
from collections.abc import Callable
from typing import Any

from hangup.record.recorder import Receive, Send

App = Callable[[Any, Receive, Send], Any]


class AppEndedError(RuntimeError):
    """Stands for the exception by which an app ended, where the server's own task is told that it raised."""


def weakly(serve: App) -> App:
    """Wrap an app in a weak reference, so that server and connection form no circle for the collector."""
    known = weakref.WeakMethod(serve)

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        if (serve := known()) is not None:
            await serve(scope, receive, send)

    return app
