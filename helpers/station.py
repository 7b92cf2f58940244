"""A server that a client comes back to: it closes, resets, restarts, turns away, and takes note of who came when.

`station(handler)` serves a plain websockets handler behind the proxy of `helpers.faults`, which draws one picture of
all the connections that a client makes. While the server is away its host resets whoever comes. For a LoopbackLoop:
an outage of an hour takes milliseconds.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request

from helpers.client import traces
from helpers.events import Event
from helpers.faults import proxy
from helpers.toxics import Toxic
from helpers.trace import Trace

HOST = "127.0.0.1"
Handler = Callable[[ServerConnection], Awaitable[None]]
_quiet = logging.getLogger("helpers.station")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class Station:
    """What `station` yields: the URL to connect to, when somebody came, and ways to end every connection."""

    def __init__(self, trace: Trace) -> None:
        self.url = ""
        self.trace = trace
        self.came: list[float] = []
        """When somebody asked for a connection, in the loop's seconds; also those that got none."""
        self.away = False
        """Whether the server is away: then its host resets whoever comes."""
        self.connections: set[ServerConnection] = set()

    async def close(self, code: int) -> None:
        """Close every connection with this code."""
        await asyncio.gather(*(each.close(code) for each in self.connections))

    def reset(self) -> None:
        """Reset every connection, as a host does whose process was killed."""
        for each in self.connections:
            _reset(each)

    async def restart(self, seconds: float, code: int | None = 1012) -> None:
        """Close every connection with this code (None: reset it), be away for so many seconds, and come back."""
        self.note("goes away")
        self.away = True
        await self.close(code) if code else self.reset()
        await asyncio.sleep(seconds)
        self.note(f"is back after {seconds:g} s")
        self.away = False

    def note(self, text: str) -> None:
        """Write onto the server's lifeline."""
        self.trace.record(Event("server", "note", text))

    def _door(self, connection: ServerConnection, request: Request) -> None:
        self.came.append(asyncio.get_running_loop().time())
        if self.away:
            _reset(connection)


@asynccontextmanager
async def station(handler: Handler, *toxics: Toxic, trace: Trace | None = None) -> AsyncIterator[Station]:
    """Serve `handler` while the block runs; the proxy before it has these toxics and draws in `trace`.

    An exception of the handler closes its connection with 1011. Keepalive is the client's business.
    """
    here = Station(Trace(ordered=True) if trace is None else trace)
    here.trace.ordered = True

    async def run(websocket: ServerConnection) -> None:
        here.connections.add(websocket)
        try:
            await handler(websocket)
        finally:
            here.connections.discard(websocket)

    options: dict[str, Any] = {"compression": None, "ping_interval": None, "close_timeout": 1, "logger": _quiet}
    async with serve(run, HOST, 0, process_request=here._door, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        traces[port] = here.trace
        try:
            async with proxy(f"ws://{HOST}:{port}", *toxics, tapped=True) as here.url:
                yield here
        finally:
            del traces[port]


def _reset(connection: ServerConnection) -> None:
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()
