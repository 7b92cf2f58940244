"""Excuses what an answer raises when it has closed by itself: a text that comes just then is owed no answer."""

from collections.abc import Callable
from typing import Any

from hangup.record.errors import leaves
from hangup.record.recorder import ASGIApp, Message, Receive, Scope, Send


class Closed:
    """An app around another one, `app`: no RuntimeError leaves it that is raised after the app's own close."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection."""
        closed = False

        async def tell(message: Message) -> None:
            nonlocal closed
            closed = closed or message["type"] == "websocket.close"
            await send(message)

        try:
            await self.app(scope, receive, tell)
        except Exception as error:
            if not (closed and all(isinstance(each, RuntimeError) for each in leaves(error))):
                raise


def closed(mount: Callable[[Any], ASGIApp]) -> Callable[[Any], ASGIApp]:
    """Return what mounts an answer so that nobody is blamed for what it does not know of its own close."""
    return lambda answer: Closed(mount(answer))
