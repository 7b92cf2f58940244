"""The server that an explored client talks to: websockets, on loopback; it closes or restarts when it is told to."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import websockets
from websockets.asyncio.server import Server as Listener
from websockets.asyncio.server import ServerConnection, serve

from hangup.explorer.clients.limit import Limit
from hangup.network.ports import traces
from hangup.network.proxy import HOST
from hangup.trace.trace import Trace

Handler = Callable[[ServerConnection], Awaitable[None]]
"""What a websockets server calls for each connection."""

LINGER = 60.0  # virtual seconds that a cancelled task has to end
_log = logging.getLogger("hangup.explorer.clients.server")
_log.addHandler(logging.NullHandler())
_log.propagate = False


class ScriptedServer:
    """A websockets server: it serves a handler while `listening` lasts, and a Trouble may close or restart it."""

    def __init__(self, handler: Handler, trace: Trace, limit: Limit) -> None:
        self.handler, self.trace, self.limit = handler, trace, limit
        self.port = 0
        self._listener: Listener
        self._open: dict[ServerConnection, asyncio.Task[Any] | None] = {}

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen on a free port while the block runs, and yield it."""
        await self.listen()
        self.port = int(next(iter(self._listener.sockets)).getsockname()[1])
        traces[self.port] = self.trace  # so that the proxy need not knock
        try:
            yield self.port
        finally:
            del traces[self.port]
            for connection in self._open:
                connection.transport.abort()
            self._listener.close()
            await let_end({task for task in self._open.values() if task is not None})
            await self._listener.wait_closed()

    async def listen(self) -> None:
        """Listen, on the same port as before if there was one."""
        options: dict[str, Any] = {"compression": None, "ping_interval": None, "logger": _log}
        options["create_connection"] = self.limit.connection
        self._listener = await serve(self._serve, HOST, self.port, close_timeout=1, **options)

    async def _serve(self, connection: ServerConnection) -> None:
        self._open[connection] = asyncio.current_task()
        with contextlib.suppress(websockets.ConnectionClosed):
            await self.handler(connection)
        with contextlib.suppress(websockets.ConnectionClosed):
            await connection.close()
        self._open.pop(connection, None)

    def close_connections(self) -> "list[asyncio.Task[None]]":
        """Begin to close each connection with 1001, and return what does so."""
        loop = asyncio.get_running_loop()
        return [loop.create_task(connection.close(1001)) for connection in self._open]

    def stop(self) -> None:
        """Begin to stop, as a server does that restarts: it refuses connections and closes its own with 1012."""
        self._listener.close(code=1012)

    async def stopped(self) -> None:
        """Return when it has stopped."""
        await self._listener.wait_closed()


async def let_end(tasks: "set[asyncio.Task[Any]]") -> None:
    """Let tasks come to their end: a generator that was garbage closes its connection in one, which takes a while."""
    if tasks:
        _, tasks = await asyncio.wait(tasks, timeout=LINGER)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=LINGER)
