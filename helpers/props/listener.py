"""A WebSocket server in a thread of its own: as far from your event loop as a peer is.

`until_unread` blocks on purpose. When it returns, bytes from the server lie in the client's socket, and the client's
event loop has had no chance to look: what a client does next it does not knowing, in every run.
"""

import asyncio
import select
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from hangup.network.client import Connection
from hangup.trace.events import Event

HOST = "127.0.0.1"
PATIENCE = 10.0  # seconds
Handler = Callable[[ServerConnection], Awaitable[None]]


@contextmanager
def in_thread(handler: Handler, **options: Any) -> Iterator[str]:
    """Serve a websockets handler in a thread while the block runs, and yield the URL.

    `options` are those of websockets' `serve`; compression and keepalive are off unless you ask for them. When the
    block ends, the server closes what is open, and the thread ends. Raises TimeoutError if the server does not start.
    """
    urls: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []
    over = asyncio.Event()
    ready = threading.Event()

    async def run() -> None:
        quiet = {"compression": None, "ping_interval": None, "close_timeout": 1}
        async with serve(handler, HOST, 0, **(quiet | options)) as server:
            urls.append(f"ws://{HOST}:{next(iter(server.sockets)).getsockname()[1]}")
            loops.append(asyncio.get_running_loop())
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="listener", daemon=True)
    thread.start()
    if not ready.wait(PATIENCE):
        raise TimeoutError("the server did not start")
    try:
        yield urls[0]
    finally:
        loops[0].call_soon_threadsafe(over.set)
        thread.join(PATIENCE)


def until_unread(client: Connection) -> None:
    """Block until bytes lie unread in the client's socket; nothing else runs on its event loop meanwhile.

    Raises TimeoutError if none come.
    """
    readable, _, _ = select.select([client.transport.get_extra_info("socket")], [], [], PATIENCE)
    if not readable:
        raise TimeoutError("the server has sent nothing")
    client._record(Event(client._lifeline, "note", "computes; meanwhile bytes come from the server"))
