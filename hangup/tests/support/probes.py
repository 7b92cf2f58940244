"""The probes of hangup.servers.matrix, and apps that end in each way.

`support.playing` plays them on real servers. Neither imports a test tool: support/daphne.py runs the same probes in an
environment that has daphne and little else.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hangup.record.recorder import Receive, Send
from hangup.servers.matrix.asked import NEVER, PROBES, WAITS, Logged, Probe

__all__ = ["ENDS", "NEVER", "PROBES", "WAITS", "Logged", "Probe", "ends"]

# ---- what the client sees --------------------------------------------------------------------------------------------


async def returns(send: Send) -> None:
    """End, and do not close."""


async def raises(send: Send) -> None:
    """Fail."""
    raise ValueError("no")


async def is_cancelled(send: Send) -> None:
    """Be cancelled."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def closes(send: Send) -> None:
    """Close with a code and a reason."""
    await send({"type": "websocket.close", "code": 4000, "reason": "why"})


ENDS = (returns, raises, is_cancelled, closes)


def ends(how: Callable[[Send], Awaitable[None]], *, accept: bool) -> Any:
    """Return an app that ends in this way, before it accepts or after."""

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        if accept:
            await send({"type": "websocket.accept"})
        await how(send)

    return app
